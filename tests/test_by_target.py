"""Numbers of each target are kept beside the record, and replaced without touching another folder's."""

from __future__ import annotations

import os
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
