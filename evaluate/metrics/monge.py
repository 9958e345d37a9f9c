"""A distance between sets for few samples: optimal transport along the principal axes of the real features.

A Frechet distance needs a covariance of d x d numbers, which a few hundred images do not determine, so small sets look
far apart. Here features are projected onto the directions in which the real ones vary most; along each, the optimal
(Monge) map of one set onto another pairs equal quantiles, at the cost of their mean squared difference. The distance is
the sum of the costs over the axes. It ignores correlation between axes, and all directions but these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from .fid import CHUNK, Features, Reference

AXES = 64  # most principal axes
QUANTILES = 1000  # of each distribution that are compared, evenly spaced
_SHARES = (np.arange(QUANTILES) + 0.5) / QUANTILES

Projected = Float[np.ndarray, "n axes"]


@dataclass(frozen=True)
class Axes:
    """The principal axes of the real side, and its quantiles along them.

    Attributes:
        mean: of the real features.
        axes: orthonormal columns, in order of variance.
        quantiles: of the real features along each axis.
    """

    mean: Float[np.ndarray, "d"]
    axes: Float[np.ndarray, "d axes"]
    quantiles: Float[np.ndarray, "axes quantiles"]

    @classmethod
    def of(cls, features: Features, reference: Reference, axes: int = AXES) -> Axes:
        """From the real features and their moments.

        Args:
            features: of the real frames.
            reference: of the same.
            axes: most axes; fewer if the features span fewer dimensions.
        """
        factor = reference.factor
        variances, turned = np.linalg.eigh(factor.T @ factor)
        solid = variances > len(variances) * np.finfo(np.float64).eps * max(variances[-1], 0.0)
        chosen = np.flatnonzero(solid)[::-1][:axes]
        columns = factor @ turned[:, chosen] / np.sqrt(variances[chosen])
        empty = cls(reference.mean, columns, np.empty((len(chosen), 0)))
        return cls(reference.mean, columns, _quantiles(empty.project(features), np.ones(len(features))))

    def project(self, features: Features) -> Projected:
        """Features along the axes, read ``CHUNK`` rows at a time."""
        firsts = range(0, len(features), CHUNK)
        rows = (np.arange(first, min(first + CHUNK, len(features))) for first in firsts)
        return np.concatenate([(np.asarray(features[part], np.float64) - self.mean) @ self.axes for part in rows])

    def distance(self, projected: Projected, weights: Float[np.ndarray, "n"] | None = None) -> float:
        """Sum over the axes of the squared transport cost; each row counts ``weights`` times."""
        counts = np.ones(len(projected)) if weights is None else np.asarray(weights, dtype=np.float64)
        return float(((_quantiles(projected, counts) - self.quantiles) ** 2).mean(1).sum())


def _quantiles(projected: Projected, counts: Float[np.ndarray, "n"]) -> Float[np.ndarray, "axes quantiles"]:
    order = np.argsort(projected, 0, kind="stable")
    found = np.empty((projected.shape[1], QUANTILES))
    for axis, rows in enumerate(order.T):
        reached = np.cumsum(counts[rows])
        found[axis] = projected[rows[np.searchsorted(reached, _SHARES * reached[-1])], axis]
    return found
