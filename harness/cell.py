"""One cell from plan to record: the only place where task, method, training, evaluation and timing meet."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from harness import budget, data, inference, registry
from harness.contracts import Method, Phase, Task
from harness.evaluation import protocols
from harness.evaluation.resimulation import resimulate
from harness.plan import Cell
from harness.seeds import seeded
from harness.timing import Stopwatch
from harness.training import PhaseLog, Report, train

DESIGNS, MODEL, LOG = "designs.npz", "model.safetensors", "log.txt"


def run_cell(cell: Cell, folder: Path, report: Report) -> Iterator[dict[str, Any]]:
    """Train, propose, re-simulate and score; designs, model and log are written into the folder.

    Yields:
        Parts of the record as soon as they are known, so that a failure leaves those before it; a later part replaces
        an earlier one of the same name.

    Raises:
        Diverged, BudgetMissed, or whatever the plug-ins raise.
    """
    watch = Stopwatch()
    with watch("total"):
        with watch("data"):
            task = registry.build_task(cell.task)
            dataset = data.draw(task, cell.protocol)
        yield {"data": {**_data(dataset), "floor": dict(task.floor), "report": list(task.report)}}
        method, width = create(cell, task, dataset, watch)
        yield {"parameters": _parameters(cell, method, width)}
        with watch("training"):
            logs = fit(cell, method, dataset, report)
        phases = [asdict(log) for log in logs]
        yield {"training": {"seconds": watch.seconds["training"], "phases": phases}}
        with watch("proposing"), seeded("propose", cell.seed):
            method.eval()
            designs = protocols.collect(
                method,
                dataset,
                cell.protocol,
                cell.seed,
                cell.device,
                lambda done, total: report("proposing", done, total, None),
            )
        with watch("inference"), seeded("inference", cell.seed):
            report("timing", 0, 1, None)
            timed = inference.measure(method, dataset, cell.seed, cell.device, exclusive=False)
        with watch("resimulation"):
            report("re-simulating", 0, 1, None)
            reached = resimulated(task, designs)
        with watch("scoring"):
            scores = protocols.score(task, dataset, designs, cell.protocol, reached)
        with watch("writing"):
            write(folder, method, designs, logs)
    checkpoint = (folder / MODEL).stat().st_size
    yield {
        "parameters": {**_parameters(cell, method, width), "checkpoint_bytes": checkpoint},
        "candidates": _candidates(method, designs, cell),
        "scores": scores,
        "timing": {**watch.seconds, "inference_1000": timed, "peak_memory_bytes": _peak_memory(cell.device)},
    }


def create(cell: Cell, task: Task, dataset: data.Dataset, watch: Stopwatch) -> tuple[Method, int | None]:
    """The cell's method, sized to the budget and on its device, and its width."""
    with watch("build"):
        probe = registry.build_method(cell.method)
        problem = data.pose(task, dataset, probe, cell.device)
        method, width = budget.build_to_budget(
            lambda: registry.build_method(cell.method), problem, cell.budget, cell.seed
        )
        return method.to(cell.device), width


def fit(cell: Cell, method: Method, dataset: data.Dataset, report: Report) -> list[PhaseLog]:
    """Train the method; returns what each phase did."""
    pairs = [data.standardised(dataset, part, method.dtype, cell.device) for part in (dataset.train, dataset.valid)]
    logs: list[PhaseLog] = []

    def run(phase: Phase) -> float:
        logs.append(train(method, phase, pairs[0], pairs[1], cell.schedule, cell.seed, report))
        return logs[-1].best

    with seeded("train", cell.seed):
        method.train()
        method.fit(pairs[0], pairs[1], run)
    return logs


def resimulated(task: Task, designs: protocols.Designs) -> tuple[Tensor, Tensor]:
    """The true forward model of all designs: for the targets and for y*."""
    return resimulate(task, designs.multi), resimulate(task, designs.fixed)


def write(folder: Path, method: Method, designs: protocols.Designs, logs: list[PhaseLog]) -> None:
    """Write designs, model state and training log."""
    arrays: dict[str, Any] = {"multi": designs.multi.numpy(), "fixed": designs.fixed.numpy()}
    if designs.multi_believed is not None:
        arrays["multi_believed"] = designs.multi_believed.numpy()
    flags = np.array([designs.ranked, designs.pooled])
    np.savez(folder / DESIGNS, flags=flags, generated=np.array(designs.generated), **arrays)
    save_file({name: tensor.cpu().contiguous() for name, tensor in method.state_dict().items()}, folder / MODEL)
    lines = [f"{log.name}: epoch {e} training {t:.6g} validation {v:.6g}" for log in logs for e, t, v in log.curve]
    (folder / LOG).write_text("\n".join(lines) + "\n")


def read_designs(folder: Path) -> protocols.Designs:
    """The designs that `write` stored."""
    with np.load(folder / DESIGNS, allow_pickle=False) as stored:
        ranked, pooled = (bool(flag) for flag in stored["flags"])
        generated = (float(stored["generated"][0]), float(stored["generated"][1]))
        tensors = {name: torch.from_numpy(stored[name]) for name in stored.files if name not in ("flags", "generated")}
    believed = tensors.get("multi_believed")
    return protocols.Designs(tensors["multi"], tensors["fixed"], ranked, pooled, generated, believed)


def restore(method: Method, state: dict[str, Tensor]) -> None:
    """Load a stored state into a freshly built method; buffers take the size that training gave them."""
    for name, tensor in state.items():
        owner, _, leaf = name.rpartition(".")
        module = method.get_submodule(owner)
        if leaf in module._buffers and module._buffers[leaf] is not None:
            module.register_buffer(leaf, torch.empty_like(tensor))
    method.load_state_dict(state)


def _data(dataset: data.Dataset) -> dict[str, Any]:
    return {
        **dataset.hashes(),
        "n_train": len(dataset.train.x),
        "n_valid": len(dataset.valid.x),
        "y_variance": dataset.y_variance.tolist(),
    }


def _parameters(cell: Cell, method: Method, width: int | None) -> dict[str, Any]:
    trainable = budget.trainable_parameters(method)
    exempt = not method.trainable
    return {
        "trainable": trainable,
        "stored": budget.stored_numbers(method),
        "budget": None if exempt else cell.budget,
        "ratio": None if exempt else trainable / cell.budget,
        "width": width,
    }


def _candidates(method: Method, designs: protocols.Designs, cell: Cell) -> dict[str, Any]:
    returned, fixed = designs.multi.shape[1], cell.protocol.fixed_proposals
    return {
        "ranked": designs.ranked,
        "multi_target": {"generated": round(designs.generated[0]), "returned": returned},
        "fixed_target": {"generated": round(designs.generated[1]), "returned": fixed},
        "repeats_from": repeats_from(designs),
    }


def repeats_from(designs: protocols.Designs) -> str:
    """What the repeats differ in, in words."""
    if designs.pooled:
        return "random halves of one candidate pool"
    return "the same ranked proposals in every repeat" if designs.ranked else "fresh proposals"


def _peak_memory(device: str) -> int:
    if device.startswith("cuda"):
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
