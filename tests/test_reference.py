"""The reference results that the repository holds: intact, complete, and the ones that the README shows."""

import re
from pathlib import Path

import pytest

from harness.reporting import render
from harness.store import Store, verify

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "results" / "reference"
SUFFIXES = {"markdown": "md", "latex": "tex", "csv": "csv", "json": "json"}


def test_the_reference_records_are_intact_and_cover_every_method_and_task() -> None:
    assert verify(REFERENCE) == []
    records = list(Store(REFERENCE).records())
    assert {record.status for record in records} == {"ok"}
    cells = {(record.label.task, record.label.method) for record in records}
    assert len(records) == len(cells) == 13 * 8


@pytest.mark.parametrize("form", SUFFIXES)
def test_the_rendered_tables_are_those_of_the_records(form: str) -> None:
    stored = (REFERENCE / "tables" / f"all.{SUFFIXES[form]}").read_text()
    assert stored == render("all", REFERENCE, format=form).rstrip("\n") + "\n"


def test_the_readme_shows_the_summaries_of_the_reference_records() -> None:
    readme = (ROOT / "README.md").read_text()
    shown = re.search(r"<!-- results:begin -->\n(.*?)<!-- results:end -->", readme, re.DOTALL)
    assert shown is not None
    tables = re.split(r"\n+(?=### )", render("summary", REFERENCE).strip())
    assert len(tables) > 1
    for table in tables:
        assert table.partition("\n\n- ")[0] in shown[1]
