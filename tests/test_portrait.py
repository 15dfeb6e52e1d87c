"""`show-task`: a description in words and a picture."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from harness.cli import main
from harness.errors import UsageError
from harness.portrait import describe, portray
from harness.registry import discover
from harness.selection import select

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("name", ["sinewave", "robotic_arm[convention=kruse]", "ballistics"])
def test_a_task_is_described_and_drawn(name: str, tmp_path: Path) -> None:
    (selection,) = select("tasks", name)
    text = portray(selection, tmp_path / "task.png")
    loaded = selection.plugin.load()
    assert text.startswith(f"{name}: {loaded.x_dim} → {loaded.y_dim}, ")
    assert all(label in text for label in (*loaded.x_labels, *loaded.y_labels, *loaded.references))
    assert (tmp_path / "task.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("name", ["sinewave", "robotic_arm", "shell", "metamaterial"])
def test_a_picture_says_what_is_drawn(name: str, tmp_path: Path, monkeypatch) -> None:
    pictures: list[Figure] = []
    monkeypatch.setattr("harness.portrait._save", lambda figure, path: pictures.append(figure))
    (selection,) = select("tasks", name)
    portray(selection, tmp_path / "task.png")
    designs, responses = pictures[0].axes[0::2], pictures[0].axes[1::2]
    for axes in responses:
        assert axes.get_xlabel() and axes.get_ylabel() and "[1]" not in axes.get_xlabel() + axes.get_ylabel()
        assert {"y*", "this design"} <= {text.get_text() for text in axes.get_legend().get_texts()}
    for axes in designs:
        assert all(text.get_path_effects() for text in axes.texts), "read on any ground"
        pictures[0].draw_without_rendering()
        legend = axes.get_legend()
        assert legend is None or legend.get_window_extent().y0 >= axes.bbox.y1, "beside the drawing"


def test_a_picture_needs_a_folder_and_a_name(tmp_path: Path) -> None:
    (selection,) = select("tasks", "sinewave")
    for picture in (tmp_path / "absent" / "task.png", tmp_path / "task.txt"):
        with pytest.raises(UsageError, match=r"ends in \.png"):
            portray(selection, picture)
    assert list(tmp_path.iterdir()) == []


def test_one_task_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show-task", "sinewave,ballistics"]) == 2
    assert "names 2 tasks" in capsys.readouterr().err


def test_options_are_part_of_the_description() -> None:
    task = discover("tasks")["ballistics"].load()()
    assert "Option angle_max = 81" in describe(task, "ballistics")


def test_a_picture_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (selection,) = select("tasks", "sinewave")
    monkeypatch.setattr("harness.portrait.write_whole", full)
    with pytest.raises(UsageError, match=r"task\.png' cannot be written: No space left on device"):
        portray(selection, tmp_path / "task.png")
    assert list(tmp_path.iterdir()) == []
