"""The report: one file, the numbers of the tables, and a page that works in a browser at every width."""

from __future__ import annotations

import html
import json
import math
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.cli import main
from harness.reporting import drawn, figures, tabled, tables
from harness.reporting.figure import Axis, Guide, Panel, Series
from harness.reporting.report import _titles, _value, page
from harness.reporting.scales import read, scale_of, scales, spaced
from harness.reporting.svg import panels
from harness.reporting.table import Column, Table
from tests import results

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Parts(HTMLParser):
    """The elements of a page: tags with their attributes; all that is opened must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def of(self, tag: str, name: str) -> int:
        """How many elements of a tag have a class."""
        return sum(found == tag and name in (values.get("class") or "").split() for found, values in self.tags)


@pytest.fixture(scope="module")
def text(ran):
    return page(ran)


def test_the_page_has_every_table_and_every_figure(ran, text):
    found = Parts(text)
    assert found.open == [] and found.of("table", "sortable") == len(tabled(ran))
    names = {attributes.get("id") for tag, attributes in found.tags if tag == "section"}
    assert set(tables()) & {table.name for table in tabled(ran)} <= names
    apart = {name for name, (_, shown) in figures().items() if shown.files_only}
    assert sum(tag == "figure" for tag, _ in found.tags) >= len({each.name for each in drawn(["all"], ran)} - apart)
    assert "posterior" in apart and found.of("svg", "panel") > 10


def test_no_request_leaves_the_page(text):
    assert not re.findall(r"(?:src|href)\s*=\s*[\"'](?!#)", text)
    assert not re.findall(r"url\(|@import|fetch\(|XMLHttp|https?://", text)


def test_a_hostile_text_stays_a_text(ran, monkeypatch):
    hostile = "<script>alert('&')</script>"
    column = Column(hostile, lambda raw: hostile, status=None)
    table = Table("one", hostile, {"task": hostile, "preset": hostile}, (column,), ({"method": hostile},), (hostile,))
    monkeypatch.setattr("harness.reporting.report.tables_of", lambda groups: [table])
    written = page(ran)
    assert hostile not in written and html.escape(hostile, quote=False).replace("'", "&#39;") in written


def test_the_verb_writes_the_file(ran, tmp_path, capsys):
    root = Path(shutil.copytree(ran, tmp_path / "copy"))
    assert main(["report", "--out", str(root)]) == 0
    assert capsys.readouterr().out.strip() == str(root / "report.html")
    assert (root / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("low", "high", "log"),
    [(0, 1, False), (1e-9, 3, True), (2, 30, True), (-5, 250, False), (7, 7, True)]
    + [(value, math.nextafter(value, math.inf), log) for value in (7.0, 0.013) for log in (False, True)],
)
def test_ticks_are_few_round_and_within(low, high, log):
    scale = scale_of(Axis("x", log=log), [low, high])
    assert 2 <= len(scale.ticks) <= 8 and all(scale.low <= tick <= scale.high for tick in scale.ticks)
    assert scale(scale.low) == pytest.approx(0) and scale(scale.high) == pytest.approx(1)
    assert all(float(read(tick, log)) == pytest.approx(tick) for tick in scale.ticks)


@pytest.mark.parametrize(("low", "high"), [(3, 4), (21, 45), (0.21, 0.4), (7e-5, 9e-5), (2.1e-4, 2.3e-4)])
def test_a_narrow_logarithmic_axis_has_ticks_too(low, high):
    scale = scale_of(Axis("x", log=True), [low, high])
    assert len(scale.ticks) > 1 and all(scale.low <= tick <= scale.high for tick in scale.ticks)
    assert len({read(tick, True) for tick in scale.ticks}) == len(scale.ticks)


def test_ticks_whose_texts_would_touch_are_left_out():
    assert list(spaced([0, 10, 20, 30, 40], [12] * 5)) == [0, 2, 4]
    assert list(spaced([40, 30, 20], [8, 10, 12])) == [0, 2] and list(spaced([1, 2], [9, 9])) == [0]
    assert list(spaced([0, 50], [20, 20])) == [0, 1] and list(spaced([], [])) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3.4e-6", 3.4e-6),
        ("3.4 (2.9–4.1)e-6", 3.4e-6),
        ("0.50 (0.4–0.6)", 0.5),
        ("150 k", 150e3),
        ("3.02 M", 3.02e6),
        ("800 kB", 8e5),
        ("1.2 MB", 1.2e6),
        ("~0.011 ± 0.1", 0.011),
        ("99.9 %", 99.9),
        ("–", None),
        ("not run", None),
        ("1.2.3", None),
    ],
)
def test_cells_are_sorted_by_what_they_say(text, value):
    assert _value(text) == (None if value is None else pytest.approx(value))


def test_guides_are_within_the_axes_and_what_cannot_be_shown_is_left_out():
    series = Series("a", (1.0, 2.0, 0.0), (1e-3, 0.0, 5.0))
    panel = Panel("one", Axis("x", log=True), Axis("y", log=True), (series,), (Guide("y", 1e-6),))
    across, up = scales(panel)
    assert 0 < up(1e-6) < 1 and across(0.0) != across(0.0)


def test_each_series_of_a_panel_can_be_switched(ran):
    for figure in drawn(["all"], ran):
        for panel, drawing in zip(figure.panels, panels(figure), strict=True):
            shown = set(re.findall(r'class="series m(\d+) ', drawing))
            assert shown == {str(figure.labels.index(series.label)) for series in panel.series}


def test_a_map_is_square_and_its_points_can_be_seen(ran):
    (figure,) = drawn(["solutions"], ran, tasks="sinewave")
    for drawing in panels(figure):
        left, top, foot, right = map(float, re.findall(r'class="axis" d="M(\S+) (\S+)V(\S+)H(\S+)"', drawing)[0])
        assert foot - top == right - left > 0
        assert 'class="dots"' in drawing or "data-marks" in drawing
    shared = re.findall(r'<g id="(\S+)">', "".join(panels(figure)))
    assert len(shared) == 1 and panels(figure)[1].count(f'href="#{shared[0]}"') == 1, "curves are written once"


def test_lines_of_many_points_have_a_few_markers(ran):
    (figure,) = drawn(["profile"], ran)
    for panel, drawing in zip(figure.panels, panels(figure), strict=True):
        assert all(len(series.x) > 100 for series in panel.series)
        marks = [len(places.split()) // 2 for places in re.findall(r'data-marks="k\d+ (.*?)"', drawing)]
        assert len(marks) == len(panel.series) and all(0 < count <= 10 for count in marks)


def test_the_legend_shows_every_look_and_is_in_reach_of_all_figures(ran, text):
    found = Parts(text)
    labels = drawn(["all"], ran)[0].labels
    assert found.of("svg", "sample") == len(labels)
    css = re.search(r"\.methods {(.*?)}", text)
    assert (
        css and "position: sticky" in css[1] and ".methods { position: static; }" in text.partition("@media print")[2]
    )


def test_points_to_compare_with_are_seen(text):
    """A line of no length has nothing but its ends."""
    css = re.search(r"\.points {(.*?)}", text)
    assert css and "stroke-linecap: round" in css[1] and "stroke-dasharray: none" in css[1]
    assert re.search(r'class="guide points" d="M\d+ \d+h0', text)


def test_figures_of_a_table_are_folded_away_beside_it(text):
    glance = text.partition('<section id="figures">')[2].partition("</section>")[0]
    cost = text.partition('<section id="cost">')[2].partition("</section>")[0]
    assert 'class="figure"' not in glance and "How many targets are reached" in glance
    assert "Time to 1000 proposals" not in glance and "<summary>Figure: Time to 1000 proposals</summary>" in cost


def test_titles_neither_repeat_the_heading_nor_each_other():
    def table(title, *tasks):
        return Table("t", title, {}, (), tuple({"task": task} for task in tasks), ())

    tables = [table("Gap"), table("Gap (quick)", "a", "b"), table("Gap (quick)", "c"), table("Gap (long)", "d")]
    assert list(_titles(tables, "Gap")) == ["", "Gap (quick): a, b", "Gap (quick): c", "Gap (long)"]


def test_the_head_names_tasks_and_scenarios_of_which_no_table_has_a_heading(tmp_path):
    for scenarios in ("base", "corrupted[share=0.2],corrupted[share=0.4],pairs[n=40]"):
        results.run(tmp_path, results.cells("lookup,prior", "robotic_arm", scenarios, asked="multi-target"))
    head = page(tmp_path).partition("</nav>")[0]
    assert "1 task: robotic_arm" in head and "2 scenarios: corrupted, pairs" in head, head
    assert ">Wrong pairs</a>" in head


def test_panels_of_a_task_stand_in_one_row(ran, text):
    (figure,) = drawn(["time-to-1000"], ran)
    part = text.partition("<figcaption>Time to 1000 proposals")[2].partition("</figure>")[0]
    rows = part.split('<div class="row">')[1:]
    assert len(rows) * figure.across == len(figure.panels)
    for row in rows:
        assert len({label.partition(":")[0] for label in re.findall(r'aria-label="([^"]*)"', row)}) == 1


LOOK = """
const out = { errors: [], overlaps: [], wide: 0 };
addEventListener("error", event => out.errors.push(String(event.message)));
addEventListener("load", () => {
  for (const each of document.querySelectorAll("details")) each.open = true;
  out.wide = document.documentElement.scrollWidth - innerWidth;
  for (const svg of document.querySelectorAll("svg.panel")) {
    const straight = [...svg.querySelectorAll("text")].filter(t => !t.closest(".slanted")); // of others corners meet
    const boxes = straight.map(t => [t.textContent, t.getBoundingClientRect()]);
    boxes.forEach(([a, p], i) => boxes.slice(i + 1).forEach(([b, q]) => {
      if (p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 1 && q.top < p.bottom - 1) {
        out.overlaps.push(svg.getAttribute("aria-label") + ": " + a + " | " + b);
      }
    }));
  }
  const panel = [...document.querySelectorAll("svg.panel")].find(svg => svg.querySelector(".series use title"));
  const press = key => panel.dispatchEvent(new KeyboardEvent("keydown", { key }));
  press("ArrowRight"); press("ArrowRight"); press("ArrowLeft");
  out.told = [document.querySelector(".tip").textContent, panel.querySelector(".series use title").textContent];
  press("Escape");
  out.left = document.querySelector(".tip").hidden && !document.querySelector("use.at");
  out.keys = [...document.querySelectorAll("table.sortable td")].map(cell =>
    [cell.dataset.value ?? null, cell.firstChild?.textContent ?? "", String(key(cell.parentNode, cell.cellIndex))]);
  const table = document.querySelector("table.sortable");
  table.tHead.rows[0].cells[1].querySelector("button").click();
  out.sorted = [...table.tBodies[0].rows].map(row => key(row, 1));
  out.aria = table.tHead.rows[0].cells[1].getAttribute("aria-sort");
  document.querySelector("input[data-method='0']").click();
  out.hidden = [...document.querySelectorAll(".m0")].every(element => element.classList.contains("hidden"));
  out.hides = document.querySelectorAll(".m0").length;
  dispatchEvent(new Event("beforeprint"));
  out.open = [...document.querySelectorAll("details")].every(each => each.open);
  document.body.innerHTML = "";
  document.body.append(Object.assign(document.createElement("pre"), { id: "out", textContent: JSON.stringify(out) }));
});
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
@pytest.mark.parametrize("length", [110, 230])
def test_a_long_label_makes_no_page_wider_than_a_phone(ran, tmp_path, length):
    found = results.load(ran)
    label = f"na[{'boundary_loss=off,' * 20}"[:length]
    root = results.write(
        tmp_path / "out", found["sinewave", "mdn", "base"], results.renamed(found["sinewave", "na", "base"], label)
    )
    out = looked(page(root), tmp_path, 375)
    assert out["errors"] == [] and out["wide"] <= 0


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
@pytest.mark.parametrize("width", [375, 1280, 2560])
def test_in_a_browser_it_works_and_nothing_overlaps(text, tmp_path, width):
    out = looked(text, tmp_path, width)
    assert out["errors"] == [] and out["overlaps"] == [] and out["wide"] <= 0
    for raw, shown, sorted_by in out["keys"]:
        value = _value(shown) if raw is None else float(raw)
        assert float(sorted_by) == pytest.approx(math.nan if value is None else value, nan_ok=True)
    assert {raw is None for raw, _, _ in out["keys"]} == {True, False}
    values = [value for value in out["sorted"] if value is not None]
    assert values == sorted(values) and len(values) > 2 and out["aria"] == "ascending"
    assert out["hidden"] and out["hides"] > 3 and out["open"]
    assert out["told"][0] == out["told"][1] != "" and out["left"], "values are reached by the arrow keys"


def looked(text, tmp_path, width):
    """What Chromium finds in a page of this width."""
    (tmp_path / "page.html").write_text(
        text.replace("<script>", f"<script>{LOOK}</script><script>", 1), encoding="utf-8"
    )
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=5000"]
    command += [f"--window-size={width},2000", f"--user-data-dir={tmp_path / 'profile'}"]
    shown = subprocess.run(
        [*command, (tmp_path / "page.html").as_uri()], capture_output=True, text=True, timeout=120
    ).stdout
    (found,) = re.findall(r'<pre id="out">(.*?)</pre>', shown, re.DOTALL)
    return json.loads(html.unescape(found))
