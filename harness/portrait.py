"""`show-task`: what a task is in words, and a picture of a few designs above their responses."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from torch import Generator, Tensor

from harness.contracts import Task, outputs
from harness.durable import write_whole
from harness.errors import UsageError
from harness.labels import labels
from harness.options import text_of
from harness.plan import specification
from harness.registry import build_task
from harness.reporting.figure import unit_of
from harness.selection import Selection

SHOWN = 4  # designs in the picture
BACKGROUND = 500  # prior draws behind a scalar response
SEED = 0


def portray(selection: Selection, picture: Path) -> str:
    """Draw the task into a PNG file; returns its description.

    Raises:
        UsageError: the picture cannot be written there.
    """
    task = build_task(specification(selection))
    (label,) = labels([selection], [getattr(task, "title", "")])
    draw(task, label, picture)
    return describe(task, label)


def describe(task: Task, label: str) -> str:
    """Name, dimensions, ranges, y*, options and sources of a task."""
    text = " ".join((type(task).__doc__ or "").split("References:")[0].split())
    low, high = task.bounds
    labels = task.x_labels or tuple(f"x{i + 1}" for i in range(task.x_dim))
    ranges = [f"  {name}: {a:.6g} to {b:.6g}" for name, a, b in zip(labels, low.tolist(), high.tolist(), strict=True)]
    if task.x_shape is not None:
        ranges = [f"  {task.x_dim} values, {' × '.join(map(str, task.x_shape))}: {low.min():.6g} to {high.max():.6g}"]
    labels_of_y = (
        task.y_labels if task.conditions is None else task.y_labels or [f"y{i + 1}" for i in range(task.y_dim)]
    )
    target = ", ".join(f"{value:.6g}" for value in task.fixed_target[:3]) + ", …" * (task.y_dim > 3)
    options = vars(task.options) if hasattr(task.options, "__dict__") else {}
    lines = [
        f"{label}: {task.x_dim} → {task.y_dim}, {task.n_train} training pairs, y* = {target}",
        text,
        "Designs:",
        *ranges,
        f"Response: {', '.join(labels_of_y[: outputs(task)]) or (task.y_axis or ('y',))[0]}",
        *(f"Given with a target: {name}" for name in labels_of_y[outputs(task) :]),
        *(f"Option {name} = {text_of(value)}" for name, value in options.items()),
        *(f"Source: {reference}" for reference in task.references),
    ]
    return "\n".join(lines)


def draw(task: Task, label: str, path: Path) -> None:
    """A few prior draws and their responses, as a PNG file."""
    if path.suffix != ".png" or not path.parent.is_dir():
        raise UsageError(
            f"--picture {str(path)!r} is not allowed. Allowed: a name that ends in .png, in a folder that exists."
        )
    pairs = task.draw(BACKGROUND if task.y_axis is None else SHOWN, Generator().manual_seed(SEED))
    figure = Figure(figsize=(3.2 * SHOWN, 6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{label}: designs drawn from the prior and their responses")
    for column in range(SHOWN):
        above = figure.add_subplot(2, SHOWN, column + 1)
        task.sketch(above, pairs.x[column])
        _readable(above)
        _respond(figure.add_subplot(2, SHOWN, SHOWN + column + 1), task, pairs.y, column)
    _save(figure, path)


def _readable(axes: Any) -> None:
    """What a task writes into its drawing stands out from any ground, and its legend is beside it, not over it."""
    axes.set(xlabel=unit_of(axes.get_xlabel()), ylabel=unit_of(axes.get_ylabel()))
    for text in axes.texts:
        text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
    if axes.get_legend() is not None:
        handles, names = axes.get_legend_handles_labels()
        axes.legend(
            handles, names, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False, fontsize="small"
        )


def _respond(axes: Any, task: Task, y: Tensor, which: int) -> None:
    """The response of one design: its curve, or its place among those of the prior; y* beside it."""
    target = torch.tensor(task.fixed_target)
    labels = [unit_of(label) for label in task.y_labels] or [f"y{i + 1}" for i in range(task.y_dim)]
    if task.y_axis is not None:
        name, values = task.y_axis
        axes.plot(values, target, color="0.7", label="y*")
        axes.plot(values, y[which], color="C0", label="this design")
        axes.set(xlabel=name, ylabel="y")
    elif task.y_dim == 2:
        axes.scatter(*y.T, s=4, color="0.8", label="prior")
        axes.scatter(*target[:, None], marker="+", color="C3", label="y*")
        axes.scatter(*y[which][:, None], color="C0", label="this design")
        axes.set(xlabel=labels[0], ylabel=labels[1])
    else:
        axes.hist(y[:, 0].tolist(), bins=40, color="0.8", label="prior")
        axes.axvline(float(target[0]), color="C3", linestyle=":", label="y*")
        axes.axvline(float(y[which, 0]), color="C0", label="this design")
        axes.set(xlabel=labels[0], ylabel=f"designs, of {len(y)}")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False, fontsize="small")


def _save(figure: Figure, path: Path) -> None:
    """Write the picture whole, or not at all.

    Raises:
        UsageError: it cannot be written there.
    """
    content = BytesIO()
    figure.savefig(content, format="png", dpi=100)
    try:
        write_whole(path, content.getvalue())
    except OSError as error:
        raise UsageError(
            f"--picture {str(path)!r} cannot be written: {error.strerror or error}. Free space, or give another place."
        ) from error
