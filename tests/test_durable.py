"""What is written is there whole or not at all, and texts of strangers steer nothing."""

from __future__ import annotations

import errno
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from harness import provenance
from harness.durable import StorageError, discard, locked_folder, storage_errors, sweep, sweep_files, write_whole
from harness.texts import clean, cleaned


@pytest.fixture
def small_files():
    """No file may become larger than 4 kB, as on a disk that is nearly full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_is_replaced_whole_or_stays_as_it_was(tmp_path, small_files):
    path = tmp_path / "all.md"
    write_whole(path, "old ö\n")
    with pytest.raises(OSError, match="File too large"):
        write_whole(path, "x" * 100_000)
    assert path.read_text() == "old ö\n" and list(tmp_path.iterdir()) == [path]
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"


WRITERS = {
    "numpy": lambda path: np.savez(path.with_suffix(".npz"), x=np.zeros(10_000)),
    "torch": lambda path: torch.save(torch.zeros(10_000), path),
    "safetensors": lambda path: save_file({"x": torch.zeros(10_000)}, path),
    "a long name": lambda path: write_whole(path.with_name("n" * 300), ""),
    "no folder": lambda path: write_whole(Path("/dev/null/x"), ""),
}


@pytest.mark.parametrize("name", WRITERS)
def test_whatever_writes_a_lack_of_storage_is_one_error(tmp_path, small_files, name):
    with pytest.raises(StorageError, match=r"Results cannot be written to .* choose another folder with --out"):  # noqa: SIM117
        with storage_errors(tmp_path):
            WRITERS[name](tmp_path / "file")


@pytest.mark.parametrize("error", [ValueError("No space left on device"), OSError(errno.ENOENT, "x"), RuntimeError()])
def test_other_errors_are_none_of_storage(tmp_path, error):
    with pytest.raises(type(error)) as found, storage_errors(tmp_path):
        raise error
    assert found.value is error


def test_what_nobody_holds_any_more_is_swept_away(tmp_path):
    held, _ = locked_folder(tmp_path / "a" / "b" / "held")
    code = "import sys; from pathlib import Path; from harness.durable import locked_folder as l; l(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(held.with_name("left"))], check=True)
    assert len(list(held.parent.glob(".left-*"))) == 2
    sweep(tmp_path, "a/b")
    assert sorted(held.parent.iterdir()) == sorted([held, held.with_suffix(".lock")])
    discard(held)
    assert list(held.parent.iterdir()) == []
    (tmp_path / ".12345678.tmp").write_text("half")
    sweep_files(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@given(st.text(st.characters(exclude_categories=())))
def test_a_clean_text_can_be_written_and_steers_nothing(text):
    found = clean(text)
    assert found.encode().decode() == found == clean(found)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", found)


@given(st.text("abc ö\n\t€"))
def test_a_plain_text_stays_as_it_is(text):
    assert clean(text) == text


def test_what_a_terminal_would_not_show_is_cut_off():
    assert clean("\x1b[1;31mred\x1b[0m \x1b]0;title\x07end\r\n 1%\r 50%\r100%\n") == "red end\n100%\n"
    assert cleaned({"a\x07": ["\ud800", 1, None, True]}) == {"a": ["\ufffd", 1, None, True]}


@given(st.text("ab\r\n"))
def test_a_line_that_was_written_over_keeps_its_last_state(text):
    assert clean(text) == re.sub(r"[^\n]*\r(?!\n|$)", "", text, flags=re.MULTILINE).replace("\r", "")


def test_a_line_of_a_megabyte_is_cleaned_at_once():
    began = time.monotonic()
    assert clean("x" * 2**20) == "x" * 2**20
    assert time.monotonic() - began < 5  # in its square it takes minutes


def test_the_kind_of_a_device_names_the_model(monkeypatch):
    names = {"cuda:0": "NVIDIA H100", "cuda:1": "Tesla T4"}
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: names[str(device)])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    provenance.device_kind.cache_clear()
    assert [provenance.device_kind(device) for device in ("cpu", "cuda:0", "cuda:1")] == [
        "cpu",
        "cuda NVIDIA H100",
        "cuda Tesla T4",
    ]
    provenance.device_kind.cache_clear()


def test_what_others_have_left_in_a_folder_stays(tmp_path):
    """A user may name a folder that holds more than results, such as the own home."""
    place = tmp_path / "some" / "where"
    for name in (".mine.tmp", ".mine.old", ".a-b.old", ".mine-0123456g.tmp"):
        (place / name).mkdir(parents=True)
    for name in (".mine.lock", ".a-b.lock", ".note.tmp"):
        (place / name).touch()
    before = sorted(place.iterdir())
    sweep(tmp_path, "*/*")
    sweep_files(place)
    assert sorted(place.iterdir()) == before
