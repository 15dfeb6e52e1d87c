"""A mixture of normals whose weights, means and covariances a network gives for each condition."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor, nn

from methods.networks import mlp, normal

ROWS = {"cpu": 256}  # pairs at once: what fits a processor cache; the parameters of all can be gigabytes
ROWS_ELSEWHERE = 4096
LOG_SCALE = 7.0  # bound on |log precision diagonal|: standard deviations of 1e-3 to 1e3 in standardised x


class Mixture(nn.Module):
    """p(x | y) = sum_k w_k N(x; m_k, (L_k^T D_k^2 L_k)^-1), L unit lower triangular and D diagonal.

    The triangular factor of the precision costs time linear in batch x components and cannot lose positive
    definiteness. Samples are drawn from the very density whose likelihood is trained. With diagonal covariances L is
    the identity and is left out.

    Args:
        x_dim: d, dimensions of a design.
        y_dim: dimensions of the condition y.
        components: k, normals in the mixture.
        width: of the network's hidden layers.
        depth: hidden layers.
        full: whether covariances are full; otherwise diagonal.
    """

    to_rows: Tensor
    from_columns: Tensor

    def __init__(self, x_dim: int, y_dim: int, components: int, width: int, depth: int, *, full: bool = True) -> None:
        super().__init__()
        self.x_dim, self.components, self.full = x_dim, components, full
        self.lower = torch.tril_indices(x_dim, x_dim, -1)[:, : None if full else 0]
        unit = torch.eye(x_dim)
        self.register_buffer("to_rows", unit[self.lower[0]], persistent=False)
        self.register_buffer("from_columns", unit[:, self.lower[1]], persistent=False)
        size = 1 + 2 * x_dim + self.lower.shape[1]
        self.network = mlp(y_dim, components * size, width, depth)
        with torch.no_grad():  # spread the first means over the standardised designs
            last = self.network[-1]
            assert isinstance(last, nn.Linear)
            bias = last.bias.view(components, size)
            bias.zero_()
            bias[:, 1 : 1 + x_dim] = torch.randn(components, x_dim)

    def parameters_of(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Log weights `(n, k)`, means and log D `(n, k, d)`, and the entries of L below its diagonal `(n, k, e)`.

        Args:
            y: `(n, y_dim)`, standardised.
        """
        out = self.network(y).view(len(y), self.components, -1)
        # Split and not sliced: the gradient of each slice would be as large as all of them.
        logits, means, scales, entries = out.split([1, self.x_dim, self.x_dim, self.lower.shape[1]], -1)
        return logits[..., 0].log_softmax(-1), means, scales.clamp(-LOG_SCALE, LOG_SCALE), entries

    def factor(self, entries: Tensor) -> Tensor:
        """The triangular factor L `(..., d, d)`.

        Args:
            entries: those below the diagonal `(..., e)`, row by row.
        """
        factor = torch.eye(self.x_dim, dtype=entries.dtype, device=entries.device).repeat(*entries.shape[:-1], 1, 1)
        factor[..., self.lower[0], self.lower[1]] = entries
        return factor

    def log_density(self, x: Tensor, y: Tensor) -> Tensor:
        """Log p(x | y) `(n,)`.

        Args:
            x: designs `(n, d)`, standardised.
            y: their targets `(n, y_dim)`, standardised.
        """
        rows = ROWS.get(x.device.type, ROWS_ELSEWHERE)
        parts = zip(x.split(rows), y.split(rows), strict=True)
        return torch.cat([self._log_density(designs, targets) for designs, targets in parts])

    def _log_density(self, x: Tensor, y: Tensor) -> Tensor:
        weights, means, scales, entries = self.parameters_of(y)
        offset = x[:, None] - means
        if self.full:  # L times the offset, without making so many small matrices
            offset = offset + (entries * (offset @ self.from_columns)) @ self.to_rows
        white = offset * scales.exp()
        log_normal = scales.sum(-1) - 0.5 * white.square().sum(-1) - 0.5 * self.x_dim * math.log(2 * math.pi)
        return torch.logsumexp(weights + log_normal, 1)

    def sample(self, y: Tensor, n: int, generator: Generator) -> Tensor:
        """Draws `(b, n, d)` from p(x | y), standardised, n for each target.

        Args:
            y: targets `(b, y_dim)`, standardised.
            n: draws for each.
            generator: all randomness comes from it.
        """
        weights, means, scales, entries = self.parameters_of(y)
        choice = torch.multinomial(weights.exp().cpu(), n, replacement=True, generator=generator).to(y.device)
        rows = torch.arange(len(y), device=y.device)[:, None]
        noise = normal(len(y) * n, self.x_dim, generator, y).view(len(y), n, -1)
        offset = noise * (-scales[rows, choice]).exp()
        if self.full:
            factor, white = self.factor(entries)[rows, choice], offset[..., None]
            offset = torch.linalg.solve_triangular(factor, white, upper=False, unitriangular=True)[..., 0]
        return means[rows, choice] + offset
