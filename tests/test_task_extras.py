"""What a task may declare besides its forward model, from entry point to record."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness.cli import main
from harness.records import plain, read
from harness.schema import Record
from harness.store import record_files
from tests.plugins import install

SOURCE = """
import os
import torch
from harness.contracts import Task

class Proxied(Task):
    x_dim, y_dim, fixed_target = 2, 1, (0.5,)
    cost = 1.0
    floor = {"sse": 0.25, "mse": 0.25, "nmse": 0.5}
    report = ("Half of the rows are missing.",)

    @property
    def fingerprint(self):
        return os.environ.get("PROXIED", "")

    @property
    def bounds(self):
        return torch.tensor([[0.0, 0.0], [1.0, 1.0]]).double()

    def sample_prior(self, n, generator):
        return torch.rand(n, 2, generator=generator, dtype=torch.float64)

    def simulate(self, x):
        return torch.where(torch.isfinite(x).all(1), x.sum(1), torch.nan)[:, None]

    @property
    def operators(self):
        return {"full": lambda x: self.simulate(x) + 0.5}

    def diagnose(self, x):
        return {"first": x[:, 0]}
"""
RUN = ["run", "--preset", "smoke", "--methods", "prior,lookup", "--tasks", "proxied", "--out", "here", "--quiet"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    install(monkeypatch, tmp_path, SOURCE, tasks={"proxied": "Proxied"})
    return tmp_path


def records(place: Path) -> dict[str, Record]:
    found = [read(path) for path in record_files(place / "here")]
    return {record.label.method: record for record in found}


def test_what_a_task_says_of_itself_is_printed_and_recorded(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(RUN) == 0
    assert "proxied: Half of the rows are missing." in capsys.readouterr().out
    for record in records(place).values():
        assert record.data is not None and record.data.floor == {"sse": 0.25, "mse": 0.25, "nmse": 0.5}
        assert record.data.report == ["Half of the rows are missing."]
        first = record.scores["diagnosis"].values["found"]["first"]
        assert 0 <= first["mean"] <= 1 and first["designs"] == 60


def test_another_operator_is_recorded_beside_scores_that_stay(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(RUN) == 0
    before = records(place)
    assert main(["rescore", "--out", "here", "--protocols", "operators[operator=full,designs=7]"]) == 0
    after = records(place)
    for name, record in after.items():
        compared = record.scores["operators"].values["compared"]
        assert set(compared) == {"targets", "fixed"}
        for found in compared.values():
            assert (found["designs"], found["valid"]) == (7, 1.0)
            assert found["mse_between"] == pytest.approx(0.25)
        others = before[name].scores.keys() - {"operators"}
        assert all(plain(record.scores[other]) == plain(before[name].scores[other]) for other in others)
    lookup = after["lookup"].scores["multi-target"].values["errors"]["mse"]["mean"]
    assert lookup < 0.01  # so that nearly all of the other operator's error is what lies between the two
    assert main(["verify", "--out", "here"]) == 0
    capsys.readouterr()
    assert main(["table", "operators", "--out", "here"]) == 0
    lines = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("| proxied")]
    assert {(line[2].strip(), line[3].strip(), line[4].strip()) for line in lines} == {
        ("full", method, targets) for method in ("prior", "lookup") for targets in ("many", "y*")
    }
    assert all(line[-2].strip() == "0.25" for line in lines)
    assert main(["rescore", "--out", "here", "--protocols", "operators[operator=fall]"]) == 3
    assert capsys.readouterr().out.count("left as it is: Unknown operator 'fall'") == 2


def test_what_a_task_reads_is_part_of_the_key(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = set()
    for content in ("", "one", "other"):
        monkeypatch.setenv("PROXIED", content)
        assert main([*RUN, "--methods", "prior"]) == 0
        keys |= {path.parent.name for path in record_files(place / "here")}
    assert len(keys) == 3
    declared = [json.loads(path.read_text())["declared"] for path in record_files(place / "here")]
    assert sorted(item["task"].get("fingerprint", "") for item in declared) == ["", "one", "other"]


def test_data_that_cells_share_are_prepared_once_in_the_main_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    noted = SOURCE.replace(
        "    @property\n    def operators",
        "    def prepare(self, n, generator):\n"
        "        with open('prepared', 'a') as stream:\n"
        "            stream.write(f'{os.getpid()} {n} {generator.initial_seed()}\\n')\n"
        "        print('simulating', file=__import__('sys').stderr)\n"
        "        if os.environ.get('UNPREPARED'):\n"
        "            raise ValueError('no room')\n\n"
        "    @property\n    def operators",
    )
    assert noted != SOURCE
    install(monkeypatch, tmp_path, noted, tasks={"proxied": "Proxied"})
    assert main(RUN) == 0
    (line,) = (tmp_path / "prepared").read_text().splitlines()
    assert line.split()[:2] == [str(os.getpid()), "2000"]
    assert main(RUN) == 0
    assert len((tmp_path / "prepared").read_text().splitlines()) == 1, "nothing was to run"
    assert "simulating" not in capsys.readouterr().err, "--quiet"
    assert main([item for item in [*RUN, "--force"] if item != "--quiet"]) == 0
    assert "simulating" in capsys.readouterr().err
    monkeypatch.setenv("UNPREPARED", "1")
    capsys.readouterr()
    assert main([*RUN, "--force"]) == 0
    assert "proxied: its data could not be prepared: no room" in capsys.readouterr().err
