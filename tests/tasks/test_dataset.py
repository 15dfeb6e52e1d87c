"""The user's own data: what is refused, what is kept apart, and what stands in for the forward model."""

from __future__ import annotations

import gzip
import math
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from textwrap import dedent

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay
from scipy.stats import gaussian_kde, ks_2samp
from torch import Generator

from harness import data, fitting
from harness.conformance import check_task
from harness.contracts import Kind
from harness.errors import UsageError
from harness.options import convert, identity, instantiate
from harness.priors import PRIORS, fold
from harness.selection import parse
from harness.settings import DataSettings, Schedule
from methods.baselines import Lookup
from methods.kernel import Kernel
from tasks.dataset import DatasetOptions, DatasetTask
from tasks.dataset import proxy as proxies
from tasks.dataset.columns import axis_of, choose
from tasks.dataset.proxy import held_out_error
from tasks.dataset.reading import PARQUET
from tasks.dataset.rows import Rows
from tasks.dataset.training import Training, train

ROOT = Path(__file__).parents[2]
NAMES = ["a", "b", "c", "r1", "r2", "height [nm]", "a+b", "t:1", "gap"]


class Quick(DatasetTask):
    """With a proxy that takes a second."""

    training = Training(steps=400)


class Hasty(DatasetTask):
    """With a proxy that has not learned much."""

    training = Training(steps=30)


def table(n=200, seed=0, noise=0.0):
    """Three columns of x, and a gap that is 0 for about half of the rows."""
    random = np.random.default_rng(seed)
    a, b, c = random.uniform(-1, 1, (3, n))
    gap = np.maximum(0, np.sin(2 * a) + b * c) + noise * random.standard_normal(n)
    return pd.DataFrame({"a": a, "b": b, "c": c, "gap": gap})


def written(folder, frame, name="pairs.csv"):
    frame.to_csv(folder / name, index=False)
    return str(folder / name)


def build(path, task=Quick, x="a:c", y="gap", **options):
    return task(DatasetOptions(path=str(path), x=x, y=y, **options))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("INVERSE_HARNESS_CACHE", str(folder))
    return folder


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """A task whose proxy is trained."""
    folder = tmp_path_factory.mktemp("dataset")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INVERSE_HARNESS_CACHE", str(folder))
        built = build(written(folder, table(400)))
        assert built.floor
    return built


# Columns


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("a", ["a"]),
        ("a:c", ["a", "b", "c"]),
        ("r*", ["r1", "r2"]),
        ("gap+a:b", ["gap", "a", "b"]),
        ("a + a:b + b", ["a", "b"]),
        ("c:r2", ["c", "r1", "r2"]),
        ("b:height*", ["b", "c", "r1", "r2", "height [nm]"]),
        ("height ?nm?", ["height [nm]"]),
        ("height [nm]", ["height [nm]"]),
        ("a+b", ["a+b"]),
        ("a?b+t:1", ["a+b", "t:1"]),
        ("*", NAMES),
    ],
)
def test_columns_by_name_range_and_pattern(text, chosen):
    assert choose(text, NAMES, "x") == chosen


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gab", "Unknown column for x 'gab'. Did you mean gap"),
        ("a:gapp", "Unknown column for x 'gapp'. Did you mean gap"),
        ("z*", "Unknown column for x 'z*'. Allowed: a, a+b,"),
        ("gap:a", "x=gap:a is empty: 'gap' comes after 'a'. Write a:gap."),
        ("r*:gap", "The end 'r*' of a range of x stands for 'r1' and 'r2'."),
        ("a:b:c", "x=a:b:c is not a range"),
        ("a+", "Unknown column for x ''"),
        ("x*", "Write x=NAME, x=FIRST:LAST or x=PREFIX*."),
    ],
)
def test_columns_that_are_none(text, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        choose(text, NAMES, "x")


def test_of_very_many_columns_the_first_and_the_last_are_named():
    with pytest.raises(UsageError, match="The file has 1000 columns, from 'p0' to 'p999'") as caught:
        choose("q", [f"p{i}" for i in range(1000)], "x")
    assert len(str(caught.value)) < 120


def test_the_syntax_passes_through_a_selection():
    name, given = parse("dataset[path=my data/pairs.csv,x=a:f+r*+height ?nm?,y=gap+T*,target=-1e+3+0.5,batch=10]")
    assert name == "dataset"
    assert convert(DatasetOptions, given, name) == {
        "path": "my data/pairs.csv",
        "x": "a:f+r*+height ?nm?",
        "y": "gap+T*",
        "target": "-1e+3+0.5",
        "batch": 10,
    }


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"limit": -1.0}, {"workers": 0}, {"cost": -1.0}])
def test_options_out_of_range(wrong):
    with pytest.raises(
        UsageError, match=r"dataset\.\w+ = -?\d\S* is not allowed. Allowed: (1 or more|0 or more|more than 0)"
    ):
        instantiate(DatasetOptions, wrong, "dataset")


# Files


def test_csv_parquet_and_npz_hold_the_same(tmp_path):
    frame = table()
    frame.to_csv(tmp_path / "p.csv", index=False)
    frame.to_parquet(tmp_path / "p.parquet")
    np.savez(tmp_path / "p.npz", **{name: frame[name].to_numpy() for name in frame})
    np.savez(tmp_path / "arrays.npz", x=frame[["a", "b", "c"]].to_numpy(), y=frame[["gap"]].to_numpy())
    tasks = [build(tmp_path / f"p.{kind}") for kind in ("csv", "parquet", "npz")]
    tasks.append(Quick(DatasetOptions(path=str(tmp_path / "arrays.npz"))))
    assert tasks[3].x_labels == ("x1", "x2", "x3") and tasks[3].y_labels == ("y",)
    for other in tasks[1:]:
        torch.testing.assert_close(other.rows.x, tasks[0].rows.x, rtol=1e-15, atol=0)
        torch.testing.assert_close(other.rows.y, tasks[0].rows.y, rtol=1e-15, atol=0)


