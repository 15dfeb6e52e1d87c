"""Bring what README, docs/results.md and docs/claims.md show of the reference results, and their figures, up to date.

    python docs/shown.py

Each region stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`; what a person wrote is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness import ablating
from harness.claims import ablation
from harness.claims.claim import delivered
from harness.claims.tables import claims_table
from harness.cli import main
from harness.protocols.advice import advice
from harness.protocols.ledger import ledger
from harness.protocols.ranking import BASE, Ranking
from harness.reporting import drawn, grouped, render, usual
from harness.reporting.drawing import write
from harness.reporting.formats import markdown

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "results" / "reference"
FIGURES = ROOT / "docs" / "figures"
SAMPLERS = "cinn,cvae,inn,ipage,lookup,mdn,na,tandem"
"""Methods whose proposals the README shows beside the posterior."""


def overall() -> str:
    """The table of all tasks together, without its notes."""
    return _grids(render("overall", REFERENCE))[0].partition("\n\n")[2]


def advised() -> str:
    """What the README's call of `advise` prints, without its notes."""
    tables = advice(grouped(REFERENCE, "sinewave,stack"), "nmse", seconds=(0.001,), simulations=(1, 200))
    return _grids(markdown(tables))[0].partition("\n\n")[2]


def summaries() -> str:
    """The summary of every task without a scenario, with the note on what the published values differ in."""
    text = render("summary", REFERENCE)
    note = next(line for line in text.splitlines() if line.startswith("- Ren Table 7, Ren Table 3"))
    scenarios = {group.first.label.scenario for group in grouped(REFERENCE)}
    grids = _grids(text)
    first, *others = (grid for grid in grids if not any(f", {name}" in grid.splitlines()[0] for name in scenarios))
    return "\n\n".join([first, note, *others])


def counted() -> str:
    """How ours compare with the published errors, and where ours are larger."""
    (table,) = ledger(grouped(REFERENCE))
    return "\n".join(f"- {note}" for note in table.notes if note.startswith(("of ", "worse: ")))


def judged(*columns: str) -> str:
    """The claims with their verdicts, without notes."""
    (table,) = claims_table(grouped(REFERENCE), list(delivered().values()))
    shown = tuple(column for name in columns for column in table.columns if column.title == name)
    counts = next(note for note in table.notes if note.startswith("of "))
    text = markdown([replace(table, columns=shown, notes=())]).partition("\n\n")[2].strip()
    return f"{text}\n\n{counts[0].upper()}{counts[1:]}."


def flips() -> str:
    """Which method takes the place of the best one in each scenario, a list for each task."""
    (shown,) = (block for name, block in Ranking().tables().items() if name == Ranking.name)
    lines = []
    for table in shown.build(usual(grouped(REFERENCE)), "nmse", False):
        scenarios = [column.title for column in table.columns if column.title not in ("ratio", BASE)]
        said = [note for note in table.notes if note.partition(": ")[0] in scenarios and " has " in note]
        lines += [f"**{table.facts['task']}**", "", *(f"- {note}" for note in said), ""]
    return "\n".join(lines).strip()


REGIONS: dict[tuple[str, str], Callable[[], str]] = {
    ("README.md", "overall"): overall,
    ("README.md", "advice"): advised,
    ("docs/results.md", "summaries"): summaries,
    ("docs/results.md", "ledger"): counted,
    ("docs/results.md", "flips"): flips,
    ("README.md", "claims"): partial(judged, "claim", "source", "verdict"),
    ("docs/claims.md", "claims"): partial(judged, "claim", "verdict", "evidence", "name"),
}


def updated(page: str, name: str, shown: str) -> str:
    """The text of a page with this in the place of what a region has."""
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    text = (ROOT / page).read_text(encoding="utf-8")
    head, _, rest = text.partition(begin)
    return f"{head}{begin}\n{shown}\n\n{end}{rest.partition(end)[2]}"


def _grids(text: str) -> list[str]:
    """The tables with their headings, without the lists of notes."""
    return [part.partition("\n\n- ")[0].strip() for part in re.split(r"\n+(?=### )", text.strip()) if "\n| " in part]


if __name__ == "__main__":
    for (page, name), show in REGIONS.items():
        (ROOT / page).write_text(updated(page, name, show()), encoding="utf-8")
    FIGURES.mkdir(exist_ok=True)
    (every,) = drawn(["error-and-time"], REFERENCE)
    figure = replace(every, panels=tuple(panel for panel in every.panels if "[" not in panel.title))  # no variants
    write(figure, FIGURES / "error-and-time.png")
    (figure,) = drawn(["posterior"], REFERENCE, tasks="sinewave", methods=SAMPLERS)
    write(figure, FIGURES / "posterior.png")
    for figure in drawn(["ranking"], REFERENCE):
        write(figure, FIGURES / "ranking.png")
    main(["figures", "--out", str(REFERENCE), "--format", "pdf"])
    groups = grouped(REFERENCE)
    for one in ablation.delivered().values():
        ablating.drawn(groups, one, REFERENCE / "figures" / "ablations")
