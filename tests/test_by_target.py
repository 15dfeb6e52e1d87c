"""Numbers of each target are kept beside the record, and replaced without touching another folder's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness import by_target


def test_what_is_written_is_read(tmp_path: Path) -> None:
    errors = np.array([1e-12, 2.5, np.nan])
    by_target.write(tmp_path, "own", {"mse": errors, "nmse": 2 * errors})
    found = by_target.read(tmp_path, "own")
    np.testing.assert_allclose(found["mse"], errors, rtol=1e-6)
    np.testing.assert_allclose(found["nmse"], 2 * errors, rtol=1e-6)
    assert by_target.read(tmp_path, "other") == {}


def test_a_file_has_the_same_bytes_in_every_process_and_every_flipped_bit_is_noticed(tmp_path: Path, caplog) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path; from harness import by_target; "
        "numbers = {name: np.arange(9.0) for name in ('sse', 'mse', 'nmse', 'r_1', 'r_9')}; "
        "by_target.write(Path(sys.argv[1]), 'own', numbers)"
    )
    files = []
    for name in "ab":
        (tmp_path / name).mkdir()
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], check=True)
        files.append(tmp_path / name / by_target.file_name("own"))
    sound = files[0].read_bytes()
    assert sound == files[1].read_bytes()
    for place in range(len(sound) - 5 * 9 * 4, len(sound), 7):
        files[0].write_bytes(sound[:place] + bytes([sound[place] ^ 4]) + sound[place + 1 :])
        assert (
            sum(by_target.read(tmp_path / "a", "own", name) == {} for name in ("sse", "mse", "nmse", "r_1", "r_9")) == 1
        )
    assert "is damaged and left out" in caplog.text


def test_a_linked_file_of_an_earlier_record_stays(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir(), after.mkdir()
    by_target.write(before, "own", {"mse": np.ones(3)})
    os.link(before / by_target.file_name("own"), after / by_target.file_name("own"))
    by_target.write(after, "own", {"mse": np.zeros(3)})
    assert by_target.read(before, "own")["mse"].tolist() == [1, 1, 1]
    by_target.write(before, "own", {})
    assert list(before.iterdir()) == [] and by_target.read(after, "own")["mse"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("numbers", [{"mse": np.ones((3, 2))}, {"mse": np.ones(3), "sse": np.ones(4)}])
def test_what_is_no_number_a_target_is_refused(tmp_path: Path, numbers: dict) -> None:
    with pytest.raises(ValueError, match="by_target of own gives arrays of shapes"):
        by_target.write(tmp_path, "own", numbers)
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_left_out_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    by_target.write(tmp_path, "own", {"mse": np.array([1.0, np.inf, 1e300])})
    assert np.isfinite(by_target.read(tmp_path, "own")["mse"]).all()
    (tmp_path / by_target.file_name("own")).write_bytes(b"PK spoilt")
    assert by_target.read(tmp_path, "own") == {} and "is damaged and left out" in caplog.text
