"""What is kept: the same bytes in every process, made once, and made again where it is damaged."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Generator

from harness.cache_folder import VARIABLE
from harness.errors import UsageError
from harness.posterior import stored
from harness.posterior.stored import FOLDER, numbers, reference
from tests.posterior.problems import Linear, posing

ROOT = Path(__file__).parents[2]
OTHER = """
import torch
from harness.posterior.stored import reference
from tests.posterior.problems import Linear, posing
torch.set_num_threads(2)
for pool in (100_000, 2000):
    reference(posing(Linear(), 0.1, pool=pool, draws=100), "linear", 0)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path / FOLDER


def made(pool=100_000, **options):
    return reference(posing(Linear(), 0.1, pool=pool, draws=100, **options), "linear", 0)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}


def test_a_reference_is_made_once_and_read_as_it_was_made(folder, monkeypatch):
    first, key = made()
    monkeypatch.setattr(stored, "make", lambda posing: pytest.fail("made again"))
    again, same = made()
    assert key == same and torch.equal(first.fixed.x, again.fixed.x)
    assert (first.fixed.how, first.fixed.rate, first.said) == (again.fixed.how, again.fixed.rate, again.said)


def test_another_process_with_other_threads_gives_the_same_bytes(folder, tmp_path, monkeypatch):
    made(), made(pool=2000)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "other"))
    subprocess.run([sys.executable, "-c", OTHER], check=True, cwd=ROOT)
    assert len(files(folder)) == 2 and files(folder) == files(tmp_path / "other" / FOLDER)


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied"])
def test_a_damaged_file_is_made_again_with_a_warning(folder, damage):
    made()
    (path,) = folder.glob("*.safetensors")
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[:-100], "changed": whole[:-8] + b"\0" * 8, "emptied": b""}[damage])
    with pytest.warns(UserWarning, match="is damaged and is made again"):
        made()
    assert path.read_bytes() == whole


def test_whatever_decides_about_a_reference_gives_another_file(folder):
    class Other(Linear):
        matrix = 2 * Linear.matrix

    keys = {made()[1], made(pool=50_000)[1], reference(posing(Linear(), 0.2, draws=100), "linear", 0)[1]}
    keys |= {reference(posing(Linear(), 0.1, pool=100_000, draws=100), "linear", 1)[1]}
    keys |= {reference(posing(Other(), 0.1, pool=100_000, draws=100), "linear", 0)[1]}
    assert len(keys) == 5 and len(files(folder)) == 5


def test_pixels_take_a_byte_each(folder):
    class Pixels(Linear):
        def sample_prior(self, n, generator):
            return (torch.rand(n, 3, generator=generator) < 0.5).double()

    asked = posing(Pixels(), 0.5, draws=1000)
    found, _ = reference(asked, "pixels", 0)
    again, _ = reference(posing(Pixels(), 0.5, draws=1000), "pixels", 0)
    assert torch.equal(found.fixed.x, again.fixed.x) and again.fixed.x.dtype == torch.float64
    assert max(map(len, files(folder).values())) < 1000 * 3 + 1000


def test_numbers_are_worked_out_once(folder):
    calls = []

    def work():
        calls.append(1)
        return {"a": 1.5, "b": [None, 2]}

    assert numbers("levels", ["x", 1], work) == numbers("levels", ["x", 1], work) == {"a": 1.5, "b": [None, 2]}
    assert numbers("levels", ["x", 2], work) and len(calls) == 2


def test_a_cache_that_cannot_be_written_says_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file"))
    with pytest.raises(UsageError, match=VARIABLE):
        made()


def test_generators_do_not_matter(folder):
    asked = posing(Linear(), 0.1, pool=100_000, draws=100)
    asked.generator = Generator().manual_seed(77)
    assert reference(asked, "linear", 0)[1] == made()[1]
