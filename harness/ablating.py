"""The verb `ablation`: what changes where one thing of a method is changed; runs it, prints its table, draws it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from harness.claiming import carried_out, named, require_known, tasks_of, with_own
from harness.claims import ablated, ablation
from harness.claims.ablation import Ablation
from harness.claims.rows import by_task, find
from harness.durable import make_folder, storage_errors
from harness.errors import UsageError, numbered, unknown
from harness.reporting import figures, grouped
from harness.reporting.formats import FORMATS
from harness.reporting.groups import Group

NAMED = 3
"""Missing cells that are named."""
ELSEWHERE = "Free space, mend the permissions or name another folder with --folder."


def ablate(arguments: Namespace) -> int:
    """List ablations, or print the table of one and draw its figure; run what is missing."""
    known = with_own(ablation.delivered(), arguments.own, ablation.made)
    if arguments.name is None:
        if arguments.go:
            raise UsageError(f"--run needs the name of an ablation. Allowed: {', '.join(known)}.")
        print(listed(known.values()))
        return 0
    (one,) = named("ablation", [arguments.name], known)
    if one.figure not in figures():
        raise unknown(f"figure of the ablation {one.name}", one.figure, figures())
    one = replace(one, tasks=tuple(tasks_of(arguments.only, one.tasks, one.name)) or one.tasks)
    usual = {key: value for key, value in (("preset", one.preset), ("seeds", one.seeds)) if value}
    code, root = carried_out(arguments, one.needs(), usual)
    if root is not None:
        groups = grouped(root)
        require_known([one], arguments.own, groups)
        print(shown(groups, one, arguments.format))
        for path in drawn(groups, one, Path(arguments.folder) if arguments.folder else root / "figures"):
            print(path)
    return code


def listed(every: Collection[Ablation]) -> str:
    """One line for each ablation."""
    width = max((len(one.name) for one in every), default=0)
    return "\n".join(f"{one.name:<{width}}  {one.question} ({one.source})" for one in every) or "none"


def shown(groups: Sequence[Group], one: Ablation, form: str) -> str:
    """The tables as text; where there is none, or cells are missing, which, and how to run them."""
    tables = ablated.tables_of(groups, one)
    cells = [(label, task) for task in one.tasks for label in one.settings]
    present = {task: group for _, tasks in by_task(groups) for task, group in tasks.items()}
    missing = [f"{label} on {task}" for label, task in cells if task not in present or not find(present[task], label)]
    if not missing:
        return FORMATS[form](tables).rstrip("\n")
    more = f" and {len(missing) - NAMED} more" * (len(missing) > NAMED)
    which = f"Missing: {len(missing)} of {numbered(len(cells), 'cell')} ({', '.join(missing[:NAMED])}{more})."
    how = f"{which} The same command with --run"
    noted = [table.noting(f"{how} runs them") for table in tables]
    return FORMATS[form](noted).rstrip("\n") if tables else f"{one.question} {how} runs them."


def drawn(groups: Sequence[Group], one: Ablation, folder: Path) -> list[Path]:
    """Draw the figure into a folder, as PDF, SVG and PNG; the files, none where there is nothing to draw."""
    _, kind = figures()[one.figure]
    found = ablated.figures_of(groups, one, kind.build)
    if not found:
        return []
    from harness.reporting.drawing import FORMATS as PAINTED
    from harness.reporting.drawing import pages, write
    from harness.reporting.figure import stems

    parts = [page for figure in found for page in pages(figure)]
    named_parts = zip(stems(parts), parts, strict=True)
    paths = [(figure, folder / f"{stem}.{form}") for stem, figure in named_parts for form in PAINTED]
    with storage_errors(folder, ELSEWHERE):
        make_folder(folder)
        for figure, path in paths:
            write(figure, path)
    return [path for _, path in paths]
