"""The pages of `docs` say what the code says: the fields of a record, the examples as they are printed, the links."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from harness import records, schema, settings
from harness.registry import discover

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]
EXAMPLES = ROOT / "docs" / "examples"
RECORDS = (ROOT / "docs" / "records.md").read_text(encoding="utf-8")
FIRST = (ROOT / "docs" / "first-plugin.md").read_text(encoding="utf-8")
PLUGINS = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
PRINTED = re.compile(r"`docs/examples/([\w./-]+)`:\n\n```\w+\n(.*?)```", re.DOTALL)
LIMITS = {"gaussian_inverse": 30, "nearest_design": 15, "cantilever_task": 25, "largest_error": 60, "few_pairs": 40} | {
    "sbi_density": 40,
    "bayesflow_matching": 50,
}
READ = {"method": 125, "task": 200, "protocol": 250, "scenario": 250}
"""The most lines that one must read before adding each; of a task some thirty are the arguments of its functions."""


def structures() -> dict[str, dict[str, str]]:
    """The fields of all parts of a record with their types, as the source has them."""
    parts = [item for item in vars(schema).values() if isinstance(item, type) and issubclass(item, schema.Part)]
    parts += [item for item in vars(settings).values() if dataclasses.is_dataclass(item)]
    declared = {part.__name__: part.__annotations__ for part in parts if part is not schema.Part}
    return {name: {key: kind.replace("'", '"') for key, kind in fields.items()} for name, fields in declared.items()}


def printed_fields(page: str) -> dict[str, dict[str, str]]:
    """The same as the page has them: a heading for each part, a row for each field."""
    found = {}
    for title, body in re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", page, re.DOTALL | re.MULTILINE):
        rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \| \S.*\|$", body, re.MULTILINE)
        assert len(rows) == body.count("\n| `"), f"{title}: a row without a name, a type or a meaning"
        found[title] = {name: kind.replace(r"\|", "|") for name, kind in rows}
    return found


def test_the_page_on_records_has_every_field_and_no_other() -> None:
    printed, declared = printed_fields(RECORDS), structures()
    assert printed.keys() == declared.keys()
    for name, fields in declared.items():
        assert printed[name] == fields, name


def test_the_page_on_records_names_every_status_and_the_version_of_the_format() -> None:
    assert all(f"`{status}`" in RECORDS for status in get_args(schema.Status))
    assert f"version of this format: {schema.SCHEMA} |" in RECORDS


def test_the_example_of_a_record_is_one() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", RECORDS, re.DOTALL)
    record = records.typed(json.loads(text))
    assert record.status == "ok" and record.scores and record.answers
    assert {answer.file for answer in record.answers.values()} <= record.files.keys()
    assert msgspec.to_builtins(record).keys() == json.loads(text).keys()


def printed_examples() -> list[tuple[str, str]]:
    return PRINTED.findall(FIRST + PLUGINS)


@pytest.mark.parametrize(("name", "text"), [pytest.param(*item, id=item[0]) for item in printed_examples()])
def test_an_example_is_printed_as_it_is(name: str, text: str) -> None:
    assert text == (EXAMPLES / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", sorted(LIMITS))
def test_an_example_is_printed_whole_and_once_and_is_small(folder: str) -> None:
    printed = [(name, text) for name, text in printed_examples() if name.startswith(f"{folder}/")]
    assert sorted(name for name, _ in printed) == sorted((f"{folder}/pyproject.toml", f"{folder}/{folder}.py"))
    assert len(dict(printed)[f"{folder}/{folder}.py"].splitlines()) <= LIMITS[folder]


@pytest.mark.parametrize("folder", sorted(LIMITS))
def test_an_example_declares_an_entry_point_of_its_module(folder: str) -> None:
    project: dict[str, Any] = tomllib.loads((EXAMPLES / folder / "pyproject.toml").read_text(encoding="utf-8"))
    (entries,) = project["project"]["entry-points"].values()
    (target,) = entries.values()
    module, _, name = target.partition(":")
    text = (EXAMPLES / folder / f"{module}.py").read_text(encoding="utf-8")
    assert module == folder and re.search(rf"^(class|def) {name}\b", text, re.MULTILINE)


def lines_of(path: str, names: list[str]) -> int:
    """The lines of a file, or of some of its classes."""
    text = (ROOT / path).read_text(encoding="utf-8")
    classes = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
    sizes = [int(classes[name].end_lineno or 0) - classes[name].lineno + 1 for name in names]
    return sum(sizes) if names else len(text.splitlines())


@pytest.mark.parametrize("kind", sorted(READ))
def test_the_lines_to_read_before_adding_something_are_counted(kind: str) -> None:
    """Rows such as `| a method | [`FILE`](LINK): `Problem`, `Method` | 90 |`; a few lines off are near enough."""
    (row,) = re.findall(rf"^\| a {kind} \| (.*) \| (\d+) \|", PLUGINS, re.MULTILINE)
    parts = re.findall(r"\[`([\w./]+)`\]\([\w./-]+\)(?:: ((?:`\w+`(?:, )?)+))?", row[0])
    lines = sum(lines_of(path, re.findall(r"\w+", names)) for path, names in parts)
    assert abs(int(row[1]) - lines) <= 15 and lines <= READ[kind], f"{lines} lines"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)", text):
        assert "://" in target or (ROOT / page).parent.joinpath(target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_links_within_a_page_lead_to_a_heading(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    headings = {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= headings


def test_every_scenario_has_its_section():
    page = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
    for name in set(discover("scenarios")) - {"base"}:
        assert f"\n## {name}\n" in page and f"| `{name}` |" in page
