"""Tables as markdown, LaTeX, CSV or JSON text."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tabulate import tabulate

from harness.reporting.table import Table, Text

TIED = r"$\approx$"
LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "–": "--",
    "…": r"\dots{}",
    "−": "$-$",
    "‖": r"$\|$",
    "²": r"$^2$",
    "≤": r"$\le$",
    "∞": r"$\infty$",
    "≈": TIED,
    "†": r"\dag{}",
    "ŷ": r"$\hat{y}$",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
}
LEFT = ("task", "operator", "method", "targets", "name", "claim", "source", "verdict", "evidence", "check", "setting")
"""The columns of text."""
POWER = re.compile(r"(?<=[\d)])e(-?\d+)(?![\w.])")


def markdown(tables: Sequence[Table]) -> str:
    """Headings, pipe tables and lists of notes.

    A note that several tables share stands once, below the last, and names their tasks where not all tables have it.

    Args:
        tables: in their order.
    """
    own, by_kind, general = _placed(tables)
    parts = []
    for place, table in enumerate(tables):
        parts.append(f"### {table.title}\n\n{_grid(table, 'pipe', _markdown_cell)}")
        last = all(later.name != table.name for later in tables[place + 1 :])
        parts += _list(own[place] + (by_kind[table.name] if last else []))
    if general:
        parts += ["### Notes to several tables", *_list(general)]
    return "\n\n".join(parts) + "\n"


def latex(tables: Sequence[Table]) -> str:
    """One `table` environment a table, without packages; the notes stand below it.

    Args:
        tables: in their order.
    """
    parts = []
    for table in tables:
        body = _grid(table, "latex_raw", _latex_cell)
        notes = "\n".join(f"\\par\\footnotesize {_latex_text(note)}" for note in table.notes)
        caption = f"\\caption{{{_latex_text(table.title)}}}"
        parts.append(f"\\begin{{table}}\n\\centering\n{caption}\n{body}\n{notes}\n\\end{{table}}")
    return "\n\n".join(parts) + "\n"


def comma_separated(tables: Sequence[Table]) -> str:
    """One line for each method of each table, unrounded; a value that a table does not have is empty.

    Args:
        tables: in their order.
    """
    lines = [{"table": table.name, **table.facts, **row} for table in tables for row in table.rows]
    header = list(dict.fromkeys(key for line in lines for key in line))
    text = io.StringIO()
    writer = csv.DictWriter(text, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def as_json(tables: Sequence[Table]) -> str:
    """A list of tables with unrounded rows and their notes.

    Args:
        tables: in their order.
    """
    return json.dumps([_plain(table) for table in tables], indent=1, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: Mapping[str, Callable[[Sequence[Table]], str]] = {
    "markdown": markdown,
    "latex": latex,
    "csv": comma_separated,
    "json": as_json,
}


def _plain(table: Table) -> dict[str, Any]:
    return {
        "table": table.name,
        "title": table.title,
        **table.facts,
        "rows": [dict(row) for row in table.rows],
        "notes": list(table.notes),
    }


def _grid(table: Table, style: str, cell: Callable[[Text], str]) -> str:
    rows = [[cell(text) for text in row] for row in table.cells()]
    titles = [cell(Text(column.title)) for column in table.columns]
    align = ["left" if column.title in LEFT else "right" for column in table.columns]
    return tabulate(rows, titles, tablefmt=style, colalign=align if rows else None, disable_numparse=True)


def _markdown_cell(cell: Text) -> str:
    text = cell.text.replace("|", "\\|")
    marked = {
        "": text,
        "best": f"**{text}**",
        "tied": f"{text} ≈",
        "best method": f"*{text}*",
        "tied method": f"*{text}* ≈",
        "below floor": f"({text})",
    }
    return marked[cell.mark] + cell.beside


def _latex_cell(cell: Text) -> str:
    text = _latex_text(cell.text)
    marked = {
        "": text,
        "best": f"\\textbf{{{text}}}",
        "tied": f"{text} {TIED}",
        "best method": f"\\emph{{{text}}}",
        "tied method": f"\\emph{{{text}}} {TIED}",
        "below floor": f"({text})",
    }
    return marked[cell.mark] + _latex_text(cell.beside)


def _latex_text(text: str) -> str:
    escaped = "".join(LATEX.get(character, character) for character in text)
    return POWER.sub(r"$\\times 10^{\1}$", escaped)


def _list(notes: Sequence[str]) -> list[str]:
    return ["\n".join(f"- {note}" for note in notes)] if notes else []


def _placed(tables: Sequence[Table]) -> tuple[list[list[str]], dict[str, list[str]], list[str]]:
    """The notes of each table alone, those of several tables of one kind, and those of several kinds."""
    users: dict[str, list[Table]] = {}
    for table in tables:
        for note in table.notes:
            users.setdefault(note, []).append(table)
    own = [[note for note in table.notes if len(users[note]) == 1] for table in tables]
    kinds = {note: {table.name for table in some} for note, some in users.items()}
    shared = {note: _placing(note, some, tables) for note, some in users.items() if len(some) > 1}
    by_kind = {table.name: [text for note, text in shared.items() if kinds[note] == {table.name}] for table in tables}
    return own, by_kind, [text for note, text in shared.items() if len(kinds[note]) > 1]


def _placing(note: str, users: Sequence[Table], tables: Sequence[Table]) -> str:
    """A note that several tables share, behind its tasks where other tables of the kind do not have it."""
    alike = [table for table in tables if table.name in {user.name for user in users}]
    tasks, every = (
        dict.fromkeys(task for table in some if (task := table.facts.get("task"))) for some in (users, alike)
    )
    said = len(tasks) == len(every) or all(task in note for task in tasks)
    return note if said else f"{'; '.join(tasks)}: {note}"
