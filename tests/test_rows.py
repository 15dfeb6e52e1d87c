"""Methods that return training designs: the harness takes the very designs, in the task's own precision."""

from __future__ import annotations

import pytest
import torch
from torch import Generator
from toys import Mixed, Waves

from harness import data as datasets
from harness.answers import Asker
from harness.conformance.trial import Fold, Trial
from harness.contracts import Proposals, Task
from harness.data import draw, pose, standardised
from harness.errors import ContractError
from harness.fitting import lesson
from harness.settings import DataSettings, Schedule
from methods.baselines import Lookup, Prior


class Offset(Waves):
    """Designs near 1e6 that differ by 1e-4, and y that differ by less than single precision tells apart."""

    def __init__(self) -> None:
        super().__init__(2, 1)

    def sample_prior(self, n, generator):
        return 1e6 + 1e-4 * super().sample_prior(n, generator)

    def simulate(self, x):
        return 1e9 + 1e-3 * super().simulate((x - 1e6) * 1e4)


def physical(task: Task, data, proposals: Proposals) -> torch.Tensor:
    """The designs that the harness takes."""
    given = lesson(task, data, budget=1, schedule=Schedule(), seed=0)
    return Asker(Prior(), given)._physical(proposals)


def fitted(kind: type, task: Task, n: int = 4000):
    data = draw(task, DataSettings(n_train=n, targets=50))
    method = kind()
    method.build(datasets.fitted(pose(task, data), method.dtype, "cpu"), 1)
    method.to(method.dtype)
    pairs = standardised((data.x_scale, data.y_scale), data.train, method.dtype, "cpu")
    method.fit(pairs, pairs, lambda phase: 0.0)
    return data, method, data.y_scale.apply(data.targets.shown).to(method.dtype)


@pytest.mark.parametrize("kind", [Prior, Lookup])
@pytest.mark.parametrize("task", [Offset(), Mixed(), Waves(3, 2)], ids=["offset", "mixed", "waves"])
def test_baselines_return_training_designs_bit_for_bit(kind, task) -> None:
    data, method, y = fitted(kind, task)
    proposals = method.propose(y, 7, Generator().manual_seed(0))
    x = physical(task, data, proposals)
    assert x.dtype == torch.float64 and x.shape == (50, 7, task.x_dim)
    known = {row.numpy().tobytes() for row in data.train.x}
    assert {row.numpy().tobytes() for row in x.flatten(0, 1)} <= known
    assert task.simulate(x.flatten(0, 1)).isfinite().all()


def test_lookup_finds_the_nearest_y_at_a_large_offset() -> None:
    task = Offset()
    data, method, y = fitted(Lookup, task)
    rows = method.propose(y, 1, Generator()).rows[:, 0]
    distance = (data.targets.shown - data.train.y.T).abs()
    assert torch.equal(distance.gather(1, rows[:, None])[:, 0], distance.min(1).values)
    assert len(data.train.y.float().unique()) == 1


def test_designs_of_a_methods_own_are_moved_to_valid_ones() -> None:
    task = Mixed()
    data = draw(task, DataSettings(n_train=300, targets=5))
    x = torch.randn(5, 8, 5, generator=Generator().manual_seed(0))
    moved = physical(task, data, Proposals(x))
    valid = moved[..., 4] > 0
    assert task.in_support(moved[valid]).all() and valid.any()
    torch.testing.assert_close(moved[..., 4], data.x_scale.undo(x.double())[..., 4])


@pytest.mark.parametrize("kind", [Prior, Lookup])
def test_the_baselines_name_the_rows_that_they_return(kind) -> None:
    trial = Trial(kind, Fold())
    trial.build()
    trial.fit()
    trial.check(trial.proposals, *trial.proposals.x.shape[:2])
    assert trial.proposals.rows is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows, count: rows + 1 - 2 * (rows > 0), "100% of the proposals are not the training designs"),
        (lambda rows, count: rows + count, "but there are .* training designs; number them from 0"),
        (lambda rows, count: rows.float(), "rows are torch.float32"),
        (lambda rows, count: rows[:, :1], "rows of the proposals has shape"),
    ],
)
def test_rows_that_are_wrong_are_found(change, message) -> None:
    class Wrong(Prior):
        def propose(self, y, n, generator):
            right = super().propose(y, n, generator)
            return Proposals(right.x, rows=change(right.rows, len(self.x)))

    trial = Trial(Wrong, Fold())
    trial.build()
    trial.fit()
    with pytest.raises(ContractError, match=message):
        trial.check(trial.proposals, *trial.proposals.x.shape[:2])
