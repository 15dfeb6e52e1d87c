"""The text of a record: what goes in comes out, and whatever is changed in it is found."""

from __future__ import annotations

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli import main
from harness.records import HEAD, TAIL, Damaged, canonical, parse, plain, read, serialise, typed
from harness.reporting import render
from harness.store import RECORD, Store, verify
from tests.stored import cell_of, put


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory):
    return read(put(cell_of("lookup"), tmp_path_factory.mktemp("record")) / RECORD)


@pytest.fixture(scope="module")
def raw(record) -> bytes:
    return serialise(record)


def sealed(content: dict[str, Any]) -> bytes:
    """Any JSON with a checksum that is right."""
    return sealed_text(json.dumps({key: value for key, value in content.items() if key != "checksum"}))


def sealed_text(text: str) -> bytes:
    body = (" " + text.removeprefix("{").strip()).encode()
    return HEAD + hashlib.sha256(body).hexdigest().encode() + TAIL + body


def test_a_record_returns_as_it_went_in(record, raw) -> None:
    again = parse(raw)
    assert plain(again) | {"checksum": ""} == plain(record) | {"checksum": ""}
    assert serialise(again) == raw and parse(sealed(plain(record))).scores == record.scores


OPTIONS = st.dictionaries(
    st.text(),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    ),
    max_size=6,
)


@given(OPTIONS)
def test_any_options_return_as_they_went_in(record, options) -> None:
    again = parse(serialise(typed({**plain(record), "task_options": options})))
    assert canonical(again.task_options) == canonical(options)


@given(st.data())
def test_truncation_at_any_byte_is_found(raw, data) -> None:
    with pytest.raises(Damaged):
        parse(raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(st.data())
def test_any_other_byte_is_found(raw, data) -> None:
    changed = bytearray(raw)
    changed[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Damaged):
        parse(bytes(changed))


def test_an_edit_that_keeps_the_content_is_found(raw) -> None:
    with pytest.raises(Damaged, match="checksum"):
        parse(json.dumps(json.loads(raw), indent=2).encode())


def test_non_finite_numbers_are_null_and_array_scalars_numbers() -> None:
    values = [math.nan, math.inf, -math.inf, np.float32(0.5), np.float64("nan"), np.arange(2), (1, 2), np.bool_(True)]
    assert plain(values) == [None, None, None, 0.5, None, [0, 1], [1, 2], True]
    with pytest.raises(TypeError, match="Allowed: numbers, text, lists, dicts"):
        plain({"path": Path("here")})


UNTYPED: dict[str, dict[str, Any]] = {
    "scores in words": {"scores": "hello"},
    "a score that is no part": {"scores": {"r_T": 3}},
    "a status that there is not": {"status": "banana"},
    "a list of files": {"files": ["a"]},
    "a number as key": {"key": 3},
    "no label": {"label": None},
    "an unknown part": {"surprise": 1},
    "a seed in words": {"seconds": {"total": "long"}},
    "sizes in words": {"sizes": {"proposals": "many"}},
    "a fraction of a file": {"files": {"a.npz": 0.5}},
    "another schema": {"schema": 99},
    "no schema": {"schema": None},
    "a stamp in words": {"stamps": ["today"]},
}
FAILED = {"type": "ValueError", "message": "no", "traceback": ""}
CONTRADICTORY: dict[str, tuple[dict[str, Any], str]] = {
    "ok with an error": ({"error": FAILED}, "is ok and has an error"),
    "ok without data": ({"data": None}, "is ok without its part 'data'"),
    "ok without a model": ({"model": None}, "is ok without its part 'model'"),
    "failed without an error": ({"status": "failed"}, "is failed without an error"),
    "parts without a stamp": ({"stamps": []}, "names the stamp 0, of which there are 0"),
    "a label that steers the terminal": (
        {"label": {"task": "sinewave", "method": "\x1b[31mprior"}},
        "is labelled 'prior' with characters that steer a terminal",
    ),
}
OUTSIDE = ("../../payload", "/etc/passwd", "..", ".", "", "a/b", "a\\b", ".hidden", "a\nb", "a\0b", "-rf/..")


@pytest.mark.parametrize("change", UNTYPED.values(), ids=list(UNTYPED))
def test_a_right_checksum_does_not_make_a_record(record, change) -> None:
    with pytest.raises(Damaged):
        parse(sealed({**plain(record), **change}))


@pytest.mark.parametrize(("change", "message"), CONTRADICTORY.values(), ids=list(CONTRADICTORY))
def test_values_of_the_right_types_that_contradict_each_other_are_damage(record, change, message) -> None:
    with pytest.raises(Damaged, match=re.escape(message)):
        parse(sealed({**plain(record), **change}))


def test_bytes_that_are_no_text_are_damage(raw) -> None:
    _, _, body = raw.partition(TAIL)
    body = body.replace(b'"preset": "', b'"preset": "\xff', 1)
    with pytest.raises(Damaged, match="is not a record"):
        parse(HEAD + hashlib.sha256(body).hexdigest().encode() + TAIL + body)


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("where", ["files", "omitted"])
def test_a_file_that_is_not_beside_the_record_is_damage(record, name, where) -> None:
    with pytest.raises(Damaged):
        parse(sealed({**plain(record), where: {name: "0" * 64}}))
    answer = next(iter(plain(record)["answers"].values()))
    with pytest.raises(Damaged):
        parse(sealed({**plain(record), "answers": {"a": {**answer, "file": name}}}))


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "1e400", "-1e400", "[" * 200_000 + "]" * 200_000, "[" * 200_000, '{"a":' * 100_000]
)
@pytest.mark.parametrize("place", ['"schema": 2', '"budget": 10000', '"seconds": {'])
def test_numbers_that_are_none_and_brackets_without_end_are_damage(record, raw, value, place) -> None:
    text = json.dumps({key: item for key, item in plain(record).items() if key != "checksum"})
    assert place in text
    new = f'"seconds": {{"more": {value}, ' if place.endswith("{") else f"{place.partition(':')[0]}: {value}"
    with pytest.raises(Damaged):
        parse(sealed_text(text.replace(place, new, 1)))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"\0" * 200, b"[" * 200_000])