def test_parquet_without_its_library(tmp_path, monkeypatch):
    table().to_parquet(tmp_path / "p.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=re.escape(PARQUET)):
        build(tmp_path / "p.parquet")


def lines(*rows):
    return "a,b,c,gap\n" + "".join(f"{row}\n" for row in rows)


GOOD = [f"{i},{i * i % 97},{i % 7},{i % 5}" for i in range(150)]
LAST = [row.rpartition(",")[0] for row in GOOD]
BAD = {
    "missing": (
        lines(*GOOD[:3], "1,,3,4", *GOOD[3:], "1,2,3,"),
        r"2 cells \(2 of 152 rows\); the first is empty, in row 4 .*'b'",
    ),
    "text": (lines(*GOOD, "1,2,n/a,4"), r"1 cell \(1 of 151 rows\); the first is 'n/a', in row 151 .*column 'c'"),
    "infinite": (lines("1,2,3,inf", *GOOD), r"the first is 'inf', in row 1 .*column 'gap'"),
    "constant": (lines(*(f"{row},0.5" for row in LAST)), r"column 'gap' of .* never changes \(it is 0.5 in every row"),
    "constants": (
        "a,b,c,gap\n" + "".join(f"{i},288,0.998,{i % 5}\n" for i in range(150)),
        r"columns 'b', 'c' of .* never change \(they are 288, 0.998 in every row\).* from them. Leave them out",
    ),
    "equal": (
        lines(*(f"{i},{i},{i % 7},{i % 5}" for i in range(150))),
        r"columns 'a' and 'b' of .* are equal in",
    ),
    "leaking": (lines(*(f"{i},{i % 7},{i % 5},{i}" for i in range(150))), r"columns 'a' and 'gap' of .* are equal"),
    "few": (lines(*GOOD[:99]), r"has 99 different designs, .*Allowed: 100 or more, 50 in the half that trains"),
    "repeated": (lines(*GOOD[:50] * 4), r"has 50 different designs"),
    "no rows": (lines(), r"has no rows"),
    "nothing": ("", r"has no names of columns. Let its first line name them"),
    "no names": ("\n".join(GOOD), r"first line of .* holds numbers only: 0, \.\.\. Put a line of names"),
    "twice a name": ("a,b,c,a,gap\n" + "\n".join(f"{row},1" for row in GOOD), r"several columns named 'a'"),
    "decimal commas": (
        "a;b;c;gap\n" + "".join(f"0,{i};1,{i % 7};2,{i % 5};3,{i % 3}\n" for i in range(150)),
        r"the first is '0,0', in row 1 .*column 'a'. Write decimal=comma",
    ),
    "thousands": (lines(*GOOD, '1,2,"3,000",4'), r"is '3,000', .*decimal=comma .* thousands must not be separated"),
    "one column": ("gap\n1\n2\n", r"single column 'gap', .* Allowed between columns: commas, semicolons, tabs or"),
    "bars": (
        lines(*GOOD).replace(",", "|"),
        r"single column 'a\|b\|c\|gap', .* Write sep=comma, sep=semicolon, sep=tab",
    ),
    "remarks only": ("# a\n# b\n", r"has no names of columns"),
    "long row": (
        "# b\n" + lines(*GOOD[:9], "# c", "1,2,3,4,5,6", *GOOD[9:]),
        r"Line 13 of .* has 6 values between commas, but there are 4 columns. Correct that line",
    ),
    "names too few": (
        lines(*(f"{i},{row}" for i, row in enumerate(GOOD))),
        r"names 4 columns, but its first row has 5",
    ),
    "open quote": (lines(*GOOD, '1,2,3,"4'), r"cannot be read: .*EOF .* Correct it, or save the table anew as CSV"),
    "texts": (lines(*(f"{row},steel" for row in LAST)), r"is 'steel', .* make a column of 0 and 1 for each of its"),
    "Latin-1": (
        "a,b,c,µ\n1,2,3,4\n".encode("latin-1"),
        r"line 1 has the byte 0xb5, which is 'µ' .* -f LATIN1 -t UTF-8",
    ),
    "UTF-16": (lines(*GOOD).encode("utf-16"), r"is not UTF-8; it looks like UTF-16. Save it as UTF-8"),
    "UTF-16 without a mark": (lines(*GOOD).encode("utf-16-le"), r"is not UTF-8; it looks like UTF-16. Save it as"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_bad_data_is_refused_before_anything_runs(tmp_path, content, message):
    path = tmp_path / "pairs.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=message) as caught:
        build(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_column_without_a_number_is_said_to_be_empty(tmp_path):
    path = written(tmp_path, table().assign(gap=np.nan, other=lambda frame: frame.a + frame.b))
    with pytest.raises(UsageError, match=r"column 'gap' of .* never changes \(it is empty in every row"):
        build(path, y="gap:other", missing="keep")


def test_files_that_are_none(tmp_path):
    written(tmp_path, table())
    with pytest.raises(UsageError, match=r"Unknown data file '.*pars.csv'. Did you mean .*pairs.csv"):
        build(tmp_path / "pars.csv")
    with pytest.raises(
        UsageError, match=r"Unknown kind of data file '.xlsx'. .*Allowed: .csv, .csv.gz, .* Save the table as CSV"
    ):
        build(tmp_path / "pairs.xlsx")
    for name, remedy in (("broken.npz", "numpy.savez"), ("broken.parquet", "DataFrame.to_parquet")):
        (tmp_path / name).write_bytes(b"PK")
        with pytest.raises(UsageError, match=rf"{name} cannot be read: .*Write it anew.* {remedy}"):
            build(tmp_path / name)
    np.savez(tmp_path / "objects.npz", x=np.array([None, 1.0]))
    with pytest.raises(UsageError, match=r"cannot be read: .* Write it anew with numpy.savez.* arrays of numbers"):
        build(tmp_path / "objects.npz")
    with pytest.raises(UsageError, match=r"Write dataset\[path=pairs.csv"):
        DatasetTask()


def test_remarks_are_skipped(tmp_path):
    (tmp_path / "plain.csv").write_text(lines(*GOOD))
    marked = "{0} made by a solver\n{0} units: nm, eV\n" + lines(*GOOD[:9], "{0} 1,2", *GOOD[9:])
    (tmp_path / "remarks.csv").write_text(marked.format("#"))
    (tmp_path / "percent.csv").write_text(marked.format("%%"))
    plain, remarks = (build(tmp_path / f"{name}.csv") for name in ("plain", "remarks"))
    for other in (remarks, build(tmp_path / "percent.csv", comment="%%")):
        assert other.x_labels == plain.x_labels and torch.equal(other.rows.x, plain.rows.x)
    with pytest.raises(UsageError, match="the single column '# made by a solver'"):
        build(tmp_path / "remarks.csv", comment=None)


EXACT = (table() * 64).round() / 64  # numbers that have the same decimals however they are written

WRITTEN = {
    "pairs.tsv": (lambda frame: frame.to_csv(sep="\t", index=False), {}),
    "tabs.csv": (lambda frame: frame.to_csv(sep="\t", index=False), {"sep": "tab"}),
    "semicolons.csv": (lambda frame: frame.to_csv(sep=";", index=False), {}),
    "german.csv": (lambda frame: frame.to_csv(sep=";", decimal=",", index=False), {"decimal": "comma"}),
    "german.tsv": (lambda frame: frame.to_csv(sep="\t", decimal=",", index=False), {"decimal": "comma"}),
    "pairs.txt": (lambda frame: frame.to_string(index=False), {}),
    "pairs.dat": (lambda frame: frame.to_string(index=False).replace(" ", "\t "), {"sep": "space"}),
    "marked.csv": (lambda frame: "\ufeff" + frame.to_csv(index=False), {}),
    "dos.csv": (lambda frame: frame.to_csv(index=False, lineterminator="\r\n"), {}),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", WRITTEN)
def test_however_a_table_is_written_its_numbers_are_the_same(tmp_path, name, packed):
    write, options = WRITTEN[name]
    content = write(EXACT).encode()
    path = tmp_path / (name + ".gz" * packed)
    path.write_bytes(gzip.compress(content) if packed else content)
    built, plain = build(path, **options), build(written(tmp_path, EXACT, "plain.csv"))
    assert torch.equal(built.rows.x, plain.rows.x) and torch.equal(built.rows.y, plain.rows.y)


def test_decimal_commas_cannot_stand_between_commas(tmp_path):
    path = written(tmp_path, EXACT)
    with pytest.raises(UsageError, match=r"sep=comma and decimal=comma exclude each other .* Write another sep"):
        build(path, decimal="comma", sep="comma")
    (tmp_path / "german.csv").write_text(EXACT.to_csv(sep=";", decimal=",", index=False).replace("0,5;", "0.5;"))
    with pytest.raises(UsageError, match=r"is '-?0\.5', .* Write decimal=point if its decimal sign is a point"):
        build(tmp_path / "german.csv", decimal="comma")


def test_a_packed_file_that_is_none(tmp_path):
    (tmp_path / "pairs.csv.gz").write_bytes(gzip.compress(lines(*GOOD).encode())[:-20])
    with pytest.raises(UsageError, match=r"is no whole gzip file \(.*\)\. Pack it anew with `gzip FILE`"):
        build(tmp_path / "pairs.csv.gz")
    (tmp_path / "other.csv.gz").write_text(lines(*GOOD))
    with pytest.raises(UsageError, match=r"is no whole gzip file \(Not a gzipped file"):
        build(tmp_path / "other.csv.gz")


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz"])
def test_rows_without_a_number_are_left_out_where_that_is_asked_for(tmp_path, kind):
    frame, path = table(), tmp_path / f"pairs.{kind}"
    holes = frame.assign(note="none")
    holes.loc[[3, 50], "b"] = holes.loc[[7], "gap"] = np.nan
    if kind == "npz":
        np.savez(path, **{name: holes[name].to_numpy() for name in frame})
    else:
        holes.to_csv(path, index=False, na_rep="n/a") if kind == "csv" else holes.to_parquet(path)
    with pytest.raises(
        UsageError, match=r"3 cells \(3 of 200 rows\); .*in row 4 .* or write missing=drop to leave out"
    ):
        build(path)
    built = build(path, missing="drop", target="row:9")
    kept = build(written(tmp_path, frame.drop([3, 7, 50]), "kept.csv"))
    assert torch.equal(built.rows.x, kept.rows.x) and torch.equal(built.rows.y, kept.rows.y)
    assert built.fixed_target == (frame["gap"][8],)
    assert "Left out are 3 more rows without a number in a cell" in list(built.description.lines())[1]
    with pytest.raises(UsageError, match=r"target=row:8 is a row in which a number is missing. Write another row"):
        build(path, missing="drop", target="row:8")


def spoilt(tmp_path, share=0.3):
    """Pairs with two y of which some are missing; the file, and the table with NaN in place of them."""
    random = np.random.default_rng(0)
    x = random.random((600, 2))
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "u": x.sum(1), "v": x[:, 0] - 2 * x[:, 1]})
    hidden = random.random((600, 2)) < share
    frame.loc[hidden[:, 0], "u"] = frame.loc[hidden[:, 1], "v"] = np.nan
    frame.loc[[0, 1], "a"] = np.nan
    frame.to_csv(tmp_path / "holes.csv", index=False, na_rep="NA")
    return tmp_path / "holes.csv", frame


def test_of_rows_that_lack_some_of_y_the_others_are_kept(tmp_path):
    path, frame = spoilt(tmp_path)
    built = build(path, x="a:b", y="u:v", missing="keep")
    left = frame.dropna(subset=["a", "b"]).dropna(subset=["u", "v"], how="all")
    assert len(built.rows) == len(left) < 600 and built.left_out == 600 - len(left)
    np.testing.assert_array_equal(built.rows.y.numpy(), left[["u", "v"]].to_numpy())
    lines = list(built.description.lines())
    assert f"Left out are {built.left_out} more rows without a number in a cell of x or in all of y" in lines[1]
    whole = int(built.own.y.isfinite().all(1).sum())
    assert f"{len(built.own) - whole} of the {len(built.own)} designs that methods learn from lack a number" in lines[2]
    assert math.isfinite(sum(built.fixed_target)) and math.isfinite(built.floor["nmse"])


def test_methods_learn_from_incomplete_rows_as_far_as_they_can(tmp_path):
    path, _ = spoilt(tmp_path)
    built = build(path, x="a:b", y="u:v", missing="keep")
    made = data.draw(built, DataSettings(targets=30))
    assert made.targets.y.isfinite().all() and made.known_y.isfinite().all() and made.y_variance.isfinite().all()
    some, whole = (
        fitting.lesson(built, made, budget=100, schedule=Schedule(), seed=0, method=method()).train
        for method in (Lookup, Kernel)
    )
    assert len(some.x) == len(made.train.x) > len(whole.x) > 80
    assert some.y.isnan().any() and whole.y.isfinite().all()
    asked = data.draw(built, DataSettings(targets=30, targets_from="validation"))
    assert asked.targets.y.isfinite().all()


def test_a_proxy_of_incomplete_rows_is_as_good_as_what_is_known_of_each_y(tmp_path):
    """Of two y that are never known together, it learns each from its rows; the error is that of the complete ones."""
    _, frame = spoilt(tmp_path)
    few = Training(steps=1500)
    kept, dropped = (Rows.of(*map(np.ascontiguousarray, parts)) for parts in _parts(frame))
    errors = [held_out_error(train(rows, few), dropped)["nmse"] for rows in (kept, dropped)]
    assert errors[0] < 2 * errors[1] and errors[0] < 1e-3
    apart = frame.dropna(subset=["a"]).copy()
    apart.loc[apart.index % 2 == 0, "u"] = apart.loc[apart.index % 2 == 1, "v"] = np.nan
    never = apart.dropna(subset=["u", "v"], how="all")
    rows = Rows.of(never[["a", "b"]].to_numpy(), never[["u", "v"]].to_numpy())
    assert not rows.complete.any() and held_out_error(train(rows, few), dropped)["nmse"] < 1e-2


def _parts(frame):
    kept = frame.dropna(subset=["a"]).dropna(subset=["u", "v"], how="all")
    return [(rows[["a", "b"]].to_numpy(), rows[["u", "v"]].to_numpy()) for rows in (kept, kept.dropna())]


def test_repeated_designs_have_the_mean_of_the_y_that_are_known():
    x = np.array([[1.0], [2.0], [1.0], [1.0], [2.0]])
    y = np.array([[np.nan, 5.0], [3.0, np.nan], [4.0, 7.0], [6.0, np.nan], [3.0, np.nan]])
    rows = Rows.of(x, y)
    np.testing.assert_array_equal(rows.y.numpy(), [[5.0, 6.0], [3.0, np.nan]])
    assert rows.repeated == 3 and rows.complete.tolist() == [True, False]


def test_too_few_complete_rows_are_told_apart_from_too_few_rows(tmp_path):
    path, _ = spoilt(tmp_path, share=0.8)
    with pytest.raises(UsageError, match=r"different designs, but only \d+ without an empty cell in y.*Allowed: 100"):
        build(path, x="a:b", y="u:v", missing="keep")


def test_only_what_says_that_there_is_no_value_is_left_out(tmp_path):
    (tmp_path / "pairs.csv").write_text(lines(*GOOD, "1,NA,3,4", "1,2,fail,4"))
    with pytest.raises(
        UsageError, match=r"1 cell \(1 of 151 rows\); the first is 'fail', in row 152 .* Correct such rows"
    ):
        build(tmp_path / "pairs.csv", missing="drop")
    (tmp_path / "empty.csv").write_text(lines(*(f"{row}," for row in LAST)))
    with pytest.raises(UsageError, match=r"Every row of .* Leave out the columns that have many"):
        build(tmp_path / "empty.csv", missing="drop")


def test_how_a_file_is_read_is_part_of_what_it_is(tmp_path):
    path = written(tmp_path, table())
    plain = build(path).fingerprint
    others = [build(path, **{name: value}).fingerprint for name, value in (("missing", "drop"), ("comment", "%"))]
    assert len({plain, *others}) == 3 and build(path, sep="auto", decimal="point").fingerprint == plain


@pytest.mark.parametrize("row", range(0, 400, 80))
def test_a_column_that_hardly_varies_is_reported_wherever_its_other_rows_are(tmp_path, row):
    frame = table(400).assign(c=0.1)
    frame.loc[row, "c"] = 3.0
    (line,) = (line for line in build(written(tmp_path, frame)).description.lines() if line.startswith("Warning"))
    assert "c is 0.1 in all but 1 of 400 designs" in line and "Leave c out, or give more rows" in line


def test_a_column_that_varies_enough_is_not_reported(tmp_path):
    frame = table(400).assign(c=lambda frame: (frame.index < 10).astype(float))
    assert not any(line.startswith("Warning") for line in build(written(tmp_path, frame)).description.lines())


def test_arrays_that_stand_on_their_side(tmp_path):
    np.savez(tmp_path / "p.npz", x=np.zeros((3, 120)), y=np.zeros(120))
    with pytest.raises(UsageError, match=r"x \(3, 120\), y \(120,\)\. A row is one pair \(x, y\), so transpose x\.$"):
        build(tmp_path / "p.npz")


def test_arrays_that_are_no_rows(tmp_path):
    np.savez(tmp_path / "p.npz", x=np.zeros((4, 2)), y=np.zeros(3))
    with pytest.raises(UsageError, match=r"different numbers of rows"):
        build(tmp_path / "p.npz")
    np.savez(tmp_path / "p.npz", x=np.zeros((4, 2, 2)))
    with pytest.raises(UsageError, match=r"'x' .* has shape \(4, 2, 2\)"):
        build(tmp_path / "p.npz")


def test_x_and_y_must_not_overlap(tmp_path):
    with pytest.raises(UsageError, match=r"The column 'c' of .* would be in x and in y"):
        build(written(tmp_path, table()), x="a:c", y="c:gap")


# Rows


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)), min_size=4, max_size=200), st.integers(0, 9))
def test_a_design_is_on_one_side_of_every_split(pairs, seed):
    x, y = (np.array(column, float)[:, None] for column in zip(*pairs, strict=True))
    rows = Rows.of(x, y)
    first, second = ({tuple(row) for row in half.x.tolist()} for half in rows.halves(seed))
    assert not first & second and first | second == {tuple(row) for row in x.tolist()}
    assert rows.repeated == len(x) - len(first | second)
    for design, target in zip(rows.x, rows.y, strict=True):
        assert target.item() == pytest.approx(y[x[:, 0] == design.item()].mean())


