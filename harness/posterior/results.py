"""What a comparison with a reference finds; no torch, so that records are read without it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """How the reference was made."""

    how: str
    """`rejection` or `importance`, for y*."""
    tolerance: float
    """Tau: how far y may be off, in standard deviations of y."""
    nmse: float
    """Mean nmse of the draws for y* themselves."""
    draws: int
    """For y*."""
    rate: float
    """For y*: the share of the prior draws that was accepted, or the effective sample size."""
    drawn: int
    """Prior draws that were looked at for y*."""
    targets: int
    """Targets that were tried."""
    rejection: int
    """Of which so many have draws by rejection."""
    importance: int
    """And so many by importance."""
    least: int
    """Draws for a target of these, the fewest."""
    median: int
    found: float | None
    """Of the targets by importance, the share whose known design the search came to by itself."""
    said: str
    """What is known of the prior, where that was needed."""
    n: int
    """Designs on each side for y*."""
    n_targets: int | None
    """Designs on each side for a target, the median."""
    radii: list[float]
    """For each T, the distance that is near."""
    classifier: str
    """The classifier with its parameters."""
    observed: bool = False
    """Whether entries of the targets are hidden: the posterior is then that of the others."""


@dataclass(frozen=True)
class Level:
    """How far designs are from a reference; None where there are too few of them."""

    mmd: float | None
    """Unbiased MMD^2 for y*, mean over repeats."""
    mmd_deviation: float | None
    """Of one repeat."""
    mmd_biased: float | None
    c2st: float | None
    """Accuracy of a classifier for y*."""
    mmd_targets: float | None
    """Mean over targets of the unbiased MMD^2."""
    above: float | None
    """Share of the targets whose MMD^2 is above what chance gives in 95 % of the cases."""
    c2st_targets: float | None
    """Accuracy of one classifier of (x, y) for all targets together."""
    recall: list[float | None]
    """For each T, the share of the reference for y* that is near one of the first T proposals."""
    diversity: float | None
    """Mean distance between accurate proposals for y*, in that between draws of the reference."""
    modes: list[float] | None
    """For each T, the share of the solution curves of a plane that T random proposals are expected to reach."""


@dataclass(frozen=True)
class Floor:
    """What 95 % of exact samplers stay below."""

    mmd: float
    mmd_targets: float | None


@dataclass(frozen=True)
class Calibration:
    """What the ranks and the coverage of many targets show."""

    targets: int
    draws: int
    """For each target."""
    ks: float
    """The greatest distance, over coordinates, of the ranks' distribution from the uniform one (Kolmogorov-Smirnov)."""
    ks_chance: float
    """What calibrated draws stay below in 95 % of the cases."""
    coverage: list[float]
    """Expected coverage at the levels 1/20, 2/20, ... 1."""
    error: float
    """Mean over levels of |coverage - level|."""
    width: float
    """Mean of coverage - level over levels above one half: above 0 draws are too wide, below 0 too narrow or off."""


@dataclass(frozen=True)
class Picture:
    """Some proposals for y* and some draws of the reference, in a few coordinates."""

    labels: list[str]
    bounds: list[list[float]]
    """Least and greatest of each coordinate, the prior's box."""
    reference: list[list[float]]
    proposals: list[list[float]]
    """Those that are numbers."""


@dataclass(frozen=True)
class Scores:
    """A method, the reference itself, and the prior."""

    refusal: str
    """Why there is no reference; empty where there is one."""
    T: list[int]
    """Numbers of proposals of which recall is known."""
    valid: float
    """The share of the compared proposals that are valid."""
    reference: Facts | None = None
    floor: Floor | None = None
    own: Level | None = None
    itself: Level | None = None
    """The second half of the reference."""
    prior: Level | None = None
    calibration: Calibration | None = None
    uncalibrated: str = ""
    """Why there is no calibration; empty where there is one."""
