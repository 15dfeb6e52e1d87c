"""Synthetic records, as a run would have written them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.records import content_key, serialise

TASKS: Mapping[str, tuple[float, ...]] = {"sinewave": (1.0,), "robotic_arm": (0.2, 0.34), "ballistics": (9.9,)}
METHODS = ("mdn", "inn", "cinn", "cvae", "tandem", "na", "na-lm", "ipage", "ipage-lm", "prior", "lookup", "kernel")
GROUPS = {
    "prior": ["baselines"],
    "lookup": ["baselines"],
    "kernel": ["baselines"],
    "na-lm": ["variants"],
    "ipage-lm": ["variants"],
}
TRIALS = [1, 10, 20, 30, 40, 50, 100, 200]
RANKED = ("na", "na-lm", "kernel")


def digest(text: str) -> str:
    """A SHA-256 that stands for a hash of data or sources."""
    return hashlib.sha256(text.encode()).hexdigest()


def declared(task: str, method: str, seed: int, budget: int = 150_000) -> dict[str, Any]:
    """What a cell declares."""
    return {
        "task": {"name": task, "version": "1", "options": {}, "source": digest("tasks")},
        "method": {"name": method, "version": "1", "options": {}, "source": digest("methods")},
        "budget": budget,
        "schedule": {"epochs": 150, "batch": 256, "optimiser": "adamw", "learning_rate": 2e-3, "decay": "cosine"},
        "protocol": {
            "targets": 1000,
            "proposals": 200,
            "repeats": 50,
            "fixed_proposals": 1000,
            "trials": TRIALS,
            "targets_from": "test",
            "data_seed": 0,
        },
        "seed": seed,
        "device": "cpu",
        "harness": {"version": "0.1.0", "source": digest("harness")},
    }


def record(task: str = "sinewave", method: str = "na", seed: int = 0, **changes: Any) -> dict[str, Any]:
    """The record of a cell that went well, with made-up numbers; `changes` replace top-level entries."""
    draw = random.Random(digest(f"{task} {method} {seed}"))
    trainable = method not in ("prior", "lookup", "kernel")
    made = {
        "schema": 1,
        "status": "ok",
        "error": None,
        "preset": "quick",
        "label": {"task": task, "method": method},
        "groups": {"task": ["analytic"], "method": GROUPS.get(method, ["paper"])},
        "declared": declared(task, method, seed),
        "data": {
            "split": digest(f"split of {task}"),
            "targets": digest(f"targets of {task}"),
            "n_train": 8000,
            "n_valid": 2000,
            "y_variance": list(TASKS.get(task, (1.0,))),
        },
        "parameters": {
            "trainable": 150_321 if trainable else 0,
            "stored": 151_000 if trainable else 20_000,
            "budget": 150_000 if trainable else None,
            "ratio": 1.002 if trainable else None,
            "width": 110 if trainable else None,
            "checkpoint_bytes": 605_128,
        },
        "training": {"seconds": 12.0, "phases": []},
        "candidates": _candidates(method),
        "scores": scores(task, method, draw),
        "timing": _timing(method, draw),
        **({"operators": _operators(draw)} if task == "ballistics" else {}),
        "provenance": {
            "cpu": "Some CPU",
            "cores": {"physical": 1, "logical": 2, "usable": 2},
            "threads": 1,
            "device": "cpu",
            "started": f"2026-01-0{seed + 1}",
        },
        "files": {},
    }
    return {**made, **changes}


def scores(task: str, method: str, draw: random.Random) -> dict[str, Any]:
    """Made-up scores whose metrics agree with each other."""
    level = 10 ** draw.uniform(-6, 0)
    falls = [level * count**-1.5 for count in TRIALS]
    variance = sum(TASKS.get(task, (1.0,)))
    dimension = len(TASKS.get(task, (1.0,)))
    scale = {"sse": 1.0, "mse": 1 / dimension, "nmse": 1 / variance}

    def errors() -> dict[str, Any]:
        return {
            metric: {"mean": level * by, "std": 0.02 * level * by, "median": 0.4 * level * by, "q90": 2 * level * by}
            for metric, by in scale.items()
        }

    curve = {
        metric: {"value": [by * value for value in falls], "low": [0.9 * by * value for value in falls],
                 "high": [1.2 * by * value for value in falls]}
        for metric, by in scale.items()
    }  # fmt: skip
    gap = {"believed": {"mean": 0.1 * level, "median": 0.01 * level}, "resimulated": {"mean": level, "median": level}}
    ranked = "best of the first T as ranked" if method in RANKED else "expected best of random T"
    return {
        "version": 1,
        "multi_target": {"targets": 1000, "repeats": 50, "valid": 0.9998, "in_box": 0.957, **errors()},
        "fixed_target": {"target": [1.2], "proposals": 1000, "repeats": 50, "valid": 1.0, "in_box": 0.9, **errors()},
        "r_T": {"T": TRIALS, "estimator": ranked, **curve},
        "surrogate_gap": gap if method in ("na", "na-lm", "tandem", "ipage", "ipage-lm", "kernel") else None,
        "novelty": {
            "nearest": 0.0 if method in ("lookup", "prior") else 0.021,
            "copies": 1.0 if method in ("lookup", "prior") else 0.0,
            "diversity": 1.4 if method != "tandem" else None,
            "accurate": 0.63,
        },
        "diagnosis": {"height [m]": {"designs": 1000, "mean": 2.0, "median": 1.9}} if task == "ballistics" else {},
    }


def failed(task: str = "sinewave", method: str = "cinn", seed: int = 0, status: str = "timeout") -> dict[str, Any]:
    """The record of a cell that failed before its data were known."""
    made = record(task, method, seed, status=status)
    made["error"] = {"type": "TimeoutError", "message": "the cell ran\nlonger than 30 m", "traceback": ""}
    for part in ("data", "parameters", "training", "candidates", "scores", "timing"):
        del made[part]
    return made


def write(root: Path, *records: Mapping[str, Any]) -> Path:
    """Put records where a run would have put them; returns the root."""
    for item in records:
        key = content_key(item["declared"])
        folder = root / item["declared"]["task"]["name"] / item["declared"]["method"]["name"] / key[:16]
        folder.mkdir(parents=True)
        (folder / "record.json").write_bytes(serialise({"key": key, **item}))
    return root


def _operators(draw: random.Random) -> dict[str, Any]:
    errors = {name: draw.uniform(0, 1) for name in ("mse", "mse_simulate", "mse_between")}
    return {"full": {name: {"designs": 100, "valid": 1.0, **errors} for name in ("multi_target", "fixed_target")}}


def _candidates(method: str) -> dict[str, Any]:
    ranked = method in RANKED
    generated = 256 if ranked else 200
    origins = {"lookup": "the same ranked proposals in every repeat"}
    return {
        "ranked": ranked or method == "lookup",
        "multi_target": {"generated": generated, "returned": 200},
        "fixed_target": {"generated": 1100 if ranked else 1000, "returned": 1000},
        "repeats_from": origins.get(method, "random halves of one candidate pool" if ranked else "fresh proposals"),
    }


def _timing(method: str, draw: random.Random) -> dict[str, Any]:
    stages = {"generation": 0.01, "localisation": 0.2} if method in RANKED else {}
    return {
        "training": draw.uniform(5, 30),
        "inference_1000": {
            "proposals": 1000,
            "seconds": draw.uniform(0.01, 1),
            "stages": stages,
            "noise_floor": 0.002,
            "exclusive": False,
        },
        "peak_memory_bytes": 412_000_000,
    }
