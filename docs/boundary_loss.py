"""Why the boundary loss helps (Ren, Padilla, Malof 2020, Figs. 6, 7): a sine of one x, searched with it and without.

`python docs/boundary_loss.py` trains the surrogate of `na` with three seeds, draws what it has learned with the designs
that the search returns, writes the picture and prints the numbers of the page.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import harness
from harness.reporting.drawing import STYLE

PICTURE = Path(__file__).parent / "figures" / "boundary-loss.png"
SEEDS, PROPOSALS = 3, 20
TARGETS = np.linspace(-0.95, 0.95, 41)[:, None]


def f(x: np.ndarray) -> np.ndarray:
    """Y = sin(3 pi x)."""
    return np.sin(3 * math.pi * x)


def solved(boundary_loss: str, seed: int) -> tuple[harness.Solver, np.ndarray, np.ndarray]:
    """The method, and for each proposal its x and its squared error by f."""
    x = np.random.default_rng(0).uniform(-1, 1, (1000, 1))
    pairs = harness.pairs(x, f(x), simulate=f, names=(["x"], ["y"]))
    solver = harness.fit(
        f"na[boundary_loss={boundary_loss},starts=uniform]", pairs, preset="smoke", epochs=300, seed=seed
    )
    designs = solver.propose(TARGETS, PROPOSALS, seed=seed)
    found = designs["x"].to_numpy()
    return solver, found, (f(found) - designs["y wanted"].to_numpy()) ** 2


def main() -> None:
    """Draw the picture and print the numbers."""
    with matplotlib.rc_context(STYLE):
        canvas = Figure(figsize=(7.0, 2.4), layout="constrained")
        FigureCanvasAgg(canvas)
        for axes, name in zip(canvas.subplots(1, 2, sharey=True), ("off", "on"), strict=True):
            outside, errors = [], []
            for seed in range(SEEDS):
                solver, found, squares = solved(name, seed)
                outside.append(float((abs(found) > 1).mean()))
                errors.append(float(squares.mean()))
            print(f"boundary_loss={name}: {np.mean(outside):.1%} outside, mean squared error {np.mean(errors):.2g}")
            draw(axes, solver, found, name)
        canvas.savefig(PICTURE, metadata={"Software": None})


def draw(axes: Any, solver: harness.Solver, found: np.ndarray, name: str) -> None:
    """The function, what the surrogate has learned of it, and the proposals on the surrogate."""
    line = np.linspace(-2.5, 2.5, 1001)
    axes.axvspan(-1, 1, color="#eeeeee", zorder=0)
    axes.plot(line, f(line), color="#888888", linewidth=0.8, label="y = f(x)")
    axes.plot(line, learned(solver, line), color="#0072B2", label="surrogate")
    seen = found[abs(found) < 2.5]
    axes.plot(seen, learned(solver, seen), "o", color="#D55E00", markersize=2, alpha=0.4, label="designs found")
    axes.set(xlabel="x", ylabel="y", ylim=(-3, 3), title=f"boundary loss {name}")
    axes.legend(loc="upper right", ncols=3)


def learned(solver: harness.Solver, x: np.ndarray) -> np.ndarray:
    """Y by the surrogate, in the units of the pairs."""
    scales = solver.given.scales
    with torch.no_grad():
        inner = scales[0].apply(torch.from_numpy(x)[:, None]).to(solver.method.dtype)
        y: np.ndarray = scales[1].undo(solver.method.surrogate(inner).double())[:, 0].numpy()
    return y


if __name__ == "__main__":
    main()
