"""The verbs of the command line: each calls the room that does the work and prints what came back.

What needs torch is imported inside the verbs that need it: `table`, `verify` and `show` answer at once.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from harness import config, listing, submitting
from harness.durable import make_folder, remedy_of, storage_errors, write_whole
from harness.errors import UsageError, numbered, unknown
from harness.performing import perform
from harness.plan import planned, specification
from harness.registry import Kind, Plugin, build_protocol, discover
from harness.running import write_tables
from harness.selection import named, select, split
from harness.show import existing
from harness.show import show as rendered
from harness.store import Store, none_below, record_files, verify
from harness.texts import meant

DEFAULT_OUT = Path("results") / "quick"
NEW = ("task", "method")
ELSEWHERE = "Free space, mend the permissions or name another folder with --folder."
LISTS = ("methods", "tasks", "scenarios", "protocols", "presets", "results", "statistics")
OF_FOLDER = 2
"""The last so many of them, which a folder has: they are listed when they are named."""


def run(arguments: Namespace) -> int:
    """Run methods on tasks, and print the comparison tables."""
    flags = {key: value for key, value in vars(arguments).items() if key not in ("verb", "config")}
    settings, preset = config.load(flags, arguments.config)
    model = submitting.device_model(settings) if settings.engine == "slurm" else ""
    return perform(planned(settings, preset, model), settings, preset)


def list_(arguments: Namespace) -> int:
    """List methods, tasks, presets, results, or the statistics of results."""
    if arguments.what is not None and arguments.what not in LISTS:
        raise unknown("list", arguments.what, LISTS)
    root = Path(arguments.out)
    of_folder = {"results": listing.results, "statistics": listing.statistics}
    for what in [arguments.what] if arguments.what else LISTS[:-OF_FOLDER]:
        print(of_folder[what](root) if what in of_folder else listing.LISTINGS[what]())
    return 0


def show(arguments: Namespace) -> int:
    """Print one record, or the records of one method on one task."""
    print(rendered(Path(arguments.out), arguments.what))
    return 0


def show_task(arguments: Namespace) -> int:
    """Describe a task, and draw a few of its designs and their responses."""
    (selection, *more) = select("tasks", arguments.task)
    if more:
        raise UsageError(f"{arguments.task!r} names {len(more) + 1} tasks. Give one.")
    from harness.portrait import portray

    picture = Path(arguments.picture or f"{selection.plugin.name}.png")
    print(portray(selection, picture))
    print(f"Picture: {picture}")
    return 0


def new(arguments: Namespace) -> int:
    """Write a plug-in that works, with its test, into a new folder: a task of your own pairs, or a method."""
    if arguments.kind not in NEW:
        raise unknown("kind of plug-in", arguments.kind, NEW)
    from harness.new import new_method, new_task

    folder = Path(arguments.folder or arguments.name)
    given = {"--from": arguments.pairs, "--x": arguments.x, "--y": arguments.y}
    if arguments.kind == "method":
        surplus = [flag for flag, value in given.items() if value is not None]
        if surplus:
            raise UsageError(f"{surplus[0]} belongs to a task. Write: new method NAME [--folder DIR].")
        print(new_method(arguments.name, folder))
    elif arguments.pairs is None:
        raise UsageError("A task needs its pairs. Write: new task NAME --from pairs.csv.")
    else:
        x, y = (None if text is None else meant(text) for text in (arguments.x, arguments.y))
        print(new_task(arguments.name, folder, Path(arguments.pairs), x, y))
    return 0


def propose(arguments: Namespace) -> int:
    """Propose designs for your targets with a trained method of a result folder."""
    from harness.proposing import proposals, writable, written

    if (arguments.target is None) == (arguments.targets is None):
        raise UsageError("Give the wanted y: either --target 1.2, a number for each y, or --targets FILE.csv.")
    if arguments.out is not None:
        writable(Path(arguments.out))
    text, designs = proposals(arguments.cell, arguments.target, arguments.targets, arguments.n, arguments.seed)
    print(text)
    if arguments.out is not None:
        print(written(designs, Path(arguments.out)))
    return 0


def check(arguments: Namespace) -> int:
    """Check methods and tasks for the properties that every plug-in must have."""
    names = split(",".join(arguments.names))
    if not names:
        raise UsageError(f"The selection {' '.join(arguments.names)!r} names no plug-in. Write names, groups or all.")
    plugins = [plugin for item in names for plugin in of_any_kind(item)]
    from harness.conformance import check as findings_of

    broken = 0
    for plugin in plugins:
        findings = findings_of(plugin)
        broken += len(findings)
        result = numbered(len(findings), "finding") if findings else "conforms"
        print(f"{plugin.kind.removesuffix('s')} {plugin.name}: {result}")
        for finding in findings:
            print(f"  {finding}")
    return 1 if broken else 0


def of_any_kind(name: str) -> list[Plugin]:
    """The plug-ins that a name, group, glob or `all` stands for; of those that can be checked, methods and tasks."""
    kinds: dict[Kind, dict[str, Plugin]] = {"methods": discover("methods"), "tasks": discover("tasks")}
    found: list[Plugin] = []
    for kind, plugins in kinds.items():
        with suppress(UsageError):
            found += named(kind, name, plugins)
    others: tuple[Kind, ...] = ("scenarios", "protocols")
    for kind in others:
        if not found and name in discover(kind):
            raise UsageError(f"{name!r} is a {kind.removesuffix('s')}. Only methods and tasks can be checked.")
    if not found:
        raise unknown("method or task", name, {"all", *kinds["methods"], *kinds["tasks"]})
    return found


def table(arguments: Namespace) -> int:
    """Print a table made from records."""
    from harness.reporting import COMPARE, render

    if arguments.pair and arguments.name != COMPARE:
        raise UsageError(f"{arguments.pair[0]!r} belongs to no table. Only compare takes methods.")
    if arguments.name == COMPARE and arguments.methods is not None:
        raise UsageError("compare takes its methods without a flag. Write: table compare METHOD METHOD.")
    text = render(
        arguments.name,
        existing(arguments.out),
        format=arguments.format,
        metric=arguments.metric,
        published=arguments.published,
        methods=arguments.pair if arguments.name == COMPARE else arguments.methods,
        tasks=arguments.tasks,
        scenarios=arguments.scenarios,
    )
    print(text.rstrip("\n"))
    return 0


def figures(arguments: Namespace) -> int:
    """Draw figures from records, as files for a paper."""
    from harness.reporting import ALL, drawn
    from harness.reporting.captions import NAME, captions
    from harness.reporting.drawing import FORMATS, pages, write
    from harness.reporting.figure import stems

    formats = list(dict.fromkeys(name.strip() for name in arguments.format.split(",")))
    for name in formats:
        if name not in FORMATS:
            raise unknown("format", name, FORMATS)
    root = existing(arguments.out)
    found = drawn(
        arguments.names or [ALL],
        root,
        metric=arguments.metric,
        methods=arguments.methods,
        tasks=arguments.tasks,
        scenarios=arguments.scenarios,
    )
    folder = Path(arguments.folder) if arguments.folder else root / "figures"
    with storage_errors(folder, ELSEWHERE):
        make_folder(folder)
    parts = [page for figure in found for page in pages(figure)]
    named = dict(zip(stems(parts), parts, strict=True))
    for stem, figure in named.items():
        for name in formats:
            path = folder / f"{stem}.{name}"
            with storage_errors(folder, ELSEWHERE):
                write(figure, path)
            print(path, flush=True)
    with storage_errors(folder, ELSEWHERE):
        write_whole(folder / NAME, captions(named))
    print(folder / NAME)
    return 0


def advise(arguments: Namespace) -> int:
    """Say which method to use for each task, within budgets, or in your situation."""
    from harness import advising

    return advising.advise(arguments)


def compare(arguments: Namespace) -> int:
    """Print the numbers of papers beside ours, with what differs, and where ours are larger."""
    from harness.protocols.ledger import ALL, ledger
    from harness.reporting import grouped
    from harness.reporting.formats import FORMATS

    if arguments.format not in FORMATS:
        raise unknown("format", arguments.format, FORMATS)
    papers, tasks = ([] if text is None else split(text) for text in (arguments.to, arguments.tasks))
    tables = ledger(grouped(existing(arguments.out)), [] if ALL in papers else papers, tasks)
    print(FORMATS[arguments.format](tables).rstrip("\n"))
    return 0


def report(arguments: Namespace) -> int:
    """Write the report of a result folder: one HTML file with its figures and tables."""
    from harness.reporting.report import write

    print(write(existing(arguments.out)))
    return 0


def claims(arguments: Namespace) -> int:
    """Say which claims of papers hold here, and with which evidence; run what is missing."""
    from harness import claiming

    return claiming.claims(arguments)


def ablation(arguments: Namespace) -> int:
    """List ablations, or print the table of one and draw its figure; run what is missing."""
    from harness import ablating

    return ablating.ablate(arguments)


def verify_(arguments: Namespace) -> int:
    """Check every record against its checksums, and name what is damaged."""
    root = existing(arguments.out)
    count = len(record_files(root))
    if not count:
        raise UsageError(none_below(root))
    problems = verify(root)
    for problem in problems:
        print(problem)
    found = numbered(len(problems), "problem") if problems else "all intact"
    print(f"{numbered(count, 'record')}, {found}.")
    return 1 if problems else 0


def rescore(arguments: Namespace) -> int:
    """Compute scores anew from the stored answers, without training."""
    from harness.rescore import rescore as work

    chosen = [] if arguments.protocols is None else select("protocols", arguments.protocols)
    measured = [item.plugin.name for item in chosen if build_protocol(specification(item)).measures]
    if measured:
        raise UsageError(f"{measured[0]} is measured, not scored. `python -m harness time` measures it anew.")
    options = {item.plugin.name: item.options for item in chosen}
    return revised(partial(work, options=options), existing(arguments.out))


def time(arguments: Namespace) -> int:
    """Measure inference anew from the stored models, one cell at a time; the machine should be idle."""
    from harness.rescore import retime as work

    return revised(work, existing(arguments.out))


def revised(work: Callable[[Path], Iterable[str]], root: Path) -> int:
    """Change the records of a folder, print what was done as it is done, and write the tables anew."""
    from harness.rescore import LEFT

    done, root = 0, root.absolute()  # whatever folder a plug-in changes to
    for line in work(root):
        print(line, flush=True)
        done += LEFT not in line
    write_tables(root, ())
    return 0 if done else 3


def export(arguments: Namespace) -> int:
    """Copy the records and tables of a result folder without its large files, to publish them."""
    store, target = Store(existing(arguments.out)), Path(arguments.target)
    if not any(store.records()):
        raise UsageError(f"There are no intact records below {arguments.out!r}, so there is nothing to export.")
    with remedy_of("Free space, mend the permissions or name another target; then the same command makes all of it."):
        store.export(target, arguments.largest * 1024)
        write_tables(target, ())
    print(f"{numbered(len(record_files(target)), 'record')} in {target}")
    return 0


VERBS: dict[str, Callable[[Namespace], int]] = {
    "run": run,
    "list": list_,
    "show": show,
    "show-task": show_task,
    "propose": propose,
    "check": check,
    "new": new,
    "table": table,
    "figures": figures,
    "report": report,
    "advise": advise,
    "compare": compare,
    "claims": claims,
    "ablation": ablation,
    "verify": verify_,
    "rescore": rescore,
    "export": export,
    "time": time,
}
