"""Properties of all registered methods at once: what they propose, and that no option is without effect."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from toys import Trained, trained

from harness.options import hints, render
from harness.plan import Wanted, plan
from harness.presets import load
from harness.registry import discover
from harness.selection import select
from methods.published import METHODS

OURS = sorted(name for name, plugin in discover("methods").items() if plugin.distribution == "inverse-harness")
DIMS = [(3, 1), (2, 5), (1, 1), (1, 3)]
SEARCHES = ["na", "na-lm", "na-near", "ipage", "ipage-lm", "kernel", "cfm-lm"]

NEEDS = {
    "bins": "coupling=spline",
    "rotate": "coupling=spline",
    "padding_noise": "padding=2",
    "fit_weight": "loss=mmd",
    "surrogate_depth": "surrogate=mlp",
    "kernel.restarts": "steps=2",
    "na.restarts": "solver=lm,rank=off,steps=2",
    "na.tolerance": "solver=lm,rank=off,steps=2",
    "components": "components=2",
    "na.searches": "solver=lm,rank=off,steps=0",
    "na.screened": "starts=nearest",
    "ipage.searches": "localise=lm",
    "ipage.restarts": "localise=lm,steps=2",
    "ipage.tolerance": "localise=lm,steps=2",
    "ipage.surrogate_share": "surrogate=mlp",
    "cvae.inside": "sample=full",
    # After a moment's training the search ends in a corner of the box, from whatever start.
    **{
        f"cfm-lm.{option}": "steps=0"
        for option in ("depth", "waves", "draws", "inside", "nfe", "floor", "searches", "surrogate_share")
    },
    "cfm-lm.huber": "steps=1",
    "embedding": "embedding=0",
}
"""Options that matter only beside another one."""

ELSEWHERE = {f"cvfm.{option}" for option in ("carrier_depth", "carrier_share", "match_y", "kernel")}
"""Options that matter only between two populations, and are tried in `tests/methods/test_cvfm.py`."""

OTHER = {
    "weight_decay": 0.9,
    "huber": 0.1,
    "target_noise": 0.5,
    "padding": 3,
    "padding_noise": 0.5,
    "tolerance": 0.1,
    "fit_floor": 0.9,
    "restarts": 0,
    "steps": 1,
    "candidates": 20,
    "centres": 20,
    "surrogate_share": 0.25,
    "searches": 2,
    "screened": 30,
    "stay": 1.0,
    "warm_up": 0.5,
    "components": 4,
    "waves": 2,
    "passes": 1,
    "embedding": 2,
}
"""A value other than the default, where neither half nor less than it will do."""


SAME = {"covariance": "full", "univariate": "spline", "forward_state": "last"}
"""Values that the default comes to by itself for designs of few dimensions, or in so short a training."""


def cases() -> list[tuple[str, str, str]]:
    """Every option of every set of options: the method, the selection without it, the selection with another value."""
    found = []
    plugins = {name: plugin for name, plugin in discover("methods").items() if name in OURS}
    first = {plugin.load().Options: name for name, plugin in sorted(plugins.items(), reverse=True)}
    for options, name in sorted(first.items(), key=lambda item: item[1]):
        for item in fields(options):
            if f"{name}.{item.name}" in ELSEWHERE:
                continue
            context = NEEDS.get(f"{name}.{item.name}", NEEDS.get(item.name, ""))
            if context.partition("=")[0] not in {"", *(other.name for other in fields(options))}:
                context = ""
            for value in others(item.name, item.default, hints(options)[item.name]):
                own = render({item.name: value})[1:-1]
                given = own if context.startswith(f"{item.name}=") else ",".join(filter(None, [context, own]))
                found.append((name, f"{name}[{context}]" if context else name, f"{name}[{given}]"))
    return found


def others(name: str, default: Any, kind: Any) -> list[Any]:
    """Values of an option that are not its default."""
    if get_args(kind):
        return [choice for choice in get_args(kind) if choice not in (default, SAME.get(name))]
    if isinstance(default, bool):
        return [not default]
    if name in OTHER:
        return [OTHER[name]]
    return [default - 1 if isinstance(default, int) else default / 2]


def moment(selection: str) -> Trained:
    """A method after the shortest training in which every option can act: the box is small enough to be felt."""
    y_dim = 5 if "components" in selection or "embedding" in selection else 1
    return trained(selection, 2, y_dim, epochs=6, width=8, n_train=80, box=0.2)


@pytest.mark.parametrize("dims", DIMS, ids=lambda dims: f"{dims[0]}-to-{dims[1]}")
@pytest.mark.parametrize("name", OURS)
def test_proposals_are_designs_for_each_target_in_any_dimensions(name: str, dims: tuple[int, int]) -> None:
    made = trained(name, *dims)
    for b, n in ((6, 5), (1, 7), (3, 1)):
        proposals = made.propose(n, y=made.targets[:b])
        assert proposals.x.shape == (b, n, dims[0])
        assert proposals.x.dtype == made.method.dtype
        assert torch.isfinite(proposals.x).all()
        assert not proposals.x.requires_grad
        assert made.method.candidates(n) >= n
        if proposals.believed is not None:
            assert proposals.believed.shape == (b, n)
            assert (proposals.believed >= 0).all()


@pytest.mark.parametrize("name", OURS)
def test_proposals_follow_the_generator_and_leave_targets_and_networks_alone(name: str) -> None:
    made = trained(name, 3, 1)
    before, targets = {key: value.clone() for key, value in made.method.state_dict().items()}, made.targets.clone()
    first = made.propose(seed=1).x
    torch.randn(100)
    assert torch.equal(first, made.propose(seed=1).x)
    assert torch.equal(first, made.propose(seed=2).x) == (name in ("tandem", "lookup"))
    assert torch.equal(made.targets, targets)
    assert all(torch.equal(value, before[key]) for key, value in made.method.state_dict().items())


@pytest.mark.parametrize("name", OURS)
def test_what_is_ranked_comes_best_first_by_its_own_estimate(name: str) -> None:
    proposals = trained(name, 3, 1).propose(20)
    assert proposals.ranked == (name in ("na", "na-near", "lookup"))
    if proposals.ranked:
        assert proposals.believed is not None
        assert (proposals.believed.diff(dim=1) >= 0).all()


@pytest.mark.parametrize(("name", "without", "given"), cases(), ids=lambda value: value)
def test_every_option_is_accepted_and_does_something(name: str, without: str, given: str) -> None:
    one, other = moment(without), moment(given)
    assert not torch.equal(one.propose(64).x, other.propose(64).x)


@pytest.mark.parametrize("name", SEARCHES)
def test_localisation_lowers_the_error_of_the_surrogate_against_that_of_its_starts(name: str) -> None:
    context = "restarts=0," if name not in ("kernel", "cfm-lm") else ""
    if name == "na":
        context += "rank=off,"
    steps = {"na": 200, "ipage": 200}.get(name, 15)
    chosen = [trained(f"{name}[{context}steps={count}]", 3, 1, epochs=10, n_train=300) for count in (0, steps)]
    starts, ends = (made.propose(40, y=0.2 * made.targets).believed for made in chosen)
    assert starts is not None
    assert ends is not None
    assert float(ends.mean()) < 0.1 * float(starts.mean())
    assert float((ends <= starts).double().mean()) > 0.95


@pytest.mark.parametrize("name", ["mdn", "cinn", "inn", "cvae"])
def test_augmented_training_learns_from_fresh_designs_labelled_by_a_frozen_surrogate(name: str) -> None:
    made = trained(f"{name}[augment=surrogate]", epochs=8)
    assert made.logs[0].name == "surrogate"
    first, second = made.states
    surrogate = [key for key in first if "surrogate" in key]
    assert surrogate
    assert all(torch.equal(first[key], second[key]) for key in surrogate)
    x, y = made.method.augmentation._fresh(made.train.x)
    assert torch.equal(y, made.method.augmentation.surrogate(x))
    assert torch.cdist(x, made.train.x).min() > 0
    assert trained(name, epochs=8).method.augmentation.surrogate is None


ABLATIONS = {
    "E1": "na[boundary_loss=off,starts=uniform]",
    "E2": "na[starts=uniform]",
    "E3": "na[boundary_loss=off]",
    "E4": "na",
}
"""Ren et al. 2020, Table 5: without and with the design distribution for starts, without and with boundary loss."""


def test_the_ablations_of_the_neural_adjoint_are_selections_with_results_of_their_own() -> None:
    chosen = select("methods", ",".join(ABLATIONS.values()))
    assert [selection.label for selection in chosen] == list(ABLATIONS.values())
    base, tasks = select("scenarios", "base"), select("tasks", "ballistics,robotic_arm")
    cells = plan(Wanted(chosen, tasks, base, [], [0]), load("quick"))
    assert len({cell.key for cell in cells}) == 8
    designs = [moment(text).propose(8).x for text in ABLATIONS.values()]
    assert all(not torch.equal(a, b) for i, a in enumerate(designs) for b in designs[:i])


def test_the_published_ablations_stand_beside_these_selections() -> None:
    assert {name: METHODS.get(f"NA_{name}", METHODS["NA"]) for name in ABLATIONS} == ABLATIONS


def test_the_page_on_methods_says_how_the_ablations_are_selected() -> None:
    text = (Path(__file__).parents[1] / "docs" / "methods.md").read_text()
    for name, selection in ABLATIONS.items():
        assert re.search(rf"\| {name} \|.*`{re.escape(selection)}`", text), f"{name}: {selection}"
