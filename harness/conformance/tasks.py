"""The properties of a task."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from harness.conformance.findings import Finding, examine, require, require_options, require_shape
from harness.conformance.round_trip import declared_kinds, round_trip
from harness.contracts import Task
from harness.resimulation import simulated
from harness.seeds import seeded

ROWS = 32
DRAWS = 4000
SECONDS = 2.0  # of simulation that the share of valid prior draws may cost; a slow task is asked for fewer
TOLERANCE = 1e-9  # relative and absolute: float64 with room for a different order of summation
COVER = 0.9  # least share of each dimension's prior draws inside the bounds, whose interval is at least 95 %
VALID = 0.5  # least share of prior draws that can be simulated: below it the training set is not the prior


def check_task(task: Task) -> list[Finding]:
    """All properties of a task, in order; the later ones are examined only where shapes, types and devices are right.

    Properties: declaration, shapes, dtypes, devices, batch equals loop, same seed, arguments, invalid rows, bounds,
    fixed target, prior, round trip, pairs, images, diagnosis.

    Args:
        task: with the options that are to be checked.
    """
    first = {"declaration": _declaration, "shapes": _shapes, "dtypes": _dtypes, "devices": _devices}
    findings = [examine(name, holds, [task]) for name, holds in first.items()]
    if not all(finding.ok for finding in findings):
        return findings
    later = {
        "batch equals loop": _batch_equals_loop,
        "same seed": _same_seed,
        "arguments": _arguments,
        "invalid rows": _invalid_rows,
        "bounds": _bounds,
        "fixed target": _fixed_target,
        "prior": _prior,
        "round trip": lambda task: round_trip(task, _draw(task, _affordable(task))),
        "pairs": _pairs,
        "images": _images,
        "diagnosis": _diagnosis,
    }
    return findings + [examine(name, holds, [task]) for name, holds in later.items()]


def _draw(task: Task, n: int, seed: int = 0) -> Tensor:
    return task.sample_prior(n, Generator().manual_seed(seed))


def _affordable(task: Task) -> int:
    """How many draws are simulated."""
    return max(10 * ROWS, min(DRAWS, int(SECONDS / task.cost * 1000))) if task.cost else DRAWS


def _close(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)


def _declaration(task: Task) -> None:
    for name in ("x_dim", "y_dim", "n_train"):
        value = getattr(task, name, None)
        require(isinstance(value, int) and value > 0, f"{name} is {value!r}; set it to a positive integer.")
    for name, size in (("x_labels", task.x_dim), ("y_labels", task.y_dim)):
        labels = getattr(task, name)
        require(len(labels) in (0, size), f"{name} has {len(labels)} entries; give {size} or none.")
    shape = task.x_shape
    require(shape is None or math.prod(shape) == task.x_dim, f"x_shape {shape} does not hold x_dim = {task.x_dim}.")
    points = task.y_dim if task.y_axis is None else len(task.y_axis[1])
    require(points == task.y_dim, f"y_axis has {points} values; give y_dim = {task.y_dim}.")
    require(task.cost >= 0, f"cost is {task.cost!r}; give the CPU seconds of 1000 simulations.")
    declared_kinds(task)
    require_options(type(task))


def _shapes(task: Task) -> None:
    for n in (ROWS, 1):
        x = _draw(task, n)
        require_shape(f"sample_prior({n})", x, (n, task.x_dim))
        require_shape(f"simulate of {n} designs", task.simulate(x.clone()), (n, task.y_dim))
        require_shape(f"in_support of {n} designs", task.in_support(x.clone()), (n,))


def _dtypes(task: Task) -> None:
    x = _draw(task, ROWS)
    found = {"sample_prior": x, "simulate": task.simulate(x.clone()), "bounds": task.bounds}
    for name, tensor in found.items():
        require(
            tensor.dtype == torch.float64,
            f"{name} is {tensor.dtype}; return torch.float64, in which designs are re-simulated.",
        )
    mask = task.in_support(x.clone())
    require(mask.dtype == torch.bool, f"in_support is {mask.dtype}; return a mask of torch.bool.")


def _devices(task: Task) -> None:
    x = _draw(task, ROWS)
    expected = None
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        moved = x.to(device)
        for name, result in (("simulate", task.simulate(moved.clone())), ("in_support", task.in_support(moved))):
            require(
                result.device == moved.device,
                f"{name} of designs on {moved.device} is on {result.device}; create tensors on the device of x.",
            )
        y = task.simulate(moved.clone()).cpu()
        expected = y if expected is None else expected
        require(_close(y, expected), f"simulate on {device} differs from the CPU by more than {TOLERANCE}.")


def _batch_equals_loop(task: Task) -> None:
    x = _draw(task, ROWS)
    for name, function in (("simulate", task.simulate), ("in_support", task.in_support)):
        together = function(x.clone()).double()
        alone = torch.cat([function(row.clone()[None]) for row in x]).double()
        require(
            _close(together, alone),
            f"{name} of {ROWS} designs at once differs from one at a time by more than {TOLERANCE}; "
            "let no row depend on another.",
        )


def _same_seed(task: Task) -> None:
    with seeded("pollution", 1):
        x = _draw(task, ROWS)
        y = task.simulate(x.clone())
    with seeded("pollution", 2):
        again, simulated = _draw(task, ROWS), task.simulate(x.clone())
    require(
        torch.equal(x, again),
        "sample_prior with the same seed gives other designs when the global random state differs; "
        "draw from the generator that it is given alone.",
    )
    require(not torch.equal(x, _draw(task, ROWS, seed=1)), "sample_prior ignores its generator; draw from it.")
    require(_close(y, simulated), "simulate gives other y for the same x; it must not draw random numbers.")


def _arguments(task: Task) -> None:
    x = _draw(task, ROWS)
    for name, function in (("simulate", task.simulate), ("in_support", task.in_support)):
        given = x.clone()
        function(given)
        require(torch.equal(given, x), f"{name} changes its argument; work on a copy.")


def _invalid_rows(task: Task) -> None:
    x = _draw(task, ROWS)
    spoilt = x.clone()
    spoilt[1, 0], spoilt[4, -1], spoilt[6] = math.nan, math.inf, -math.inf
    bad = torch.zeros(ROWS, dtype=torch.bool)
    bad[[1, 4, 6]] = True
    y = task.simulate(spoilt.clone())
    require(
        bool(y[bad].isnan().all()),
        "simulate gives numbers for designs with NaN or infinite entries; return NaN in every y of such a row.",
    )
    require(
        _close(y[~bad], task.simulate(x.clone())[~bad]),
        "a design with NaN or infinite entries changes the y of other designs; let no row depend on another.",
    )
    inside = task.in_support(spoilt.clone())
    require(not inside[bad].any(), "in_support is true for designs with NaN or infinite entries; return False.")


def _bounds(task: Task) -> None:
    bounds = task.bounds
    require_shape("bounds", bounds, (2, task.x_dim))
    low, high = bounds.cpu()
    require(
        bool(bounds.isfinite().all() and (low < high).all()), f"bounds {bounds.tolist()} are not finite low < high."
    )
    x = _draw(task, DRAWS)
    for i, share in enumerate(((x >= low) & (x <= high)).double().mean(0).tolist()):
        require(
            share >= COVER,
            f"bounds [{low[i]:.4g}, {high[i]:.4g}] hold {share:.0%} of the prior draws of dimension {i}; give the "
            "support of the prior, or its central 95 % interval.",
        )


def _fixed_target(task: Task) -> None:
    target = task.fixed_target
    require(len(target) == task.y_dim, f"fixed_target {target} has length {len(target)}; give {task.y_dim} numbers.")
    require(all(math.isfinite(value) for value in target), f"fixed_target {target} is not finite.")


def _prior(task: Task) -> None:
    x = _draw(task, _affordable(task))
    inside = float(task.in_support(x.clone()).double().mean())
    require(inside == 1, f"{1 - inside:.2%} of the prior draws are outside the hard domain; make in_support hold them.")
    valid = float(task.simulate(x.clone()).isfinite().all(-1).double().mean())
    require(
        valid >= VALID, f"only {valid:.0%} of the prior draws can be simulated; draw at least {VALID:.0%} that can."
    )


def _pairs(task: Task) -> None:
    pairs = task.pairs(ROWS, Generator().manual_seed(0))
    rows = len(pairs.x)
    require(1 <= rows <= ROWS, f"pairs({ROWS}) gives {rows} pairs; give at least one, and no more than asked for.")
    require_shape("x of pairs", pairs.x, (rows, task.x_dim))
    require_shape("y of pairs", pairs.y, (rows, task.y_dim))
    for name, part in (("x", pairs.x), ("y", pairs.y)):
        require(part.dtype == torch.float64, f"{name} of pairs is {part.dtype}; return torch.float64.")
        require(bool(part.isfinite().all()), f"{name} of pairs is not finite; leave such pairs out.")
    if type(task).pairs is not Task.pairs:  # otherwise they are prior draws, whose seed is a property of its own
        again = task.pairs(ROWS, Generator().manual_seed(0))
        same = torch.equal(pairs.x, again.x) and torch.equal(pairs.y, again.y)
        require(same, "pairs with the same seed differ; draw from the generator alone.")
        same = not simulated(task, pairs) or _close(task.simulate(pairs.x.clone()), pairs.y)
        require(same, "y of pairs is not what simulate gives; leave simulated_pairs out, or let them be the same.")


def _images(task: Task) -> None:
    x = _draw(task, ROWS)
    images = task.images(x.clone())
    require_shape(f"images of {ROWS} designs", images, (len(images), ROWS, task.x_dim))
    require(torch.equal(images[0], x), "the first image of a design is not the design itself.")
    y = task.simulate(x.clone())
    for index, image in enumerate(images):
        same = _close(task.simulate(image.clone()), y)
        require(same, f"image {index} of a design has another y; give only designs with exactly the same y.")


def _diagnosis(task: Task) -> None:
    for name, values in task.diagnose(_draw(task, ROWS)).items():
        require_shape(f"{name!r} of diagnose", values, (ROWS,))
