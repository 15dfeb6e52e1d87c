"""The properties of a method, examined on two small problems with a short training."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn

from harness.budget import stored_numbers
from harness.conformance.findings import Finding, ViolationError, examine, require, require_options
from harness.conformance.trial import (
    PROPOSALS,
    TARGETS,
    Fold,
    Slope,
    Trial,
    Valley,
    difference,
    trainable_tensors,
)
from harness.contracts import Method, Pairs
from harness.errors import ContractError
from harness.fitting import restore
from harness.seeds import seeded

FINITE = 0.9  # least share of finite designs after a short training
SAME_ROWS = 0.95  # of the proposals for unchanged targets: a batched search may stop some rows differently
SAME_DESIGN = 1e-3  # largest difference, in standardised x, that counts as the same proposal
HANDLED = frozenset({"gaps", "partial", "lone", "conditions"})
EXACT = 1e-5  # of a restored method: the same numbers up to the memory layout of its tensors


def check_method(create: Callable[[], Method]) -> list[Finding]:
    """All properties of a method, in order; later ones are examined only where it can be built, trained and asked.

    Args:
        create: the method class, or what returns a fresh method.

    Properties: declaration, budget, training, answers, devices; then honest count, finite, same seed, other targets,
    state, arguments, gaps, incomplete, conditions; the last three are of methods whose `handles` name them.
    """
    findings = [examine("declaration", _declaration, [create])]
    if not findings[0].ok:
        return findings
    trials = [Trial(create, Valley()), Trial(create, Fold())]
    first = {"budget": _budget, "training": _training, "answers": _answers, "devices": _devices}
    for name, holds in first.items():
        findings.append(examine(name, _located(holds), trials))
        if not findings[-1].ok:
            return findings
    later = {
        "honest count": _honest_count,
        "finite": _finite,
        "same seed": _same_seed,
        "other targets": _other_targets,
        "state": _state,
        "arguments": _arguments,
        "gaps": _gaps,
        "incomplete": _incomplete,
    }
    findings += [examine(name, _located(holds), trials) for name, holds in later.items()]
    return [*findings, examine("conditions", _located(_conditions), [Trial(create, Slope())])]


def _located(holds: Callable[[Trial], None]) -> Callable[[Trial], None]:
    """The same property, saying on which problem it was violated."""

    def located(trial: Trial) -> None:
        try:
            holds(trial)
        except (ViolationError, ContractError) as violation:
            raise ViolationError(f"{trial.where}: {violation}") from violation

    return located


def _declaration(create: Callable[[], Method]) -> None:
    method = create()
    require(isinstance(method, Method), f"{create!r} gives {type(method).__name__}; subclass harness.contracts.Method.")
    require(method.dtype.is_floating_point, f"dtype is {method.dtype}; set torch.float32 or torch.float64.")
    odd = sorted(set(method.handled) - HANDLED)
    require(not odd, f"handles names {', '.join(odd)}; allowed are {', '.join(sorted(HANDLED))}.")
    require_options(type(method))


def _budget(trial: Trial) -> None:
    trial.build()


def _training(trial: Trial) -> None:
    trial.fit()


def _answers(trial: Trial) -> None:
    for b, n in ((TARGETS, PROPOSALS), (1, PROPOSALS), (TARGETS, 1)):
        trial.check(trial.propose(trial.method, trial.targets[:b], n), b, n)


def _devices(trial: Trial) -> None:
    trials = [trial]
    if torch.cuda.is_available():
        trials.append(Trial(trial.create, trial.task, "cuda"))
        trials[1].build()
        trials[1].fit()
    for each in trials:
        proposals = each.proposals
        for name, tensor in (("x", proposals.x), ("believed", proposals.believed)):
            require(
                tensor is None or tensor.device == each.targets.device,
                f"{name} of proposals for targets on {each.targets.device} is on {getattr(tensor, 'device', None)}; "
                "create tensors on the device of y, and draw from the generator on its own device.",
            )


def _honest_count(trial: Trial) -> None:
    counted = {id(parameter) for parameter in trial.counted}
    reached = (*trial.trained, *trainable_tensors(trial.method))
    hidden: dict[int, Tensor] = {id(tensor): tensor for tensor in reached if id(tensor) not in counted}
    hidden |= {id(tensor): tensor for tensor in _changed_while_frozen(trial)}
    numbers = sum(tensor.numel() for tensor in hidden.values())
    require(
        not hidden,
        f"{numbers} trainable numbers are missing from the {sum(item.numel() for item in trial.counted)} that count "
        "against the budget; create every network in `build`, as an attribute of the method, and leave its parameters "
        "trainable there.",
    )


def _changed_while_frozen(trial: Trial) -> list[nn.Parameter]:
    """Parameters that do not count but changed, less those that can be a copy of others, such as a best state."""
    counted = {id(parameter) for parameter in trial.counted}
    built = dict(trial.fresh(0).named_parameters())
    changed: list[nn.Parameter] = []
    originals: Counter[tuple[int, ...]] = Counter()
    for name, parameter in trial.method.named_parameters():
        same = name in built and built[name].shape == parameter.shape and not difference(built[name], parameter)
        if same or id(parameter) in counted:
            originals[tuple(parameter.shape)] += 1
        else:
            changed.append(parameter)
    found = []
    for parameter in changed:
        originals[tuple(parameter.shape)] -= 1
        if originals[tuple(parameter.shape)] < 0:
            found.append(parameter)
    return found


def _finite(trial: Trial) -> None:
    x = trial.proposals.x
    share = float(x.isfinite().all(-1).double().mean())
    require(share >= FINITE, f"only {share:.0%} of the proposals are finite after a short training; guard the inverse.")


def _same_seed(trial: Trial) -> None:
    def again(pollution: int) -> Method:
        with seeded("pollution", pollution):
            return trial.fit(trial.fresh(0))

    first, second = again(1), again(2)
    for (name, one), other in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        require(
            torch.equal(one, other),
            f"{name} differs after two trainings with the same seed; draw from the global generators of torch, numpy "
            "and python in `build` and `fit`, which the harness seeds, and from nothing else.",
        )
    proposals = [
        trial.propose(method, trial.targets, PROPOSALS, pollution=i).x for i, method in enumerate((first, second))
    ]
    require(
        difference(*proposals) == 0,
        "proposals with the same seed differ when the global random state does; draw from the generator alone.",
    )


def _other_targets(trial: Trial) -> None:
    y = trial.targets[:TARGETS]
    changed = y.clone()
    changed[1::2] = trial.targets[TARGETS : TARGETS + TARGETS // 2]
    one, other = (trial.propose(trial.method, targets, PROPOSALS).x[::2] for targets in (y, changed))
    same = torch.isclose(one, other, rtol=0, atol=SAME_DESIGN, equal_nan=True).all(-1)
    share = float(same.double().mean())
    require(
        share >= SAME_ROWS,
        f"only {share:.0%} of the proposals for a target stay the same when the other targets of the batch change; "
        "let no target depend on another, and draw the same random numbers whatever the targets are.",
    )


def _state(trial: Trial) -> None:
    if not trial.method.restorable:
        return
    fresh = trial.fresh(1)
    restore(fresh, {name: tensor.clone() for name, tensor in trial.method.state_dict().items()})
    other = trial.propose(fresh.eval(), trial.targets, PROPOSALS)
    require(
        difference(trial.proposals.x, other.x) <= EXACT,
        f"a freshly built method with the stored state ({stored_numbers(fresh)} numbers) proposes other designs; keep "
        "all that training finds in parameters or registered buffers.",
    )


def _arguments(trial: Trial) -> None:
    if difference(trial.problem.bounds, trial.bounds):
        trial.changed.add("problem.bounds")
    require(not trial.changed, f"the method changes its arguments {', '.join(sorted(trial.changed))}; work on copies.")


def _incomplete(trial: Trial) -> None:
    """Rows of which a part is not known, for methods that say that they learn from such."""
    x, y = trial.train.x.clone(), trial.train.y.clone()
    handled = trial.method.handled & {"partial", "lone"}
    if "partial" in handled and y.shape[1] > 1:
        y[::2, -1] = math.nan
    if "lone" in handled:
        x[1::4], y[3::4] = math.nan, math.nan
    if not bool(x.isnan().any() | y.isnan().any()):
        return
    method = trial.fit(trial.fresh(0), Pairs(x, y))
    share = float(trial.propose(method, trial.targets, PROPOSALS).x.isfinite().all(-1).double().mean())
    require(
        share >= FINITE,
        f"handles names {' and '.join(sorted(handled))}, but only {share:.0%} of the proposals are finite after "
        "training on rows with NaN, not known; leave such entries out of every loss, or do not name it.",
    )


def _conditions(trial: Trial) -> None:
    """A target under another condition is another target."""
    if "conditions" not in trial.create().handled:
        return
    trial.build()
    trial.fit()
    y, other = trial.targets[:TARGETS], trial.targets[:TARGETS].clone()
    other[:, -1] = other[:, -1].roll(1)
    found, swapped = (trial.propose(trial.method, targets, PROPOSALS) for targets in (y, other))
    trial.check(found, TARGETS, PROPOSALS)
    share = float(found.x.isfinite().all(-1).double().mean())
    require(
        share >= FINITE,
        f"handles names conditions, but only {share:.0%} of the proposals are finite with one; the last "
        "`problem.condition_dim` entries of y are given and not to be reached.",
    )
    ignored = difference(found.x, swapped.x) == 0 and not _indifferent(trial)
    require(
        not ignored,
        "handles names conditions, but the proposals are the same under another one; give the last "
        "`problem.condition_dim` entries of y to whatever answers the rest, or do not name it.",
    )


def _indifferent(trial: Trial) -> bool:
    """Whether a method does not look at its targets at all, as a baseline may."""
    y = trial.targets
    return difference(*(trial.propose(trial.method, part, PROPOSALS).x for part in (y[:TARGETS], y[-TARGETS:]))) == 0


def _gaps(trial: Trial) -> None:
    y_dim = trial.problem.y_dim
    if "gaps" not in trial.method.handled or y_dim == 1:
        return
    hidden = trial.targets.clone()
    hidden[torch.arange(len(hidden)) % 2 == 1, -1] = math.nan
    found = trial.propose(trial.method, hidden, PROPOSALS)
    share = float(found.x.isfinite().all(-1).double().mean())
    require(
        share >= FINITE,
        f"handles names gaps, but only {share:.0%} of the proposals are finite where an entry of y is NaN, not known; "
        "leave such entries out of every error, or do not name it.",
    )
    same = torch.isclose(found.x[::2], trial.proposals.x[::2], rtol=0, atol=SAME_DESIGN, equal_nan=True).all(-1)
    require(
        float(same.double().mean()) >= SAME_ROWS,
        "the proposals for a target change when other targets of the batch have gaps; let no target depend on another.",
    )
