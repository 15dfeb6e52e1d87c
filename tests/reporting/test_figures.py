"""Figures show the numbers of the tables, tell every method apart twice, and are files that a paper can use."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from harness.cli import main
from harness.protocols.solutions import Plane, _found
from harness.reporting import drawn, figures, render
from harness.reporting.captions import captions
from harness.reporting.drawing import FORMATS, HIGHEST, _draw, grid, pages, write
from harness.reporting.figure import Axis, Figure, Guide, Panel, Series, marked, stems
from harness.reporting.looks import COLOURS, looks
from harness.reporting.placing import placed
from harness.store import Store
from tests import results

SIGNATURES = {"pdf": b"%PDF-", "svg": b"<?xml", "png": b"\x89PNG"}


def test_every_figure_of_a_protocol_is_drawn(ran):
    names = {figure.name for figure in drawn(["all"], ran)}
    special = {"options", "training", "error-and-pairs"}
    assert set(figures()) - special <= names, "these need other options, longer training, and fewer pairs"
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
    assert [panel.title for panel in figure.panels] == [f"sinewave: {mdn.model.phases[0].name}"]
    ((series,),) = (panel.series for panel in figure.panels)
    assert series.x == (5.0, 10.0, 15.0, 20.0) and series.y == (1.0, 0.75, 0.0, 0.25)


def test_training_names_the_tasks_without_a_curve(ran, tmp_path):
    every, curve = results.load(ran), [(5, None, 3.0), (10, None, 2.0), (15, None, 1.0)]
    one, other = every["sinewave", "mdn", "base"], every["robotic_arm", "prior", "base"]
    model = replace(one.model, phases=[replace(one.model.phases[0], curve=curve)])
    (figure,) = drawn(["training"], results.write(tmp_path, results.variant(one, model=model), other))
    assert "no loss that falls: robotic_arm" in figure.notes


def test_the_stages_of_a_task_have_the_same_range_of_time(ran):
    (figure,) = drawn(["time-to-1000"], ran)
    for first in range(0, len(figure.panels), figure.across):
        row = figure.panels[first : first + figure.across]
        assert len({panel.x for panel in row}) == 1 and row[0].x.title == "time [s]"
        taken = [series.x[0] for panel in row for series in panel.series]
        assert row[0].x.low < min(taken) and max(taken) < row[0].x.high


def test_a_method_that_ranks_needs_all_its_candidates_for_its_first_proposal(ran):
    (figure,) = drawn(["r_T-and-candidates"], ran, tasks="sinewave")
    curves = {series.label: series.x for series in figure.panels[0].series}
    assert set(curves["na"]) == {12.0} and curves["prior"] == (1.0, 2.0, 4.0, 8.0)


def test_a_map_counts_the_solution_curves_that_accurate_proposals_come_near_to():
    curves = [[[0.0, 0.0], [0.1, 0.0]], [[1.0, 1.0], [1.0, 0.9]], [[-1.0, -1.0], [-1.0, -0.9]]]
    points = [[0.0, 0.1], [0.1, 0.1], [-0.9, -0.9], [1.1, 1.0]]
    plane = Plane([[-1.0, 1.0], [-1.0, 1.0]], ["x1", "x2"], points, curves, nearest=[0, 0, None, 1], asked=2, found=[1])
    assert [_found(plane, count) for count in (1, 2, 3, 4)] == [1, 1, 1, 2]


def test_the_solution_curves_of_the_sinewave_are_nine_and_have_its_fixed_target(ran):
    (figure,) = drawn(["solutions"], ran, tasks="sinewave")
    assert {panel.title.partition(":")[0] for panel in figure.panels} == {"mdn", "na", "lookup", "prior"}
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
        (spot.x - width / 2, spot.y - 4, spot.x + width / 2, spot.y + 4)
        for spot, width in zip(found, widths, strict=False)
        if spot
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


def test_a_profile_of_all_tasks_needs_a_method_that_ran_on_all(ran, tmp_path):
    every = results.load(ran)
    other = [every["sinewave", "mdn", "base"], every["robotic_arm", "prior", "base"]]
    root = results.write(tmp_path, *other)
    for record in other:
        shutil.copytree(Store(ran).folder(record), Store(root).folder(record), dirs_exist_ok=True)
    (figure,) = drawn(["profile"], root)
    assert [panel.title for panel in figure.panels] == ["robotic_arm", "sinewave"]


def test_a_point_of_the_gap_is_a_target(ran):
    (figure,) = drawn(["surrogate-gap"], ran)
    assert {len(series.x) for panel in figure.panels for series in panel.series} <= {2, 20}
    assert all(panel.guides[0].kind == "diagonal" for panel in figure.panels)
    (figure,) = drawn(["surrogate-gap"], ran, tasks="sinewave")
    assert figure.shown == ("na",), "lookup has no surrogate: it promises exactly what it reaches"


def test_eighteen_methods_look_different_in_two_ways():
    found = looks([str(number) for number in range(18)])
    assert len({look.colour for look in found.values()}) == len(COLOURS)
    assert len({look.marker for look in found.values()}) == 13
    assert len({(look.colour, look.dash) for look in found.values()}) == 18
    assert len({(look.colour, look.marker) for look in found.values()}) == 18


def test_a_method_looks_the_same_whatever_else_a_folder_holds():
    few, many = looks(["na", "prior"]), looks(["cinn", "mine", "na", "na[steps=5]", "prior", "yours"])
    assert few["na"] == many["na"] and few["prior"] == many["prior"]
    assert len(set(many.values())) == len(many)


def test_markers_of_a_long_line_are_where_it_is_not_level():
    flat, slope = [0.0] * 50, [place / 20 for place in range(20)]
    series = Series("a", tuple(range(120)), (*flat, *slope, *[1.0] * 50))
    assert marked(series, 0.0) and all(
        49 <= place <= 70 for start in (0.0, 0.5, 0.9) for place in marked(series, start)
    )
    assert marked(series, 0.0) != marked(series, 0.5), "those of lines that lie together are apart"
    assert marked(Series("b", (1.0, 2.0), (3.0, 3.0)), 0.5) == [0, 1]
    assert marked(Series("c", tuple(range(90)), (1.0,) * 90), 0.0), "a level line has markers too"


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
    panel = Panel("one", Axis("x"), Axis("y"), ())
    assert grid(Figure("f", "f", (panel,) * panels)) == wanted


def test_a_figure_fits_on_a_page_and_its_rows_stay_whole():
    panels = tuple(Panel(str(number), Axis("x"), Axis("y"), (Series("a", (1.0,), (1.0,)),)) for number in range(33))
    parts = pages(Figure("f", "f", panels, across=3, labels=("a",)))
    assert len(parts) > 1 and tuple(panel for part in parts for panel in part.panels) == panels
    assert all(len(part.panels) % 3 == 0 and _draw(part).get_figheight() <= HIGHEST for part in parts)
    assert len(set(stems(parts))) == len(parts)


@given(st.lists(st.tuples(st.sampled_from(["r_T", "solutions"]), st.text(max_size=8)), max_size=8))
def test_files_have_names_of_their_own_that_every_system_takes(given):
    names = stems([Figure(name, name, (), apart=apart) for name, apart in given])
    assert len({name.lower() for name in names}) == len(given)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in names)


def test_what_tells_figures_apart_is_in_their_names_where_that_is_needed():
    maps = [Figure("solutions", "", (), apart=apart) for apart in ("sinewave", "sinewave, noise[sd=0.05]")]
    assert stems([Figure("r_T", "", ()), *maps]) == ["r_T", "solutions-sinewave", "solutions-sinewave-noise-sd-0.05"]
    assert stems(maps[:1]) == ["solutions"]


def test_the_verb_writes_files_and_names_them(ran, tmp_path, capsys):
    folder = tmp_path / "new" / "here"
    arguments = ["figures", "r_T", "--out", str(ran), "--format", "png,pdf", "--folder", str(folder)]
    assert main(arguments) == 0
    names = ["r_T.png", "r_T.pdf", "captions.md"]
    assert capsys.readouterr().out.split() == [str(folder / name) for name in names]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_maps_of_several_scenarios_all_survive(tmp_path, capsys):
    root = tmp_path / "scenarios"
    results.run(root, results.cells(methods="prior", tasks="sinewave", scenarios="base,noise"))
    wanted = ["figures", "solutions", "solutions-by-T", "--out", str(root), "--format", "svg", "--scenarios", "all"]
    assert main(wanted) == 0
    names = [
        "solutions-sinewave",
        "solutions-sinewave-noise",
        "solutions-by-T-sinewave",
        "solutions-by-T-sinewave-noise",
    ]
    written = sorted(path.name for path in (root / "figures").iterdir())
    assert written == sorted([*(f"{name}.svg" for name in names), "captions.md"])


def test_a_caption_says_all_that_an_author_needs(ran):
    found = drawn(["all"], ran)
    text = captions(dict(zip(stems(found), found, strict=True)))
    for figure in found:
        assert figure.title in text and all(note in text for note in figure.notes)
        assert all(guide.meaning in text for guide in figure.lines)
        assert all(guide.label for panel in figure.panels for guide in panel.guides), "each line has a meaning"


def test_how_a_line_is_drawn_is_said_with_its_meaning():
    assert Guide("y", 1.0, "floor").meaning == "dotted: floor"
    assert Guide("curve", label="wanted", front=True).meaning == "dashed: wanted" and Guide("x").meaning == ""


def test_devices_are_told_apart_where_records_have_both(ran, tmp_path):
    mdn = results.load(ran)["sinewave", "mdn", "base"]
    other = results.variant(mdn, declared=replace(mdn.declared, device="cuda NVIDIA H200"))
    root = results.write(tmp_path, mdn, other)
    for name in ("error-and-time", "error-and-training", "time-to-1000"):
        (figure,) = drawn([name], root)
        assert set(figure.shown) == {"mdn (cpu)", "mdn (cuda NVIDIA H200)"}
        assert len({*looks(figure.labels).values()}) == 2


def test_axes_have_units(ran):
    titles = {axis.title for figure in drawn(["all"], ran) for panel in figure.panels for axis in (panel.x, panel.y)}
    assert not any("[1]" in title or title.startswith("s ") for title in titles)
    assert {"training time [s]", "time to propose, per target [s]", "x1"} <= titles


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


@pytest.mark.slow
@pytest.mark.parametrize("form", ["pdf", "svg"])
def test_a_figure_of_squares_has_the_same_bytes_in_every_process(ran, tmp_path, form):
    files = []
    for number in ("1", "2", "3"):
        command = ["-m", "harness", "figures", "solutions-by-T", "--tasks", "sinewave", "--format", form]
        where = ["--out", str(ran), "--folder", str(tmp_path / number)]
        subprocess.run([sys.executable, *command, *where], check=True, env={**os.environ, "PYTHONHASHSEED": number})
        files.append([path.read_bytes() for path in sorted((tmp_path / number).glob(f"*.{form}"))])
    assert files[0] == files[1] == files[2] and files[0]