def test_what_is_no_record_is_damage(content) -> None:
    for raw in (content, HEAD + hashlib.sha256(content).hexdigest().encode() + TAIL + content):
        with pytest.raises(Damaged):
            parse(raw)


def test_damage_is_named_and_left_out_and_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = put(cell_of(), tmp_path)
    bad = []
    for seed, change in enumerate([*UNTYPED.values(), {"files": {"../../payload": "0" * 64}}], 1):
        folder = good.with_name(f"{seed:016x}")
        folder.mkdir()
        (folder / RECORD).write_bytes(sealed({**plain(read(good / RECORD)), **change}))
        bad.append(folder / RECORD)
    unreadable = good.with_name("f" * 16) / RECORD
    unreadable.mkdir(parents=True)
    assert [problem.path for problem in verify(tmp_path)] == [*sorted(bad), unreadable]
    assert len(list(Store(tmp_path).records())) == 1
    assert "prior" in render("multi-target", tmp_path, format="markdown")
    assert main(["verify", "--out", str(tmp_path)]) == 1
    target = tmp_path.with_name(f"{tmp_path.name}-target")
    assert main(["export", str(target), "--out", str(tmp_path)]) == 0
    assert main(["export", str(tmp_path / "inside"), "--out", str(tmp_path)]) == 2
    assert main(["rescore", "--out", str(tmp_path)]) == 0
    assert main(["list", "results", "--out", str(tmp_path)]) == 0
    assert main(["show", "sinewave/prior", "--out", str(tmp_path)]) in (0, 2)
    assert "Traceback" not in capsys.readouterr().err
    assert len(list(target.glob("*/*/*"))) == 1 and not (tmp_path / "payload").exists()
