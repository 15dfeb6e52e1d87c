"""Robotic arm: base height and three joint angles of a planar arm, position of its tip (Ren et al. 2020, task D3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Generator, Tensor

from harness.contracts import Condition, Family, Level, Task

LENGTHS = (0.5, 0.5, 1.0)  # of the three links (Kruse et al. 2021; Ren et al. 2020)
TWIN = (0.525, 0.475, 1.05)  # of a model that is 5 % off
DEVIATIONS = (0.25, 0.5, 0.5, 0.5)  # of the prior, variances 1/16, 1/4, 1/4, 1/4
CONDITIONS = (
    Condition("link 1 [link]", LENGTHS[0], 0.3, 0.7),
    Condition("link 2 [link]", LENGTHS[1], 0.3, 0.7),
    Condition("link 3 [link]", LENGTHS[2], 0.7, 1.3),
)
QUANTILE = 1.959963984540054  # of the standard normal at 97.5 %


@dataclass(frozen=True)
class RoboticArmOptions:
    """Options of the robotic arm."""

    convention: Literal["ren", "kruse"] = "ren"
    """Absolute link angles: `ren` x2, x3 - x2, x4 - x3 - x2; `kruse` the cumulative x2, x2 + x3, x2 + x3 + x4."""


class RoboticArm(Task):
    """y = (sum l_i cos a_i, x1 + sum l_i sin a_i): horizontal and vertical position of the tip.

    The link angles a_i follow from the joint angles x2, x3, x4 by `convention`; the two conventions are different
    tasks (the wider literature calls Kruse's inverse kinematics), and their errors cannot be compared. The order
    (horizontal, vertical) is that of all published code; the reverse order, as printed by Ren et al., would make
    y* = (1.5, 0) a tail event. x ~ N(0, diag(1/16, 1/4, 1/4, 1/4)); lengths are in units of the longest link.

    References: Ren, Padilla, Malof 2020, task D3; Kruse et al. 2021, arXiv:2101.10763; y* from Bi, Fung, Zhang 2023
    (iPage), Table 1.
    """

    x_dim = 4
    y_dim = 2
    fixed_target = (1.5, 0.0)
    groups: ClassVar[tuple[str, ...]] = ("analytic", "paper")
    references: ClassVar[tuple[str, ...]] = (
        "Ren, Padilla, Malof 2020 (NeurIPS)",
        "Kruse et al. 2021, arXiv:2101.10763",
        "Bi, Fung, Zhang 2023 (AAAI)",
    )
    x_labels: tuple[str, ...] = ("base height [link]", "joint 1 [rad]", "joint 2 [rad]", "joint 3 [rad]")
    y_labels: tuple[str, ...] = ("horizontal [link]", "vertical [link]")
    Options: ClassVar[type] = RoboticArmOptions

    @property
    def bounds(self) -> Tensor:
        half = QUANTILE * torch.tensor(DEVIATIONS, dtype=torch.float64)
        return torch.stack([-half, half])

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        noise = torch.randn(n, 4, generator=generator, dtype=torch.float64, device=generator.device)
        return noise * noise.new_tensor(DEVIATIONS)

    def link_angles(self, joints: Tensor) -> Tensor:
        """Angles of the three links to the horizontal `(n, 3)`, in rad.

        Args:
            joints: the joint angles x2, x3, x4 `(n, 3)`, in rad.
        """
        if self.options.convention == "kruse":
            return joints.cumsum(-1)
        first, second, third = joints.unbind(-1)
        return torch.stack([first, second - first, third - second - first], -1)

    def simulate(self, x: Tensor) -> Tensor:
        x = x.to(torch.float64)
        valid = self.in_support(x)[:, None]
        safe = torch.where(valid, x, 0.0)
        return torch.where(valid, self._tip(safe, x.new_tensor(LENGTHS)), math.nan)

    @property
    def levels(self) -> Mapping[str, Level]:
        """`twin`: a model whose links are 5 % off; a tenth of the cost is agreed on, not measured."""
        return {"twin": Level(self._of_twin, 0.1, "with links that are 5 % off")}

    def _of_twin(self, x: Tensor) -> Tensor:
        return self._under(x, x.new_tensor(TWIN).expand(len(x), -1))

    @property
    def family(self) -> Family:
        return Family(self, CONDITIONS, self._under)

    def _under(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Y `(n, 2)` of joints `(n, 4)` with links of these lengths `(n, 3)`."""
        valid = self.in_support(x)[:, None]
        return torch.where(valid, self._tip(torch.where(valid, x, 0.0), lengths), math.nan)

    def _tip(self, x: Tensor, lengths: Tensor) -> Tensor:
        angles = self.link_angles(x[:, 1:])
        horizontal = (lengths * angles.cos()).sum(-1)
        vertical = x[:, 0] + (lengths * angles.sin()).sum(-1)
        return torch.stack([horizontal, vertical], -1)

    def sketch(self, axes: Any, x: Tensor) -> None:
        """The rail, the links and the tip.

        Args:
            axes: matplotlib's.
            x: a design `(4,)`: base height in lengths of the longest link, joint angles in rad.
        """
        angles = self.link_angles(x[None, 1:])[0]
        links = x.new_tensor(LENGTHS)[:, None] * torch.stack([angles.cos(), angles.sin()], 1)
        base = torch.stack([x.new_zeros(()), x[0]])[None]
        joints = base + torch.cat([torch.zeros_like(base), links.cumsum(0)])
        axes.axvline(0, color="0.8")
        axes.plot(*joints.T.tolist(), "o-", color="C0")
        axes.set(xlim=(-0.5, 2.2), ylim=(-1.6, 1.6), aspect="equal")