def test_repeated_rows_are_counted_and_leak_nowhere(tmp_path):
    frame = table(300)
    repeated = pd.concat([frame, frame[:200], frame[:100]])
    built = build(written(tmp_path, repeated.sample(frac=1, random_state=0)), Hasty)
    assert "300 rows repeat the design of another" in built.report[1] and "differ by 0 " in built.report[1]
    dataset = data.draw(built, DataSettings(targets=10))
    parts = [{tuple(row) for row in part.tolist()} for part in (built.known.x, dataset.train.x, dataset.valid.x)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 300
    assert built.n_train == 150 == len(dataset.train.x) + len(dataset.valid.x)


def test_rows_that_agree_keep_their_y_exactly():
    x, y = np.zeros((3, 1)), np.full((3, 1), 0.1)
    rows = Rows.of(np.concatenate([x, x + 1]), np.concatenate([y, [[1], [2], [6]]]))
    assert rows.y.tolist() == [[0.1], [3]] and rows.scatter == pytest.approx(14 / 4)


def test_masses_and_the_middle_row(task):
    (mass,) = task.rows.masses()
    share = float((task.rows.y == 0).double().mean())
    assert (mass.column, mass.value, mass.share) == (0, 0.0, share) and share > 0.3
    assert any(f"gap is exactly 0 for {share:.0%} of the designs" in line for line in task.report)
    positive = task.rows.y[task.rows.y > 0]
    assert task.fixed_target == (positive.median().item(),)


@pytest.mark.parametrize(("text", "expected"), [("0.5", (0.5,)), ("1e+3", (1000.0,)), ("row:7", None)])
def test_the_target_that_is_asked_for(tmp_path, text, expected):
    path = written(tmp_path, table())
    read = tuple(pd.read_csv(path)[["gap"]].iloc[6])
    assert build(path, target=text).fixed_target == (expected or read)


@pytest.mark.parametrize("text", ["high", "1+2", "nan", "row:0", "row:201"])
def test_a_target_that_is_none(tmp_path, text):
    with pytest.raises(UsageError, match=r"target=.* Allowed: .*row:1 to row:200"):
        build(written(tmp_path, table()), target=text)


def test_a_target_that_the_data_do_not_reach_is_reported(tmp_path):
    frame = table().assign(**{f"z{i}": table(seed=i)["gap"] for i in range(5)})
    path = written(tmp_path, frame)
    warned = [line for line in build(path, target="100").description.lines() if line.startswith("Warning")]
    assert len(warned) == 1 and re.search(r"y\* = 100 of gap lies outside the data, whose gap is 0 to", warned[0])
    assert not any("Warning" in line for line in build(path, target="0.5").description.lines())
    outside = build(path, y="z*", target="-1+9+-1+9+9")
    many = [line for line in outside.description.lines() if line.startswith("Warning")]
    assert len(many) == 4 and "2 more columns" in many[-1]


def test_many_numbered_columns_are_a_curve():
    names = [f"T {value}" for value in np.linspace(0.5, 5, 10)]
    assert axis_of(names) == ("T", tuple(np.linspace(0.5, 5, 10)))
    assert axis_of(names[:9]) is None and axis_of([*names[:9], "S 9"]) is None and axis_of([*names, "T 1"]) is None


# Kinds


def months(n=400):
    """A month 1 to 12, one material of three, and a thickness."""
    random = np.random.default_rng(0)
    month, material, a = random.integers(1, 13, n), random.integers(3, size=n), random.uniform(0, 1, n)
    hot = {name: (material == place).astype(int) for place, name in enumerate(("iron", "zinc", "lead"))}
    return pd.DataFrame({"month": month, **hot, "a": a, "gap": month * a + material})


MONTHS = """
    import csv, sys

    header, *rows = csv.reader(sys.stdin)
    for month, iron, zinc, lead, a in rows:
        print(int(month) * float(a) + [int(iron), int(zinc), int(lead)].index(1))
"""


def built_of_months(folder, **options):
    return build(written(folder, months()), x="month:a", **options)


@pytest.mark.parametrize("prior", PRIORS)
def test_a_simulator_that_refuses_fractions_is_given_whole_numbers_and_choices(tmp_path, prior):
    (tmp_path / "months.py").write_text(dedent(MONTHS))
    built = built_of_months(tmp_path, simulator=f"{sys.executable} {tmp_path / 'months.py'}", workers=1, prior=prior)
    assert built.kinds == (Kind("integer"), Kind("categorical", 3), Kind("continuous"))
    assert [str(finding) for finding in check_task(built) if not finding.ok] == []
    x = built.sample_prior(2000, Generator().manual_seed(0))
    counts = x[:, 0].unique(return_counts=True)
    assert counts[0].tolist() == list(range(1, 13)) and counts[1].min() > 60
    assert len(x[:, 1:4].unique(dim=0)) == 3 and len(x[:, 4].unique()) == 2000
    assert built.draw(50, Generator().manual_seed(1)).y.isfinite().all()
    assert "whole numbers in month, one choice among iron, zinc, lead (kinds=auto)" in "".join(built.report)


def test_kinds_that_are_named(tmp_path):
    assert built_of_months(tmp_path, kinds="continuous").kinds == (Kind("continuous", 5),)
    assert built_of_months(tmp_path, kinds="month").kinds == (Kind("integer"), Kind("continuous", 4))
    hot = (Kind("integer"), Kind("categorical", 3), Kind("continuous"))
    assert built_of_months(tmp_path, kinds="month:lead").kinds == hot
    assert built_of_months(tmp_path, kinds="iron:zinc").kinds == (
        Kind("continuous"),
        Kind("integer", 2),
        Kind("continuous", 2),
    )
    with pytest.raises(UsageError, match=r"kinds=a: the column 'a' has 0\.\d+, which is no whole number"):
        built_of_months(tmp_path, kinds="a")
    with pytest.raises(UsageError, match="Unknown column for kinds 'year'"):
        built_of_months(tmp_path, kinds="year")


def test_real_numbers_are_continuous(task):
    assert task.kinds == (Kind("continuous", 3),)
    assert not any("kinds=" in line for line in task.report)


# Priors


@pytest.mark.parametrize("name", PRIORS)
def test_draws_stay_in_the_box_and_keep_to_their_seed(name):
    rows = torch.randn(80, 5, dtype=torch.float64, generator=Generator().manual_seed(0))
    draws, again = (PRIORS[name](rows)(500, Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(draws, again) and draws.dtype == torch.float64
    assert (draws >= rows.min(0).values).all() and (draws <= rows.max(0).values).all()
    assert PRIORS[name](rows)(0, Generator()).shape == (0, 5)


def test_hull_draws_are_in_the_hull_and_fill_it():
    rows = torch.rand(200, 2, dtype=torch.float64, generator=Generator().manual_seed(0)) ** 2
    draws = PRIORS["hull"](rows)(4000, Generator().manual_seed(1))
    assert (Delaunay(rows.numpy()).find_simplex(draws.numpy()) >= 0).all()
    assert torch.cdist(rows, draws).min(1).values.max() < 0.2
    ring = rows - rows.mean(0)
    ring = ring / ring.norm(dim=1, keepdim=True)
    assert PRIORS["hull"](ring)(4000, Generator().manual_seed(1)).norm(dim=1).min() > 0.8  # not across the hole


def test_the_density_is_the_fitted_one_with_the_moments_of_the_rows():
    rows = torch.randn(400, 2, dtype=torch.float64, generator=Generator().manual_seed(0)) @ torch.tensor(
        [[2.0, 1.0], [0.0, 0.1]], dtype=torch.float64
    )
    draws = PRIORS["density"](rows)(20_000, Generator().manual_seed(1))
    torch.testing.assert_close(draws.mean(0), rows.mean(0), rtol=0, atol=0.05)
    torch.testing.assert_close(torch.cov(draws.T), torch.cov(rows.T), rtol=0.05, atol=0.01)
    fitted = gaussian_kde(rows.T.numpy())
    theirs = fitted.resample(20_000, seed=0).T
    moved = rows.mean(0).numpy() + (theirs - rows.mean(0).numpy()) / np.sqrt(1 + fitted.factor**2)
    assert all(ks_2samp(draws[:, i].numpy(), moved[:, i]).statistic < 0.02 for i in range(2))


def test_columns_that_depend_on_each_other_have_a_density():
    one = torch.rand(100, 1, dtype=torch.float64, generator=Generator().manual_seed(0))
    draws = PRIORS["density"](torch.cat([one, 2 * one], 1))(100, Generator().manual_seed(1))
    torch.testing.assert_close(draws[:, 1], 2 * draws[:, 0])


@given(st.floats(-50, 50), st.floats(-3, 3), st.floats(0.1, 5))
def test_folding_reflects_at_both_sides(value, low, width):
    x, a, b = (torch.tensor([number], dtype=torch.float64) for number in (value, low, low + width))
    folded = fold(x, a, b)
    assert a <= folded <= b
    for image in (2 * a - x, 2 * b - x, x + 2 * (b - a)):
        torch.testing.assert_close(fold(image, a, b), folded, rtol=0, atol=1e-9)
    if a <= x <= b:
        torch.testing.assert_close(folded, x, rtol=0, atol=1e-9)


# The proxy


@pytest.mark.parametrize("prior", PRIORS)
def test_conforms(tmp_path, task, monkeypatch, prior):
    monkeypatch.setenv("INVERSE_HARNESS_CACHE", str(task.path.parent))
    built = build(task.path, prior=prior)
    assert [str(finding) for finding in check_task(built) if not finding.ok] == []


def test_what_the_file_says_of_the_task(task):
    assert (task.x_dim, task.y_dim, task.n_train) == (3, 1, 200)
    assert task.x_labels == ("a", "b", "c") and task.y_labels == ("gap",)
    assert torch.equal(task.bounds, torch.stack([task.rows.x.min(0).values, task.rows.x.max(0).values]))
    assert DatasetTask.n_train == 10_000 and not hasattr(DatasetTask, "x_dim")


def test_the_floor_is_the_error_on_the_rows_of_the_methods(task):
    error = (task.simulate(task.own.x) - task.own.y).square()
    assert task.floor["mse"] == task.floor["sse"] == pytest.approx(error.mean().item())
    assert task.floor["nmse"] == pytest.approx((error.mean() / task.own.y.var()).item())
    assert task.floor["nmse"] < 0.02
    assert f"nmse {task.floor['nmse']:.3g}" in task.report[-1]


def test_a_band_gap_of_zero_is_exactly_zero(task):
    y, zero = task.simulate(task.own.x), task.own.y == 0
    assert y.min() == 0
    assert (y[zero] == 0).double().mean() > 0.85 and (y[~zero] > 0).double().mean() > 0.9


def test_what_the_methods_have_does_not_touch_the_proxy(tmp_path, task):
    """Other y in their rows, and other rows of theirs altogether, leave the proxy as it is."""
    own = {tuple(row) for row in task.own.x.tolist()}
    frame = pd.read_csv(task.path)
    theirs = [tuple(row) in own for row in frame[["a", "b", "c"]].to_numpy().tolist()]
    frame.loc[theirs, "gap"] = np.arange(len(own)) / 100
    changed = build(written(tmp_path, frame))
    assert not torch.equal(changed.own.y, task.own.y)
    assert proxies.key(changed.known, changed.training) == proxies.key(task.known, task.training)


def test_outside_the_rows_nothing_is_known(task):
    low, high = task.bounds
    x = torch.stack([low, high, high + 1e-7, high + 1e-3, low * torch.nan, low - 1])
    assert task.in_support(x).tolist() == [True, True, True, False, False, False]
    assert task.simulate(x).isnan()[:, 0].tolist() == [False, False, False, True, True, True]
    assert task.simulate(x[:0]).shape == (0, 1)


def test_gradients(task):
    x = 0.9 * task.own.x[task.own.y[:, 0] > 0.2][:5]
    assert torch.autograd.gradcheck(task.simulate, (x.requires_grad_(),), eps=1e-6, atol=1e-6)
    spoilt = torch.cat([x.detach(), torch.full((1, 3), torch.nan), torch.full((1, 3), 7.0)]).requires_grad_()
    task.simulate(spoilt).nansum().backward()
    assert (spoilt.grad[5:] == 0).all() and spoilt.grad[:5].abs().sum() > 0


def test_disagreement_is_the_spread_of_the_networks(task):
    x = task.own.x[:10]
    each = torch.stack([task.truth.proxy.each(row[None])[:, 0] for row in x], 1)
    expected = (each - each.mean(0)).square().mean(0).mean(-1)
    torch.testing.assert_close(task.diagnose(x)["proxy_disagreement"], expected)


def test_a_proxy_is_trained_once_and_again_the_same_where_it_was_lost(tmp_path, cache, monkeypatch):
    path = written(tmp_path, table())
    first = build(path, Hasty)
    y = first.simulate(first.own.x)
    (stored,) = (cache / "dataset").glob("proxy-*.safetensors")
    content = stored.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(proxies, "train", None)
        assert torch.equal(build(path, Hasty).simulate(first.own.x), y)
    stored.write_bytes(content[:-1])
    with pytest.warns(UserWarning, match="damaged"):
        assert torch.equal(build(path, Hasty).simulate(first.own.x), y)
    assert stored.read_bytes() == content


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("INVERSE_HARNESS_CACHE", str(tmp_path / "file"))
    with pytest.raises(UsageError, match=r"cannot be used: .*INVERSE_HARNESS_CACHE"):
        build(written(tmp_path, table())).truth  # noqa: B018


SCRIPT = """
import sys
import time
from pathlib import Path
from tasks.dataset import DatasetOptions, DatasetTask, proxy
from tasks.dataset.training import Training, train

def train(rows, settings, train=proxy.train):
    Path(sys.argv[2]).mkdir()
    time.sleep(1)
    return train(rows, settings)

proxy.train, DatasetTask.training = train, Training(steps=30)
task = DatasetTask(DatasetOptions(path=sys.argv[1], x="a:c", y="gap"))
print(task.simulate(task.own.x).numpy().tobytes().hex())
"""


def test_of_two_processes_one_trains_and_both_have_the_same_proxy(tmp_path, cache):
    arguments = [sys.executable, "-W", "error", "-c", SCRIPT, written(tmp_path, table()), str(tmp_path / "trained")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    both = [subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert answers[0] == answers[1] and len(answers[0]) > 100 * 16
    assert (tmp_path / "trained").is_dir()


# Simulators

FUNCTION = """
    import os, time
    from pathlib import Path

    import numpy as np

    FOLDER = Path(__file__).parent

    def simulate(x):
        with (FOLDER / "calls").open("a") as calls:
            calls.write("".join(f"{row[0]!r}\\n" for row in x.tolist()))
        print("to standard output")
        return np.maximum(0, np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2])

    def fragile(x):
        if (x[:, 0] > 0.9).any():
            raise ArithmeticError("too long")
        y = simulate(x)
        y[x[:, 0] < -0.9] = np.nan
        return y[:, None]

    def stuck(x):
        if (x[:, 0] > 0.9).any():
            time.sleep(1000)
        return simulate(x)

    def dies(x):
        if (x[:, 0] > 0.9).any():
            print("last words", file=os.sys.stderr, flush=True)
            os._exit(3)
        return simulate(x)

    def meets(x):
        (FOLDER / f"here{os.getpid()}").touch()
        while x[0, 0] == 2 and len(list(FOLDER.glob("here*"))) < 2:
            time.sleep(0.01)
        return simulate(x)

    def wave(x):
        return np.exp(1j * x[:, 0])

    def flat(x):
        return np.zeros(3)

    def expires(x):
        if (FOLDER / "expired").exists():
            simulate(x)
            raise OSError("no licence")
        return fragile(x)

    def rows(x):
        if (x * 256 != np.round(x * 256)).any():
            simulate(x)
            raise ValueError("off the grid")
        return simulate(x)
"""
PROGRAM = """
    import csv, math, sys

    header, *rows = csv.reader(sys.stdin)
    assert header == ["a", "b", "c"], header
    with open(__file__ + ".calls", "a") as calls:
        calls.write("".join(f"{row[0]}\\n" for row in rows))
    print("gap")
    for a, b, c in (map(float, row) for row in rows):
        if a > 0.9:
            sys.exit("too long")
        print("nan" if a < -0.9 else repr(max(0.0, math.sin(2 * a) + b * c)))
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of an importable module with functions that simulate, in `tmp_path`."""
    name = f"simulators_{tmp_path.name.rpartition('_')[2]}_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(dedent(FUNCTION))
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(dedent(PROGRAM))
    return f"{sys.executable} {path}"


def designs(*first):
    return torch.tensor([[value, 0.5, 0.25] for value in first], dtype=torch.float64)


def gap(x):
    return (torch.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:]).clamp(min=0)


def test_a_function_is_the_forward_model_and_asked_once_for_a_design(tmp_path, module):
    path = written(tmp_path, table())
    built = build(path, simulator=f"{module}:simulate", workers=1)
    assert built.n_train == 200 and built.floor == {} and built.diagnose(designs(0.1)) == {}
    assert "answers 16 of 16 rows" in built.report[-1]
    x = torch.cat([designs(0.1, 0.2, 0.1), designs(0.2, 5.0), torch.full((1, 3), torch.nan)])
    torch.testing.assert_close(built.simulate(x)[:5], gap(x[:5]))
    assert built.simulate(x)[5].isnan().all()
    again = build(path, simulator=f"{module}:simulate", workers=1)
    assert torch.equal(again.simulate(x[:5]), built.simulate(x[:5])) and again.truth.simulator.asked == 0
    calls = (tmp_path / "calls").read_text().split()
    assert len(calls) == len(set(calls)) == 16 + 1 + 3


def test_a_program_is_the_forward_model_and_asked_once_for_a_design(tmp_path, program):
    frame = table()
    path = written(tmp_path, frame[frame["a"].abs() < 0.9])
    built = build(path, simulator=program, workers=1)
    x = designs(0.1, 1 / 3, -0.95, 0.1)
    y = built.simulate(x)
    torch.testing.assert_close(y[[0, 1, 3]], gap(x)[[0, 1, 3]], rtol=0, atol=1e-15)
    assert y[2].isnan().all()
    assert torch.equal(build(path, simulator=program).simulate(x).nan_to_num(nan=-1), y.nan_to_num(nan=-1))
    calls = (tmp_path / "program.py.calls").read_text().split()
    assert len(calls) == len(set(calls)) == 16 + 1 + 3


def test_both_kinds_of_simulators_conform(tmp_path, module, program):
    frame = table()
    path = written(tmp_path, frame[frame["a"].abs() < 0.9])
    for simulator in (f"{module}:simulate", program):
        built = build(path, simulator=simulator, workers=1, prior="hull")
        assert [str(finding) for finding in check_task(built) if not finding.ok] == []


@pytest.mark.parametrize(("kind", "words"), [("fragile", "ArithmeticError: too long"), ("dies", "last words")])
def test_a_design_fails_by_itself_and_the_reason_is_shown_once(tmp_path, module, kind, words):
    frame = table()
    built = build(written(tmp_path, frame[frame["a"].abs() < 0.9]), simulator=f"{module}:{kind}", workers=1)
    assert built.truth.answered == (16, 16)
    x = designs(0.1, 0.95, 0.2, 0.97, 0.3, -0.5)
    with pytest.warns(RuntimeWarning) as caught:
        y = built.simulate(x)
    assert y.isnan()[:, 0].tolist() == [False, True, False, True, False, False]
    torch.testing.assert_close(y[[0, 2, 4, 5]], gap(x)[[0, 2, 4, 5]])
    assert len(caught) == 1 and words in str(caught[0].message)


def test_a_simulator_that_stops_to_answer_is_given_up_after_a_few_designs(tmp_path, module):
    frame = table()
    path = written(tmp_path, frame[frame["a"].abs() < 0.9])
    built = build(path, simulator=f"{module}:expires", workers=2, batch=64)
    assert built.truth.answered == (16, 16)
    invalid = designs(*torch.linspace(0.91, 5, 300).tolist())
    with pytest.warns(RuntimeWarning, match="too long"):
        assert built.simulate(invalid).isnan().all()  # each fails by itself, and the simulator is well
    (tmp_path / "expired").touch()
    (tmp_path / "calls").unlink()
    with pytest.raises(UsageError, match=r"has stopped to answer: after 20 designs in a row .*\n[^$]*no licence"):
        built.simulate(designs(*torch.linspace(-0.8, 0.8, 300).tolist()))
    assert len((tmp_path / "calls").read_text().split()) < 1000


def test_a_simulator_that_takes_rows_of_the_file_alone_is_refused_after_a_few_draws(tmp_path, module):
    frame = (table() * 256).round() / 256
    built = build(written(tmp_path, frame), simulator=f"{module}:rows", workers=1)
    with pytest.raises(UsageError, match=r"none of 16 designs drawn between them .*prior=hull[^$]*off the grid"):
        built.truth  # noqa: B018
    assert len((tmp_path / "calls").read_text().split()) == 16 + 16


def test_a_program_that_fails_on_a_design_is_shown_with_its_standard_error(tmp_path, program):
    frame = table()
    built = build(written(tmp_path, frame[frame["a"].abs() < 0.9]), simulator=program, workers=1)
    with pytest.warns(RuntimeWarning, match="status 1. It wrote to standard error:\ntoo long"):
        y = built.simulate(designs(0.95, 0.5))
    assert y.isnan()[:, 0].tolist() == [True, False]


def test_a_design_that_takes_too_long_is_given_up(tmp_path, module):
    frame = table()
    built = build(written(tmp_path, frame[frame["a"].abs() < 0.9]), simulator=f"{module}:stuck", workers=1, limit=20.0)
    assert built.truth.answered == (16, 16)
    built.truth.simulator._ask.limit = 0.5  # the first answer waits for Python to start, on a busy machine for long
    with pytest.warns(RuntimeWarning, match=r"longer than 0\.5 s"):
        y = built.simulate(designs(0.95))
    assert y.isnan().all()


def test_batches_are_simulated_at_once(tmp_path, module):
    built = build(written(tmp_path, table()), simulator=f"{module}:meets", workers=2, batch=1)
    for path in tmp_path.glob("here*"):
        path.unlink()
    assert built.truth.answered == (16, 16)
    x = designs(2.0, 2.0)
    x[1, 1] = 1  # each waits for the process of the other
    torch.testing.assert_close(built.simulate(x), gap(x))


@pytest.mark.parametrize(
    ("simulator", "message"),
    [
        ("nowhere.at_all:simulate", "there is no module 'nowhere.at_all'"),
        ("nowhere-to-be-found --fast", "there is no program 'nowhere-to-be-found'"),
        ("'unbalanced", "is not a command"),
        (
            "{module}:flat",
            r"answers none of 3 rows of the file. It returned shape \(3,\) for 1 designs; return \(1, 1\)",
        ),
        (
            "{module}:wave",
            r"answers none of 3 rows of the file. It returned complex numbers; return real ones, such as abs\(y\)",
        ),
        ("{module}:missing", r"Unknown function of .* 'missing'\. .*Allowed: .*simulate.*Write module:function"),
        ("{python} -c 'import sys; sys.exit(\"no licence\")'", "ended with status 1. .*\nno licence"),
        ("{python} -c 'print(1) or print(2)'", "wrote 2 rows for 1 designs"),
        ("{python} -c 'print(1) or print(2) or print(3)' {{a}}", "wrote 3 rows"),
    ],
)
def test_a_simulator_that_does_not_work_is_refused(tmp_path, module, simulator, message):
    text = simulator.format(module=module, python=sys.executable)
    with pytest.raises(UsageError, match=message):
        build(written(tmp_path, table()), simulator=text).truth  # noqa: B018


def test_a_simulator_that_is_not_that_of_the_file_is_reported(tmp_path, module):
    built = build(written(tmp_path, table(noise=0.3)), simulator=f"{module}:simulate", workers=1)
    assert re.search(r"Its y differ from those of the file: nmse 0\.\d", built.report[-1])


def test_damaged_designs_are_simulated_again(tmp_path, cache, module):
    path = written(tmp_path, table())
    y = build(path, simulator=f"{module}:simulate").simulate(designs(0.1))
    (stored,) = (cache / "dataset").glob("designs-*.sqlite")
    stored.write_bytes(b"no database at all" * 100)
    with pytest.warns(UserWarning, match="damaged"):
        assert torch.equal(build(path, simulator=f"{module}:simulate").simulate(designs(0.1)), y)


def test_the_fingerprint_is_that_of_data_and_simulator(tmp_path, module, program):
    first, second = written(tmp_path, table()), written(tmp_path, table(seed=1), "other.csv")
    function = f"{module}:simulate"

    def prints():
        given = [(first, None), (second, None), (first, function), (first, program)]
        return [build(path, simulator=simulator).fingerprint for path, simulator in given]

    before = prints()
    assert len(set(before)) == 4 and prints() == before
    for name in (f"{module}.py", "program.py"):
        (tmp_path / name).write_text((tmp_path / name).read_text() + "\n")
    assert [a == b for a, b in zip(prints(), before, strict=True)] == [True, True, False, False]


def test_the_same_contents_elsewhere_are_the_same_task(tmp_path, program):
    (tmp_path / "moved").mkdir()
    for name in ("program.py", "pairs.csv"):
        written(tmp_path, table())
        (tmp_path / "moved" / name).write_bytes((tmp_path / name).read_bytes())
    moved = program.replace("program.py", "moved/program.py")
    tasks = [
        build(tmp_path / "pairs.csv", simulator=program, workers=1),
        build(tmp_path / "moved" / "pairs.csv", simulator=moved, workers=2, limit=9.0),
    ]
    assert tasks[0].fingerprint == tasks[1].fingerprint
    first, second = (identity(DatasetOptions, asdict(task.options)) for task in tasks)
    assert first == second and first["x"] == "a:c" and {"path", "simulator", "workers"}.isdisjoint(first)
    flag = build(tmp_path / "pairs.csv", simulator=f"{program} --flag")
    assert flag.fingerprint != tasks[0].fingerprint


def test_cost_is_what_the_user_says(tmp_path):
    path = written(tmp_path, table())
    assert build(path).cost == DatasetTask.cost and build(path, cost=12.0).cost == 12


def warm(n=400, seed=0):
    """A gap that closes with the temperature; designs were only measured at temperatures near them."""
    random = np.random.default_rng(seed)
    a, b = random.uniform(0, 1, (2, n))
    temperature = 300 + 100 * (a + 0.1 * random.uniform(-1, 1, n))
    return pd.DataFrame({"a": a, "b": b, "temperature": temperature, "gap": a * temperature / 300 + b})


@pytest.fixture(scope="module")
def heated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heated")
    return build(written(folder, warm()), x="a+b", given="temperature")


def test_a_given_column_is_a_condition_that_goes_with_the_target(heated):
    frame = warm()
    assert (heated.x_labels, heated.y_labels) == (("a", "b"), ("gap", "temperature"))
    assert (heated.x_dim, heated.y_dim, heated.bounds.shape) == (2, 2, (2, 2))
    assert heated.conditions[:, 0].tolist() == [frame.temperature.min(), frame.temperature.max()]
    rows = {tuple(row) for row in frame[["a", "b", "gap", "temperature"]].to_numpy().tolist()}
    pairs = heated.pairs(50, Generator().manual_seed(1))
    assert {tuple(row) for row in torch.cat([pairs.x, pairs.y], 1).tolist()} <= rows
    assert any(heated.fixed_target == row[2:] for row in rows), "y* is a row of the file, with its temperature"
    assert "given = temperature." in heated.report[0]


def test_the_forward_model_takes_the_condition(heated):
    frame = warm(200, seed=1)
    x, given = (torch.tensor(frame[names].to_numpy()) for names in (["a", "b"], ["temperature"]))
    y = heated.simulate(x, given)[:, 0]
    inside = torch.isfinite(y)
    assert inside.double().mean() > 0.9 and (y - torch.tensor(frame.gap.to_numpy()))[inside].abs().mean() < 0.03
    assert heated.floor["mse"] < 1e-3
    assert heated.simulate(x[:1], torch.tensor([[900.0]])).isnan().all(), "nobody has measured there"


def test_designs_are_drawn_with_temperatures_at_which_such_were_measured(heated):
    x, given = heated.draw_inputs(500, Generator().manual_seed(3))
    assert float(((given[:, 0] - 300) / 100 - x[:, 0]).abs().max()) < 0.15
    drawn = heated.draw(100, Generator().manual_seed(4))
    assert drawn.y.shape == (100, 2) and float(((drawn.y[:, 1] - 300) / 100 - drawn.x[:, 0]).abs().max()) < 0.15


def test_the_target_names_the_condition_too_and_a_column_has_one_role(tmp_path):
    path = written(tmp_path, warm())
    assert build(path, x="a+b", given="temperature", target="0.5+320").fixed_target == (0.5, 320.0)
    assert build(path, x="a+b", given="temperature", target="row:7").fixed_target[1] == warm().temperature[6]
    with pytest.raises(UsageError, match="2 finite numbers"):
        build(path, x="a+b", given="temperature", target="0.5")
    for option, columns in (("x", {"x": "a+b+temperature"}), ("y", {"x": "a+b", "y": "gap+temperature"})):
        with pytest.raises(UsageError, match=f"'temperature' of .* would be in given and in {option}"):
            build(path, given="temperature", **columns)
    with pytest.raises(UsageError, match="column for given 'pressure'"):
        build(path, x="a+b", given="pressure")


def test_a_simulator_is_asked_with_the_given_columns(tmp_path, monkeypatch):
    (tmp_path / "heater.py").write_text("def gap(x):\n    return x[:, :1] * x[:, 2:] / 300 + x[:, 1:2]\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    task = build(written(tmp_path, warm()), x="a+b", given="temperature", simulator="heater:gap")
    found = task.simulate(torch.tensor([[0.5, 0.25]], dtype=torch.float64), torch.tensor([[900.0]]))
    assert found.tolist() == [[1.75]], "it knows more than was measured"
