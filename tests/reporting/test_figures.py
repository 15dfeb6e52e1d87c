"""Figures show the numbers of the tables, tell every method apart twice, and are files that a paper can use."""

from __future__ import annotations

import json
import math
import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from harness.cli import main
from harness.protocols.solutions import Plane, _found
from harness.reporting import drawn, figures, render
from harness.reporting.drawing import FORMATS, grid, write
from harness.reporting.figure import COLOURS, Axis, Figure, Panel, Series, looks
from harness.reporting.placing import placed
from tests import results

SIGNATURES = {"pdf": b"%PDF-", "svg": b"<?xml", "png": b"\x89PNG"}


def test_every_figure_of_a_protocol_is_drawn(ran):
    names = {figure.name for figure in drawn(["all"], ran)}
    assert set(figures()) - {"options", "training"} <= names, "these two need other options, and longer training"
    assert all(figure.panels for figure in drawn(["all"], ran))


def test_the_curve_of_best_of_t_is_that_of_the_table(ran):
    (figure,) = drawn(["r-t"], ran, metric="nmse", tasks=results.TASKS)
    panels = {panel.title: {series.label: series for series in panel.series} for panel in figure.panels}
    compared = 0
    for table in json.loads(render("r_T", ran, metric="nmse", tasks=results.TASKS, format="json")):
        for row in table["rows"]:
            found = panels.get(table["task"], {}).get(row["method"])
            for count, value in zip(found.x, found.y, strict=True) if found else ():
                assert value == pytest.approx(row[f"r_{count:.0f}"])
                compared += 1
            assert found is None or all(
                low <= value <= high for low, value, high in zip(found.low, found.y, found.high, strict=True)
            )
    assert compared > 10


def test_options_of_one_method_stand_in_a_panel_of_their_own(ran, tmp_path):
    na = results.load(ran)["sinewave", "na", "base"]
    other = replace(na.declared, method=replace(na.declared.method, options={"boundary_loss": False}))
    label = replace(na.label, method="na[boundary_loss=off]")
    root = results.write(tmp_path, na, results.variant(na, declared=other, label=label))
    (figure,) = drawn(["options"], root)
    assert [panel.title for panel in figure.panels] == ["sinewave: na"]
    assert {series.label for series in figure.panels[0].series} == {"na", "na[boundary_loss=off]"}


def test_training_is_the_share_of_the_fall_that_is_to_come(ran, tmp_path):
    mdn = results.load(ran)["sinewave", "mdn", "base"]
    curve = [(5, None, 3.0), (10, None, 2.0), (15, None, -1.0), (20, None, 0.0)]
    model = replace(mdn.model, phases=[replace(mdn.model.phases[0], curve=curve)])
    (figure,) = drawn(["training"], results.write(tmp_path, results.variant(mdn, model=model)))
    ((series,),) = (panel.series for panel in figure.panels)
    assert series.x == (5.0, 10.0, 15.0, 20.0) and series.y == (1.0, 0.75, 0.0, 0.25)


def test_a_method_that_ranks_needs_all_its_candidates_for_its_first_proposal(ran):
    (figure,) = drawn(["r_T-and-candidates"], ran, tasks="sinewave")
    curves = {series.label: series.x for series in figure.panels[0].series}
    assert set(curves["na"]) == {12.0} and curves["prior"] == (1.0, 2.0, 4.0, 8.0)


def test_a_map_counts_the_solution_curves_that_accurate_proposals_come_near_to():
    curves = [[[0.0, 0.0], [0.1, 0.0]], [[1.0, 1.0], [1.0, 0.9]], [[-1.0, -1.0], [-1.0, -0.9]]]
    points, accurate = [[0.0, 0.1], [0.1, 0.1], [-0.9, -0.9], [1.1, 1.0]], [True, True, False, True]
    plane = Plane([[-1.0, 1.0], [-1.0, 1.0]], ["x1", "x2"], points, accurate, curves)
    assert [_found(plane, count) for count in (1, 2, 3, 4)] == [1, 1, 1, 2]


def test_the_solution_curves_of_the_sinewave_are_nine_and_have_its_fixed_target(ran):
    (figure,) = drawn(["solutions"], ran, tasks="sinewave")
    assert {panel.title.partition(",")[0] for panel in figure.panels} == {"mdn", "na", "lookup", "prior"}
    for panel in figure.panels:
        assert len(panel.guides) == 9 and panel.square
        for guide in panel.guides:
            for x, y in guide.points:
                assert math.sin(3 * math.pi * x) + math.cos(3 * math.pi * y) == pytest.approx(1.2, abs=0.02)


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 60)), min_size=1, max_size=15),
    st.lists(st.floats(5, 40), min_size=15, max_size=15),
)
def test_names_of_points_meet_neither_points_nor_names_and_stay_inside(points, widths):
    found = placed(points, widths[: len(points)], 8.0, 2.0, (0.0, 0.0, 100.0, 60.0))
    boxes = [
        (x - width / 2, y - 4, x + width / 2, y + 4)
        for (x, y), width in ((spot, width) for spot, width in zip(found, widths, strict=False) if spot)
    ]
    dots = [(x - 2, y - 2, x + 2, y + 2) for x, y in points]
    for place, box in enumerate(boxes):
        assert min(box[:2]) >= 0 and box[2] <= 100 and box[3] <= 60
        for other in (*boxes[:place], *dots):
            assert box[0] >= other[2] or other[0] >= box[2] or box[1] >= other[3] or other[1] >= box[3]


