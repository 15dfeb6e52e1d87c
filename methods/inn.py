"""Invertible neural network (Ardizzone et al. 2019): one bijection between x and [y, z]."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Generator, Tensor, nn

from harness.contracts import Method, Pairs, Phase, Problem, Proposals, usable
from harness.settings import setting
from methods.augmentation import Augmentation
from methods.conditioned import split
from methods.discrepancies import bidirectional_loss, unpaired_loss
from methods.flows import build_flow
from methods.levels import blurred, loosened
from methods.networks import REDRAWS, keep_inside, normal, repeat_targets, squared_error

FIRST_SIGMA = 0.3  # where it is learned


@dataclass(frozen=True)
class BijectionOptions:
    """The invertible network that INN and iPage share."""

    coupling: Literal["affine", "spline"] = setting("affine", help="Real-NVP, or rational-quadratic splines")
    blocks: int = setting(8, help="couplings", least=1)
    bins: int = setting(8, help="bins of a spline", least=2)
    depth: int = setting(2, help="hidden layers of each coupling's network", least=1)
    rotate: bool = setting(True, help="splines only: join pairs of blocks by fixed rotations, not by permutations")
    padding: int = setting(
        0,
        help="dimensions added to x: a forward model with critical points needs some, as none has any where x_dim = "
        "y_dim + z_dim",
        least=0,
    )
    padding_noise: float = setting(0.05, help="standard deviation of the padding in training", least=0)
    components: int = setting(
        0,
        help="principal components of y that the network maps to; 0: as many as x has dimensions, or y itself where it "
        "has no more; a bijection of x with hundreds of points is one of padding with noise",
        least=0,
    )
    weight_decay: float = setting(1e-5, help="of the optimiser", least=0)


@dataclass(frozen=True)
class INNOptions(BijectionOptions):
    """Options of the INN."""

    loss: Literal["likelihood", "mmd"] = setting("likelihood", help="maximum likelihood, or MMD in both directions")
    sigma: float = setting(
        0.05,
        help="likelihood only: deviation of y around the prediction, in standardised y or its components; 0 learns one "
        "for each, where some can be predicted well and others cannot",
        least=0,
    )
    fit_weight: float = setting(10.0, help="MMD only: weight of the squared error of y beside the MMD terms", least=0)
    inside: bool = setting(True, help="draw a design again that falls outside the range of the training designs")
    augment: Literal["off", "surrogate"] = setting("off", help="train on prior draws that a surrogate labels")


class Bijection(nn.Module):
    """x with its padding <-> [u, z]; u is y or its principal components, z takes all dimensions that u leaves.

    Under conditions it is one such bijection for each; they are inputs of every coupling, and no part of u.

    Args:
        problem: dimensions of x and y.
        width: of the hidden layers of each coupling's network.
        options: those of the method.
    """

    log_sigma: nn.Parameter
    """Of u around the prediction, where the loss is a likelihood."""

    def __init__(self, problem: Problem, width: int, options: BijectionOptions) -> None:
        super().__init__()
        self.problem, self.x_dim, self.noise = problem, problem.x_dim, options.padding_noise
        to_reach = problem.y_dim - problem.condition_dim
        self.u_dim = min(options.components or problem.x_dim, to_reach)
        self.code = Components(to_reach, self.u_dim)
        self.dim = max(problem.x_dim + options.padding, self.u_dim + 1, 2)
        self.z_dim = self.dim - self.u_dim
        self.flow = build_flow(
            options.coupling,
            self.dim,
            problem.condition_dim,
            blocks=options.blocks,
            width=width,
            depth=options.depth,
            bins=options.bins,
            rotate=options.rotate,
        )

    def targets(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """What is to be reached, u `(n, u_dim)`, and the conditions `(n, c)`.

        Args:
            y: targets `(n, y_dim)`, standardised.
        """
        wanted, given = split(self.problem, y)
        return self.code(wanted), given

    def forward(self, x: Tensor, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """X `(n, x_dim)`, padded with noise, to u `(n, u_dim)`, z `(n, z_dim)` and log|det J| `(n,)`.

        Args:
            x: designs `(n, x_dim)`, standardised.
            given: conditions `(n, c)`, standardised.
        """
        padding = self.noise * torch.randn(len(x), self.dim - self.x_dim, dtype=x.dtype, device=x.device)
        out, log_det = self.flow(torch.cat([x, padding], 1), _condition(given))
        return out[:, : self.u_dim], out[:, self.u_dim :], log_det

    def predict(self, x: Tensor, given: Tensor) -> Tensor:
        """The forward model f_y: u `(n, u_dim)` at zero padding.

        Args:
            x: designs `(n, x_dim)`, standardised.
            given: conditions `(n, c)`, standardised.
        """
        padding = x.new_zeros(len(x), self.dim - self.x_dim)
        predicted: Tensor = self.flow(torch.cat([x, padding], 1), _condition(given))[0][:, : self.u_dim]
        return predicted

    def inverse(self, u: Tensor, z: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        """[u, z] to x `(n, x_dim)` and its padding `(n, dim - x_dim)`.

        Args:
            u: y or its components `(n, u_dim)`, standardised.
            z: latents `(n, z_dim)`.
            given: conditions `(n, c)`, standardised.
        """
        out = self.flow.inverse(torch.cat([u, z], 1), _condition(given))
        return out[:, : self.x_dim], out[:, self.x_dim :]

    def error(self, x: Tensor, y: Tensor) -> Tensor:
        """Squared error of f_y, mean over what is to be reached, `(n,)`.

        Args:
            x: designs `(n, x_dim)`, standardised.
            y: targets `(n, y_dim)`, standardised.
        """
        wanted, given = split(self.problem, y)
        return self.code.error(self.predict(x, given), wanted)


def _condition(given: Tensor) -> Tensor | None:
    return given if given.shape[-1] else None


class Components(nn.Module):
    """y `(n, y_dim)` to its leading principal components on the training pairs, standardised; or y as it is.

    Args:
        y_dim: dimensions of y.
        components: how many there are; `y_dim` for y as it is.
    """

    basis: Tensor
    scale: Tensor

    def __init__(self, y_dim: int, components: int) -> None:
        super().__init__()
        self.whole = components == y_dim
        if not self.whole:
            self.register_buffer("basis", torch.eye(y_dim, components))
            self.register_buffer("scale", torch.ones(components))

    def fit(self, y: Tensor) -> None:
        """Find the components of standardised training targets.

        Args:
            y: `(n, y_dim)`.
        """
        if not self.whole:
            _, singular, directions = torch.linalg.svd(y.double(), full_matrices=False)
            kept = self.basis.shape[1]
            self.basis.copy_(directions[:kept].T)
            self.scale.copy_(singular[:kept] / len(y) ** 0.5)

    def forward(self, y: Tensor) -> Tensor:
        """The components u `(n, u_dim)`.

        Args:
            y: `(n, y_dim)`, standardised.
        """
        return y if self.whole else y @ self.basis / self.scale

    def weighted(self, u: Tensor) -> Tensor:
        """Components in units in which their squared error, mean over them, is that of the y they stand for.

        Args:
            u: components `(n, u_dim)`.
        """
        return u if self.whole else u * self.scale * (len(self.scale) / len(self.basis)) ** 0.5

    def error(self, u: Tensor, y: Tensor) -> Tensor:
        """Squared error of predicted components, mean over y: what they leave of y included. `(n,)`.

        Args:
            u: predicted components `(n, u_dim)`.
            y: `(n, y_dim)`, standardised.
        """
        return squared_error(u if self.whole else u * self.scale @ self.basis.T, y)


class INN(Method):
    """INN trained by maximum likelihood, or by MMD in both directions (`loss=mmd`).

    The MMD terms compare designs with designs and y with y, and learn from those that stand alone, too. The likelihood
    of [y, z] is that of Ren et al. 2020, eq. 8: (|f_y(x) - y|^2 / sigma^2 + |f_z(x)|^2) / 2 -
    log|det J|, with z taken from the network. (The published code takes the drawn noise there instead, which leaves z
    without a gradient and the log-determinant without a bound.)

    References: Ardizzone et al., "Analyzing inverse problems with invertible neural networks", 2019.
    """

    groups: ClassVar[tuple[str, ...]] = ("paper",)
    references: ClassVar[tuple[str, ...]] = ("Ardizzone et al. 2019, arXiv:1808.04730", "Ren, Padilla, Malof 2020")
    handles: ClassVar[frozenset[str]] = frozenset({"conditions"})
    finer: ClassVar[tuple[str, ...]] = ("blocks",)
    Options: ClassVar[type] = INNOptions

    def build(self, problem: Problem, width: int) -> None:
        self.network = Bijection(problem, width, self.options)
        sigma = torch.full((self.network.u_dim,), self.options.sigma or FIRST_SIGMA)
        self.network.log_sigma = nn.Parameter(sigma.log(), requires_grad=self.options.sigma == 0)
        self.step, self.bounds = problem.step, loosened(problem)
        self.augmentation = Augmentation(self.options.augment, problem, width)
        self.pairs: Pairs | None = None

    @property
    def handled(self) -> frozenset[str]:
        return self.handles | ({"lone"} if self.options.loss == "mmd" else frozenset())

    def loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """Negative log likelihood up to a constant, or the bidirectional MMD loss.

        Args:
            x: designs `(b, x_dim)`, standardised.
            y: their targets `(b, y_dim)`, standardised.
            progress: not used.
        """
        x = blurred(x, self.step)
        if self.options.loss == "mmd":
            weights = self.options.fit_weight, 1.0, 1.0
            if bool(x.isfinite().all() & y.isfinite().all()):
                return bidirectional_loss(self.network, x, y, weights)
            return unpaired_loss(self.network, self.some_pairs(len(x)), x, y, weights)
        u, given = self.network.targets(y)
        predicted, z, log_det = self.network(x, given)
        log_sigma = self.network.log_sigma
        white = (predicted - u) / log_sigma.exp()
        log_likelihood = log_det - log_sigma.sum() - 0.5 * (white.square().sum(1) + z.square().sum(1))
        return -log_likelihood.mean()

    def some_pairs(self, count: int) -> Pairs:
        """So many of the training pairs, drawn at random: in a batch of lone rows there may be none.

        Args:
            count: how many, or all where there are fewer.
        """
        assert self.pairs is not None
        rows = torch.randperm(len(self.pairs.x), device=self.pairs.x.device)[:count]
        return Pairs(blurred(self.pairs.x[rows], self.step), self.pairs.y[rows])

    def fit(self, train: Pairs, valid: Pairs, run: Callable[[Phase], float]) -> None:
        """Find the components of y, then train.

        Args:
            train: pairs `(n, x_dim)` and `(n, y_dim)`, standardised; rows of x or y alone where these are handled.
            valid: pairs that are held back, likewise.
            run: trains a phase.
        """
        self.network.code.fit(split(self.network.problem, train.y[train.y.isfinite().all(1)])[0])
        self.pairs = usable(train)
        super().fit(train, valid, run)
        self.pairs = None

    def phases(self) -> Iterator[Phase]:
        decay = self.options.weight_decay
        settings: dict[str, Any] = {
            "weight_decay": decay,
            "clip": 5.0,
            "rows": "any" if "lone" in self.handled else "pairs",
        }
        yield from self.augmentation.phases(self.network, self.loss, self.loss, **settings)

    @torch.no_grad()
    def propose(self, y: Tensor, n: int, generator: Generator) -> Proposals:
        with self.stage("generation"):
            u, given = self.network.targets(repeat_targets(y, n))

            def draw(rows: Tensor | slice) -> Tensor:
                z = normal(len(u), self.network.z_dim, generator, y)[rows]
                return self.network.inverse(u[rows], z, given[rows])[0]

            x, drawn = keep_inside(draw(slice(None)), self.bounds, draw, rounds=REDRAWS * self.options.inside)
        return Proposals(x.reshape(len(y), n, -1), generated=drawn)
