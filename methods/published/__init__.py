"""The papers' numbers under our names, each with how its protocol differs from ours.

The differences, `notes.csv`, were read in the authors' public code (BDIMNNA at 354473f for Ren et al. 2020,
AEM_DIM_Bench at 1ff82bf for Ren et al. 2022, MatDesINNe at 2c7ab5e for iPage) and in the papers' text; each has its
evidence.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

from harness.reporting.published import Published

METHODS = {
    "MDN": "mdn",
    "INN": "inn",
    "cINN": "cinn",
    "cVAE": "cvae",
    "NA": "na",
    "Tandem": "tandem",
    "iPage": "ipage",
    # The ablations of Ren Table 5; E4 is NA itself, whose value Table 3 prints.
    "NA_E1": "na[boundary_loss=off,starts=uniform]",
    "NA_E2": "na[starts=uniform]",
    "NA_E3": "na[boundary_loss=off]",
    "NA_E4": "na",
    "MDN (K=16)": "mdn",
    "prior": "prior",
}

TASKS = {
    "meta_material": "metamaterial",
    "shell_peurifoy": "shell",
    "stack_chen": "stack",
    "kinematics": "robotic_arm[convention=kruse]",
}
"""Tasks that the papers call otherwise."""

MEASURES = {
    "resim_mse_multi_target": ("multi-target", "sse", 1.0),
    "resim_mse_single_target": ("fixed-target", "sse", 1.0),
    "err_resim": ("multi-target", "sse", 1.0),
    "r_T@1": ("r_1", "mse", 1.0),
    "r_T@200": ("r_200", "mse", 1.0),
    "mmd_posterior": ("posterior", "mmd", 1.0),
    "err_post_mmd": ("posterior", "mmd", 1.0),
    "surrogate_val_mse": ("surrogate", "mse", 1.0),
    "inference_time_1000": ("seconds", "s", 1.0),
    "inference_time_1000x1000": ("seconds", "s", 1e-3),
    "n_params_millions": ("parameters", "", 1e6),
    "model_size_mb": ("checkpoint", "B", 1e6),
    "training_time_s": ("training", "s", 1.0),
}
"""What a printed metric is here: the measure, the metric, and the factor from the printed unit to ours. Not among them
are sizes and settings, bounds such as `< 1 ms`, the best of methods without a name, and biased estimates."""

PAPERS = ("ipage2023", "ren2020", "ren2022", "kruse2021", "later")
BESIDE = ("ipage2023", "ren2020", "ren2022")
"""The papers whose values the tables show beside ours."""


def load() -> Iterator[Published]:
    """All printed values that measure something of ours, paper by paper: the entry point of `harness.published`."""
    seen = set()
    for paper in PAPERS:
        for row in _rows(f"{paper}.csv"):
            if row["metric"] in MEASURES and _number(row["value"]) is not None:
                value = _value(paper, row)
                key = value.measure, value.task, value.method
                beside = paper in BESIDE and row["method"] in METHODS and key not in seen
                seen |= {key} if beside else set()
                yield value if beside else value.aside()


def _value(paper: str, row: Mapping[str, str]) -> Published:
    measure, metric, scale = MEASURES[row["metric"]]
    task, method = TASKS.get(row["task"], row["task"]), METHODS.get(row["method"], row["method"])
    notes = [
        note for note in _rows("notes.csv") if note["paper"] == paper and _applies(note, row["table"], task, method)
    ]
    std = _number(row["std"])
    return Published(
        source=_source(paper, row),
        measure=measure,
        task=task,
        method=method,
        metric=metric,
        value=float(row["value"]) * scale,
        std=None if std is None else std * scale,
        differences=tuple((_place(note), note["differs"]) for note in notes),
        paper=paper,
        comparable=all(note["comparable"] == "yes" for note in notes),
        second_hand="SECOND-HAND" in row["notes"],
        evidence=tuple(note["evidence"] for note in notes),
        tried=next((one["tried"] for one in _rows("tried.csv") if (one["task"], one["method"]) == (task, method)), ""),
    )


def _source(paper: str, row: Mapping[str, str]) -> str:
    """What tables call it."""
    if paper == "later":
        return "NeuLag" if row["source"].startswith("NeuLag") else "a replication of Kruse"
    name = {"ipage2023": "iPage", "ren2020": "Ren", "ren2022": "Ren 2022", "kruse2021": "Kruse"}[paper]
    return name if paper == "ren2022" else f"{name} Table {row['table']}"


def _applies(note: Mapping[str, str], table: str, task: str, method: str) -> bool:
    """Whether a note is about a value; one about a method is also about its variants, as `na` is about `na[...]`."""
    pairs = (
        (note["table"].split(), (table,)),
        ([note["task"]], (task,)),
        ([note["method"]], (method, method.partition("[")[0])),
    )
    return all(wanted == ["*"] or {*wanted} & {*own} for wanted, own in pairs)


def _place(note: Mapping[str, str]) -> str:
    """Where a note applies: to all of a table, or to a task or a method alone."""
    places = [note[name] for name in ("method", "task") if note[name] != "*"]
    return places[0] if places else "all"


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


@cache
def _rows(name: str) -> tuple[Mapping[str, str], ...]:
    return tuple(csv.DictReader(files(__package__).joinpath(name).read_text(encoding="utf-8").splitlines()))
