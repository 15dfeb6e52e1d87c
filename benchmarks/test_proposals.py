"""1000 proposals for the fixed target: the whole of it, the search alone, and one search against the other."""

from __future__ import annotations

from itertools import product

import pytest
from workload import METHODS, SEARCHES, STAGES, described, localising, trained

PROPOSALS = 1000

LOCALISATIONS = {
    "adam 300": {"steps": 300},
    "lm 10": {"steps": 10, "restarts": 0},
    "lm 10 + restarts": {"steps": 10, "restarts": 10},
}
SOLVER = {"na": "solver", "ipage": "localise", "ipage-lm": "localise"}


@pytest.mark.benchmark(group="1000 proposals")
@pytest.mark.parametrize("name", METHODS)
def test_proposals(benchmark, device: str, name: str) -> None:
    workload = trained(name, device)
    benchmark.extra_info.update(
        described(workload), proposals=PROPOSALS, candidates=workload.method.candidates(PROPOSALS)
    )
    benchmark.pedantic(workload.propose, args=(PROPOSALS,), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="localisation of 1000 proposals", timer=localising)
@pytest.mark.parametrize("name", SEARCHES)
def test_localisation(benchmark, device: str, name: str) -> None:
    workload = trained(name, device)
    workload.method.stage = STAGES
    benchmark.extra_info.update(described(workload), candidates=workload.method.candidates(PROPOSALS))
    benchmark.pedantic(workload.propose, args=(PROPOSALS,), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="localisation of 1000 proposals through one surrogate", timer=localising)
@pytest.mark.parametrize(("name", "kind"), [*product(SOLVER, LOCALISATIONS)], ids=lambda value: value.replace(" ", "_"))
def test_adam_against_levenberg_marquardt(benchmark, device: str, name: str, kind: str) -> None:
    options = {SOLVER[name]: kind.partition(" ")[0], **LOCALISATIONS[kind]}
    workload = trained(name, device).searching(**options, **({"rank": False} if name == "na" else {}))
    workload.method.stage = STAGES
    errors = workload.errors(workload.propose(PROPOSALS))
    benchmark.extra_info.update(described(workload), mean_mse=float(errors.mean()), median_mse=float(errors.median()))
    benchmark.pedantic(workload.propose, args=(PROPOSALS,), rounds=2)
