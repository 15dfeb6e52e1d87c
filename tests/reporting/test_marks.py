"""Which values of a table are marked: exactly the best, and nothing where there is nothing to compare."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reporting import render
from harness.reporting.numbers import number
from harness.reporting.table import VALID, Column, Table
from tests import results

BASE = ("sinewave", "mdn", "base")


@dataclass(frozen=True)
class Entry:
    """One row of a table with a single column."""

    value: float | None
    valid: float | None = 1.0
    baseline: bool = False
    status: str = "ok"

    @property
    def competes(self) -> bool:
        return self.value is not None and self.status == "ok" and (self.valid is None or self.valid >= VALID)


entries = st.builds(
    Entry,
    st.one_of(st.none(), st.sampled_from([0.0, 1e-3, 1.001e-3, 1.004e-3, 0.5, 0.51, 7.0])),
    st.sampled_from([None, 0.0, VALID - 1e-6, VALID, 1.0]),
    st.booleans(),
    st.sampled_from(["ok", "ok", "timeout", "1 of 3 seeds: timeout"]),
)


def marks(rows: list[Entry], floor: float = 0.0) -> list[str]:
    """How the values of rows are marked."""
    column = Column("error", lambda raw: number(raw["error"]), best="error", floor=floor)
    raws = [
        {"error": row.value, "valid": row.valid, "baseline": row.baseline, "status": row.status, "method": str(place)}
        for place, row in enumerate(rows)
    ]
    return [cells[0].mark for cells in Table("t", "T", {}, (column,), tuple(raws), ()).cells()]


@given(st.lists(entries, max_size=6))
def test_best_are_exactly_the_rows_that_read_as_the_least_of_all_that_compete(rows):
    competing = [row for row in rows if row.competes]
    for row, mark in zip(rows, marks(rows), strict=True):
        least = min((other.value for other in competing), default=0.0)
        best = row.competes and len(competing) > 1 and number(row.value) == number(least)
        assert (mark == "best") == best


@given(st.lists(entries, max_size=6))
def test_best_methods_are_exactly_the_best_that_learn_where_only_baselines_are_better(rows):
    competing = [row for row in rows if row.competes]
    learning = [row.value for row in competing if not row.baseline]
    for row, mark in zip(rows, marks(rows), strict=True):
        first = row.competes and not row.baseline and number(row.value) == number(min(learning))
        assert (mark == "best method") == (first and len(competing) > 1 and mark != "best")


@given(st.lists(entries, max_size=6))
def test_where_a_value_is_below_the_floor_it_is_set_back_and_nothing_is_best(rows):
    low = [row.value is not None and row.value < 1e-2 for row in rows]
    found = marks(rows, floor=1e-2)
    if any(low):
        assert found == ["below floor" if below else "" for below in low]
    else:
        assert found == marks(rows)


def test_nothing_is_best_where_nothing_is_valid():
    assert marks([Entry(1.0, 0.0), Entry(2.0, 0.0)]) == ["", ""]
    assert marks([Entry(1.0, 0.0), Entry(2.0, 1.0)]) == ["", ""], "a single row has no competition"
    assert marks([Entry(1.0, 0.0), Entry(2.0, VALID), Entry(3.0, 1.0)]) == ["", "best", ""]


@pytest.fixture
def mdn(ran):
    return results.load(ran)[BASE]


def shown(root, name="multi-target", **options) -> dict[str, list[str]]:
    """The cells of the first markdown table of a folder, by method."""
    text = render(name, root, published=False, **options)
    lines = [line for line in text.partition("\n- ")[0].splitlines() if line.startswith("| ")][1:]
    found = {}
    for line in lines:
        method, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        found[method] = cells
    return found


def write(root, mdn, **errors):
    """Records of methods with these errors, or errors and valid shares."""
    pairs = {name: error if isinstance(error, tuple) else (error, 1.0) for name, error in errors.items()}
    made = []
    for name, (error, valid) in pairs.items():
        groups = ("baselines",) if name == "prior" else ("paper",)
        made.append(results.erring(results.renamed(mdn, name, groups), error, valid))
    return results.write(root, *made)


def test_the_marks_are_bold_and_italic_in_markdown(mdn, tmp_path):
    rows = shown(write(tmp_path, mdn, inn=0.02, cinn=0.3, prior=0.01))
    assert [cell[:8] for cell in rows["prior"][:3]] == ["**0.0100", "**0.010*", "**0.010*"]
    assert [bool(re.match(r"\*[^*].*\*$", cell)) for cell in rows["inn"][:3]] == [True] * 3
    assert "*" not in "".join(rows["cinn"])


def test_values_that_read_the_same_are_all_bold(mdn, tmp_path):
    """The mean is shown with three digits, median and quantile with two."""
    rows = shown(write(tmp_path, mdn, inn=0.0200, cinn=0.02001, cvae=0.0203, tandem=0.5))
    bold = {name: [cell.startswith("**") for cell in cells[:3]] for name, cells in rows.items()}
    assert bold == {"inn": [True] * 3, "cinn": [True] * 3, "cvae": [False, True, True], "tandem": [False] * 3}


def test_the_other_columns_are_never_marked(mdn, tmp_path):
    for cells in shown(write(tmp_path, mdn, inn=0.02, cinn=0.3)).values():
        assert "*" not in "".join(cells[3:])


def test_a_method_with_less_than_half_of_its_designs_valid_is_never_bold(mdn, tmp_path):
    rows = shown(write(tmp_path, mdn, inn=(0.001, VALID - 0.01), cinn=0.3, cvae=0.4))
    assert "*" not in "".join(rows["inn"]) and rows["cinn"][0].startswith("**")
    nothing = shown(write(tmp_path / "none", mdn, inn=(0.1, 0.0), cinn=(0.2, 0.0)))
    assert "*" not in "".join(cell for cells in nothing.values() for cell in cells)


def test_a_single_row_is_not_called_best(mdn, tmp_path):
    assert "**" not in render("all", results.write(tmp_path, mdn), published=False)


def test_below_the_floor_of_the_forward_model_is_in_parentheses(mdn, tmp_path):
    root = write(tmp_path, mdn, inn=0.02, cinn=0.3)
    records = [
        results.variant(item, data=msgspec.structs.replace(item.data, floor={"sse": 0.05, "mse": 0.05, "nmse": 0.01}))
        for item in results.load(root).values()
    ]
    root = results.write(tmp_path / "floored", *records)
    rows = shown(root)
    assert rows["inn"][0].startswith("(0.0200 ") and rows["inn"][0].endswith(")")
    assert "*" not in "".join(rows["cinn"]) and "(" not in rows["cinn"][0]
    assert "- (in parentheses): below 0.050, the error of the forward model" in render("multi-target", root)
    assert "(0.0200 $" in render("multi-target", root, format="latex", published=False)
    assert "(in parentheses)" not in render("cost", root)


def test_latex_marks_the_best(mdn, tmp_path):
    text = render("multi-target", write(tmp_path, mdn, inn=0.02, cinn=0.3), format="latex", published=False)
    assert text.count(r"\textbf{") == 3
