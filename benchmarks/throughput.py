"""Designs a second of every forward model: the tasks' own and their other operators, on a device."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Generator, Tensor

from harness.registry import discover
from harness.timing import clock

ENOUGH = 0.5  # seconds that a call must take to be measured by
LARGEST = 1 << 17  # designs


def throughput(simulate: Callable[[Tensor], Tensor], draw: Callable[[int], Tensor], device: str) -> tuple[int, float]:
    """Designs of the last call and its seconds; calls grow until one takes long enough."""
    designs = 1
    simulate(draw(1).to(device))  # what is done once
    while True:
        x = draw(designs).to(device)
        started = clock(device)
        y = simulate(x)
        seconds = clock(device) - started
        assert len(y) == designs
        if seconds > ENOUGH or designs >= LARGEST:
            return designs, seconds
        designs = min(LARGEST, designs * max(2, min(16, int(ENOUGH / max(seconds, 1e-4)))))


def forward_models() -> Iterator[tuple[str, str, Callable[[Tensor], Tensor], Callable[[int], Tensor]]]:
    """Task, operator (empty for the task's own), the model, and draws of designs."""
    for name, plugin in discover("tasks").items():
        if plugin.required or plugin.error:
            continue
        task = plugin.load()()

        def draw(n: int, task: object = task) -> Tensor:
            return task.sample_prior(n, Generator().manual_seed(0))  # type: ignore[attr-defined]

        for operator, simulate in {"": task.simulate, **task.operators}.items():
            yield name, operator, simulate, draw


def main() -> None:
    """Measure all of them, print a line each, and write what was measured so far after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = []
    for task, operator, simulate, draw in forward_models():
        entry: dict[str, object] = {"task": task, "operator": operator, "device": arguments.device}
        try:
            with torch.no_grad():
                designs, seconds = throughput(simulate, draw, arguments.device)
            entry |= {"designs": designs, "seconds": seconds, "per_second": designs / seconds}
        except Exception as error:  # a model that cannot run there is told, and the others are measured
            entry["error"] = f"{type(error).__name__}: {error}"
        found.append(entry)
        told = entry.get("error") or f"{entry['per_second']:.4g} designs/s ({entry['designs']} in {seconds:.2f} s)"
        print(f"{task} {operator}".strip(), told, flush=True)
        arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
