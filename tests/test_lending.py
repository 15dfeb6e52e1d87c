"""Cells that learn the same share one model, and their numbers are those of models of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import answers
from harness.config import Settings
from harness.lending import arranged, borrowed
from harness.plan import Cell
from harness.records import read
from harness.running import execute, pending
from harness.schema import Record
from harness.store import RECORD, Store
from harness.work import LOG, MODEL, Work, everything
from tests.stored import cells, edit, put, tiny

GAPS = "gaps[hide=random,share=0.5]"
SHARING = f"base,shift,{GAPS}"


def todo(planned: list[Cell], root: Path, **settings: bool) -> dict[Cell, Work]:
    return pending(planned, Store(root), Settings(methods="", tasks="", out=str(root), **settings))


def make(planned: list[Cell], root: Path, jobs: int = 2) -> dict[str, Record]:
    settings = Settings(methods="", tasks="", out=str(root), quiet=True)
    assert execute(todo(planned, root), Store(root), jobs, settings) == 0
    return {cell.label: read(Store(root).path(cell) / RECORD) for cell in planned}


def designs(cell: Cell, root: Path) -> list[list[object]]:
    folder = Store(root).path(cell)
    return [answers.read(path).x.tolist() for path in sorted(folder.glob("*.npz"))]


@pytest.mark.parametrize("scenario", ["shift", GAPS, "gaps[share=0,training=true]"])
def test_a_scenario_that_changes_no_pair_learns_what_its_task_does(scenario: str) -> None:
    (own,) = cells("mdn", "robotic_arm", scenarios=scenario)
    (base,) = cells("mdn", "robotic_arm")
    assert own.learner == base and own.digests["model"] == base.digests["model"]
    assert own.digests["data"] != base.digests["data"]
    question = next(iter(own.questions["multi-target"].values()))
    assert own.answer_digest(question) != base.answer_digest(question)


@pytest.mark.parametrize("scenario", ["noise", "pairs[n=50]", "conditions", "gaps[training=true,fill=nearest]"])
def test_a_scenario_that_changes_pairs_learns_for_itself(scenario: str) -> None:
    (own,) = cells("mdn", "robotic_arm", scenarios=scenario)
    assert own.learner is own and own.digests["model"] != cells("mdn", "robotic_arm")[0].digests["model"]


def test_of_a_plan_one_cell_trains_and_the_others_borrow(tmp_path: Path) -> None:
    planned = cells("mdn,na", "robotic_arm", scenarios=f"shift,{GAPS},noise,base")
    found = todo(planned, tmp_path)
    lenders = {cell.label: work.lender and work.lender.label for cell, work in found.items() if not work.train}
    assert lenders == {f"robotic_arm/{m}/{s}/0": f"robotic_arm/{m}/0" for m in ("mdn", "na") for s in ("shift", GAPS)}
    assert all(work.anew for work in found.values())


def test_without_the_base_the_first_of_a_plan_trains() -> None:
    first, second = planned = cells("mdn", "robotic_arm", scenarios=f"shift,{GAPS}")
    found = arranged({cell: everything(cell, "no record") for cell in planned}, Store("nowhere"))
    assert found[first].train and found[second].lender == first


@pytest.mark.parametrize("asked", [{}, {"all": {"targets": 5, "repeats": 1}, "shift": {"targets": 8}}])
def test_borrowed_models_give_what_own_ones_would(tmp_path: Path, asked: dict[str, dict[str, int]]) -> None:
    planned = cells("mdn", "robotic_arm", tiny(scenarios=asked), scenarios=SHARING)
    given = [asked.get("shift", {}).get("targets", 6), asked.get("all", {}).get("targets", 6)]
    assert [cell.data.targets for cell in planned] == [6, *given]
    assert len({cell.digests["model"] for cell in planned}) == 1
    together = make(planned, tmp_path / "together")
    base = together["robotic_arm/mdn/0"]
    for cell in planned:
        record = together[cell.label]
        assert record.status == "ok" and record.files[MODEL] == base.files[MODEL] and LOG in record.files
        assert record.model is not None and base.model is not None and record.model.phases == base.model.phases
        assert record.seconds["training"] == base.seconds["training"] > 0
        assert record.stamps[record.model.stamp] == base.stamps[base.model.stamp]
        alone = make([cell], tmp_path / cell.key)[cell.label]
        assert record.data is not None and alone.data is not None
        assert (record.data.split, record.data.targets) == (alone.data.split, alone.data.targets)
        assert designs(cell, tmp_path / "together") == designs(cell, tmp_path / cell.key)
        assert alone.model is not None and alone.model.stamp == 0
        assert {name: score.values for name, score in record.scores.items() if name != "inference-time"} == {
            name: score.values for name, score in alone.scores.items() if name != "inference-time"
        }
    assert not todo(planned, tmp_path / "together") and not Store(tmp_path / "together").verify()


def test_a_model_of_an_earlier_run_serves_also_where_its_cell_is_not_planned(tmp_path: Path) -> None:
    (base,), (other,) = cells("mdn", "robotic_arm"), cells("mdn", "robotic_arm", scenarios="shift")
    put(base, tmp_path)
    assert todo([other], tmp_path)[other].lender == base
    assert todo([other], tmp_path, force=True)[other].train


def test_what_cannot_be_lent_is_not(tmp_path: Path) -> None:
    (base,) = cells("mdn", "robotic_arm")
    store = Store(tmp_path)
    assert borrowed(store, base) is None
    folder = put(base, tmp_path)
    assert borrowed(store, base) is not None
    record = read(folder / RECORD)
    edit(folder, digests={**record.digests, "model": "0"})
    assert borrowed(store, base) is None
    edit(folder, digests=record.digests, status="failed", error={"type": "ValueError", "message": "no"})
    assert borrowed(store, base) is None
    put(base, tmp_path / "exported")
    Store(tmp_path / "exported").export(tmp_path / "small", largest=1)
    assert borrowed(Store(tmp_path / "small"), base) is None


def test_where_the_lender_has_no_model_in_the_end_a_cell_learns_for_itself(tmp_path: Path) -> None:
    base, other = cells("mdn", "robotic_arm", scenarios="base,shift")
    work = todo([base, other], tmp_path)[other]
    assert work.lender == base
    assert execute({other: work}, Store(tmp_path), 1, Settings(methods="", tasks="", quiet=True)) == 0
    record = read(Store(tmp_path).path(other) / RECORD)
    assert record.status == "ok" and MODEL in record.files and record.seconds["training"] > 0