def test_a_profile_rises_to_one_and_is_the_share_of_the_errors(ran):
    (figure,) = drawn(["profile"], ran)
    for panel in figure.panels:
        for series in panel.series:
            assert list(series.y) == sorted(series.y) and 0 <= series.y[0] <= series.y[-1] <= 1
    assert figure.panels[-1].title == "all tasks alike"


def test_a_point_of_the_gap_is_a_target(ran):
    (figure,) = drawn(["surrogate-gap"], ran)
    assert {len(series.x) for panel in figure.panels for series in panel.series} <= {2, 20}
    assert all(panel.guides[0].kind == "diagonal" for panel in figure.panels)


def test_thirteen_methods_look_different_in_two_ways():
    found = looks([str(number) for number in range(13)])
    assert len({look.colour for look in found.values()}) == len(COLOURS)
    assert len({look.marker for look in found.values()}) == 13
    assert len({(look.colour, look.dash) for look in found.values()}) == 13


def test_a_method_looks_the_same_in_all_figures(ran):
    every, some = drawn(["all"], ran), drawn(["all"], ran, methods="na,prior")
    assert {figure.labels for figure in every} == {figure.labels for figure in some}
    assert all(set(figure.shown) <= {"na", "prior"} for figure in some)


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_is_of_its_format_and_the_same_each_time(ran, tmp_path, form):
    figure = drawn(["r_T"], ran)[0]
    for name in ("one", "other"):
        write(figure, tmp_path / f"{name}.{form}")
    content = (tmp_path / f"one.{form}").read_bytes()
    assert content.startswith(SIGNATURES[form]) and content == (tmp_path / f"other.{form}").read_bytes()


def test_fonts_are_in_the_file(ran, tmp_path):
    figure = drawn(["r_T"], ran)[0]
    write(figure, tmp_path / "figure.pdf")
    content = (tmp_path / "figure.pdf").read_bytes()
    streams = [
        zlib.decompress(part) for part in re.findall(rb"stream\r?\n(x\x9c.*?)\r?\nendstream", content, re.DOTALL)
    ]
    assert b"/FontFile2" in content or any(b"/FontFile2" in stream for stream in streams)
    write(figure, tmp_path / "figure.svg")
    assert "<text" not in (tmp_path / "figure.svg").read_text(encoding="utf-8"), "letters are drawn as paths"


def test_what_a_logarithmic_axis_cannot_show_is_left_out(tmp_path):
    series = Series("a", (0.0, 1.0, 10.0, math.nan), (1.0, 0.0, 2.0, 3.0), (1.0, 0.0, 1.0, 1.0), (2.0, 1.0, 3.0, 3.0))
    panel = Panel("one", Axis("x", log=True), Axis("y", log=True), (series,))
    write(Figure("f", "f", (panel,), labels=("a",)), tmp_path / "f.png")
    assert (tmp_path / "f.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("panels", "wanted"), [(1, (1, 1)), (3, (3, 1)), (5, (3, 2)), (6, (3, 2)), (8, (4, 2)), (9, (3, 3))]
)
def test_few_places_are_empty(panels, wanted):
    assert grid(panels) == wanted


def test_the_verb_writes_files_and_names_them(ran, tmp_path, capsys):
    arguments = ["figures", "r_T", "--out", str(ran), "--format", "png,pdf", "--folder", str(tmp_path / "new" / "here")]
    assert main(arguments) == 0
    said = capsys.readouterr().out.split()
    assert said == [str(tmp_path / "new" / "here" / f"r_T.{form}") for form in ("png", "pdf")]
    assert sorted(path.name for path in (tmp_path / "new" / "here").iterdir()) == ["r_T.pdf", "r_T.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["r_S"], "Unknown figure 'r_S'. Did you mean r_T"),
        (["--format", "pmg"], "Unknown format 'pmg'. Did you mean png"),
        (
            ["surrogate-gap", "--metric", "sse"],
            "The figure 'surrogate-gap' cannot show the metric 'sse'. Allowed: nmse",
        ),
        (["--methods", "mnd"], "Unknown method 'mnd'. Did you mean mdn"),
        (["surrogate-gap", "--methods", "prior"], "has what surrogate-gap draws. Allowed:"),
    ],
)
def test_what_cannot_be_drawn_is_named(ran, tmp_path, capsys, arguments, message):
    assert main(["figures", *arguments, "--out", str(ran), "--folder", str(tmp_path / "none")]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "none").exists()


def test_a_seed_without_a_curve_leaves_its_method_out_and_the_rest_is_drawn(ran, tmp_path, monkeypatch):
    """As after a run of another seed with other protocols."""
    root = tmp_path / "seeds"
    results.run(root, results.cells(methods="mdn,prior", tasks="sinewave"))
    results.run(root, results.cells(methods="mdn", tasks="sinewave", seeds=(1,), asked="multi-target"))
    (figure,) = drawn(["r_T"], root)
    assert [series.label for series in figure.panels[0].series] == ["prior"]
    assert main(["report", "--out", str(root)]) == 0
