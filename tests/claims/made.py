"""Records whose numbers are known beforehand, made of one of the reference."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from harness import by_target
from harness.claims import claim
from harness.claims.claim import Check, Claim
from harness.options import value_of
from harness.reporting import grouped
from harness.reporting.groups import Group
from harness.schema import Record
from harness.selection import parse
from harness.store import Store
from tests import results

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
TASK = "sinewave"


@cache
def base() -> Record:
    """A record of the reference, in no scenario."""
    wanted = TASK, "prior", "base"
    every = Store(REFERENCE).records()
    return next(item for item in every if (item.label.task, item.label.method, item.label.scenario) == wanted)


def of(label: str, seed: int, record: Record | None = None) -> Record:
    """A record of a method, with the options of its label."""
    name, options = parse(label)
    renamed = results.renamed(record or base(), name)
    plain = {key: value_of(text, int | str, key) for key, text in options.items()}
    method = msgspec.structs.replace(renamed.declared.method, options={"steps": 20, **plain})
    declared = msgspec.structs.replace(renamed.declared, method=method, seed=seed)
    return results.variant(renamed, declared=declared, label=msgspec.structs.replace(renamed.label, method=label))


def write(root: Path, label: str, *errors: Any) -> None:
    """A record for each of the errors `(targets,)`, the mse of the best of 200 proposals for each target."""
    for seed, each in enumerate(errors):
        curves = dict(base().scores["r_T"].values["curves"])
        curves["mse"] = {**curves["mse"], "value": [*curves["mse"]["value"][:-1], float(np.mean(each))]}
        put(root, results.scored(of(label, seed), "r_T", curves=curves), {"mse r_200": np.asarray(each, float)})


def put(root: Path, record: Record, numbers: Mapping[str, Any] | None = None) -> None:
    """One record, with numbers of its targets for r_T."""
    results.write(root, record)
    if numbers:
        by_target.write(Store(root).folder(record), "r_T", numbers)


def groups(root: Path) -> dict[str, Group]:
    """The groups below a root by task."""
    return {group.first.label.task: group for group in grouped(root)}


def checked(**fields: Any) -> Check:
    """A check with these fields."""
    return claimed([fields]).check[0]


def claimed(checks: list[dict[str, Any]], **fields: Any) -> Claim:
    """A claim with these checks."""
    usual = {"kind": "lower", "statistic": "r_T/mse/r_200", "method": "one", "tasks": TASK}
    content = {"claim": "It is so.", "source": "a paper", **fields}
    return claim.made("own", {**content, "check": [{**usual, **each} for each in checks]}, "own.toml")


def errors(seed: int, ratio: float = 1.0, targets: int = 200) -> Any:
    """Errors with difficulties that the targets have for every method."""
    difficulty = np.random.default_rng(targets).normal(size=targets)
    return ratio * 10 ** (difficulty + 0.1 * np.random.default_rng(seed).normal(size=targets))
