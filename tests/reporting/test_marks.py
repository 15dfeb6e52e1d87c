"""Which values of a table are marked: exactly the best, and nothing where there is nothing to compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import by_target
from harness.metrics import METRICS
from harness.reporting import render
from harness.reporting.numbers import number
from harness.reporting.table import VALID, Column, Raw, Table
from harness.store import Store
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


def always(one: Raw, other: Raw) -> bool:
    """All rows can be told apart."""
    return True


def marks(rows: list[Entry], floor: float = 0.0, apart: Callable[[Raw, Raw], bool | None] = always) -> list[str]:
    """How the values of rows are marked."""
    column = Column("error", lambda raw: number(raw["error"]), best="error", floor=floor, apart=apart)
    raws = [
        {"error": row.value, "valid": row.valid, "baseline": row.baseline, "status": row.status, "method": str(place)}
        for place, row in enumerate(rows)
    ]
    return [cells[0].mark for cells in Table("t", "T", {}, (column,), tuple(raws), ()).cells()]


def within_a_factor(one: Raw, other: Raw) -> bool:
    """Rows are apart where one error is more than a tenth larger than the other."""
    less, more = sorted((one["error"], other["error"]))
    return more > 1.1 * less


@given(st.lists(entries, max_size=6), st.sampled_from([always, within_a_factor]))
def test_a_value_is_best_where_all_others_that_compete_are_told_apart_from_it(rows, apart):
    competing = [row for row in rows if row.competes]
    least = min((other.value for other in competing), default=0.0)
    near = least if apart is always else 1.1 * least
    leaders = [row for row in competing if number(row.value) == number(least) or row.value <= near]
    for row, mark in zip(rows, marks(rows, apart=apart), strict=True):
        first = len(competing) > 1 and any(row is leader for leader in leaders)
        assert (mark in ("best", "tied")) == first
        assert (mark == "best") == (first and len(leaders) == 1)


@given(st.lists(entries, max_size=6), st.sampled_from([always, within_a_factor]))
def test_methods_are_compared_among_themselves_where_baselines_alone_are_best(rows, apart):
    found = marks(rows, apart=apart)
    leading = [row for row, mark in zip(rows, found, strict=True) if mark in ("best", "tied")]
    learning = [row.value for row in rows if row.competes and not row.baseline]
    for row, mark in zip(rows, found, strict=True):
        alone = leading and all(leader.baseline for leader in leading)
        if not alone or not row.competes or row.baseline:
            assert not mark.endswith("method")
        elif number(row.value) == number(min(learning)):
            assert mark.endswith("method")
        else:
            assert (mark == "tied method") == (bool(apart) and row.value <= 1.1 * min(learning))


@given(st.lists(entries, max_size=6))
def test_nothing_is_best_where_it_is_not_known_what_can_be_told_apart(rows):
    values = {number(row.value) for row in rows if row.competes}
    if len(values) > 1 and len([row for row in rows if row.competes]) == len(values):
        assert not {"best", "tied"} & {*marks(rows, apart=lambda one, other: None)}


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


def write(root, mdn, noisy=(), **errors):
    """Records of methods with these errors, or errors and valid shares; of each target a random multiple of them.

    The multiples are the same for all but the `noisy` methods, which have some of their own.
    """
    pairs = {name: error if isinstance(error, tuple) else (error, 1.0) for name, error in errors.items()}
    made = []
    for name, (error, valid) in pairs.items():
        groups = ("baselines",) if name == "prior" else ("paper",)
        made.append(results.erring(results.renamed(mdn, name, groups), error, valid))
    results.write(root, *made)
    for record, (name, (error, _)) in zip(made, pairs.items(), strict=True):
        generator = np.random.default_rng([*name.encode()] if name in noisy else 0)
        multiples = np.exp(generator.normal(size=20))
        each = {metric: error * multiples / multiples.mean() for metric in METRICS}
        by_target.write(Store(root).folder(record), "multi-target", each)
    return root


def test_the_marks_are_bold_and_italic_in_markdown(mdn, tmp_path):
    rows = shown(write(tmp_path, mdn, inn=0.02, cinn=0.3, prior=0.01))
    assert rows["prior"][0].startswith("**0.0100") and rows["inn"][0].startswith("*0.0200")
    assert "*" not in "".join(rows["cinn"])


def test_values_that_cannot_be_told_apart_on_the_same_targets_are_tied(mdn, tmp_path):
    """One method is a hundredth worse on every target, the other has errors of its own, by chance a little larger."""
    rows = shown(write(tmp_path / "a", mdn, inn=0.02, cinn=0.0202, cvae=0.5))
    assert rows["inn"][0].startswith("**0.0200") and "≈" not in rows["cinn"][0]
    rows = shown(write(tmp_path / "b", mdn, inn=0.02, cinn=0.0202, cvae=0.5, noisy=("cinn",)))
    assert [("≈" in rows[name][0], "*" in rows[name][0]) for name in ("inn", "cinn", "cvae")] == [
        (True, False),
        (True, False),
        (False, False),
    ]


def test_values_that_read_the_same_are_tied(mdn, tmp_path):
    rows = shown(write(tmp_path, mdn, inn=0.0200, cinn=0.02001, cvae=0.0203, tandem=0.5))
    tied = {name: "≈" in cells[0] for name, cells in rows.items()}
    assert tied == {"inn": True, "cinn": True, "cvae": False, "tandem": False}


def test_nothing_is_best_where_the_errors_of_the_targets_are_not_there(mdn, tmp_path):
    root = write(tmp_path, mdn, inn=0.02, cinn=0.3)
    for file in root.rglob("by-target-*"):
        file.unlink()
    assert not {"*", "≈"} & {*"".join(cell for cells in shown(root).values() for cell in cells)}


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
    assert text.count(r"\textbf{") == 1
    tied = render("multi-target", write(tmp_path / "tied", mdn, inn=0.02, cinn=0.02), format="latex", published=False)
    assert r"\textbf{" not in tied and tied.count(r" $\approx$") == 2 + tied.partition(r"\end{tabular}")[2].count(
        r"$\approx$"
    )


def test_a_column_that_nothing_tells_apart_has_no_best_and_keeps_its_floor():
    rows = [Entry(1e-3), Entry(0.5)]
    assert marks(rows, apart=lambda one, other: None) == ["", ""]
    column = Column("median", lambda raw: number(raw["median"]), floor=0.1, value="median")
    raws = ({"median": 1e-3, "status": "ok"}, {"median": 0.5, "status": "ok"}, {"median": None, "status": "ok"})
    cells = Table("t", "T", {}, (column,), raws, ()).cells()
    assert [row[0].mark for row in cells] == ["below floor", "", ""]


def test_errors_of_other_values_than_those_shown_decide_nothing(mdn, tmp_path):
    """The targets' errors say the contrary of the means: they belong to other answers."""
    root = write(tmp_path, mdn, inn=0.02, cinn=0.3)
    folders = {record.label.method: Store(root).folder(record) for record in Store(root).records()}
    each = {name: by_target.read(folder, "multi-target") for name, folder in folders.items()}
    by_target.write(folders["inn"], "multi-target", each["cinn"])
    by_target.write(folders["cinn"], "multi-target", each["inn"])
    assert not {"*", "≈"} & {*"".join(cell for cells in shown(root).values() for cell in cells)}


@pytest.mark.parametrize("largest", [1.0, 1e3])
def test_a_mean_that_few_targets_make_is_said(mdn, tmp_path, largest):
    root = write(tmp_path, mdn, inn=0.02, cinn=0.3)
    for record in Store(root).records():
        errors = np.ones(200)
        errors[:2] = largest if record.label.method == "inn" else 1.0
        by_target.write(Store(root).folder(record), "multi-target", dict.fromkeys(METRICS, errors))
    text = render("multi-target", root, published=False)
    assert ("makes up more than half of the mean of inn: the" in text) == (largest > 1)
