"""Distances between two sets of feature vectors: Frechet (FID) and kernel (KID), and the moments behind them.

Everything is float64. No matrix square root is taken: ``trace sqrt(A B)`` is the sum of the square roots of the
eigenvalues of ``F' A F`` with ``B = F F'``, a symmetric problem that stays real for rank-deficient covariances.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

Features = Float[np.ndarray, "n d"]
OtherFeatures = Float[np.ndarray, "m d"]
CHUNK = 4096  # rows of features held in float64 at a time
KID_SUBSETS, KID_SUBSET_SIZE, KID_SEED = 100, 1000, 2020  # torch-fidelity's defaults


class Moments:
    """Count, mean and covariance of feature vectors that arrive in batches.

    Batches are merged by their means and scatter matrices (Chan et al.), so no large sums cancel.
    """

    def __init__(self, dimension: int) -> None:
        self.n = 0
        self._mean = np.zeros(dimension)
        self._scatter = np.zeros((dimension, dimension))  # sum of (x - mean)(x - mean)'

    @classmethod
    def of(cls, features: Features) -> Moments:
        """The moments of one set."""
        moments = cls(np.shape(features)[1])
        moments.add(features)
        return moments

    def add(self, features: Features) -> None:
        """Add a batch ``[n, d]``, of any float type.

        Raises:
            ValueError: the shape is wrong, or values are not finite.
        """
        batch = np.asarray(features, dtype=np.float64)
        if batch.ndim != 2 or batch.shape[1] != len(self._mean):
            raise ValueError(f"features are {batch.shape}, not [n, {len(self._mean)}]")
        if not np.isfinite(batch).all():
            raise ValueError("features have values that are not finite")
        if not len(batch):
            return
        n, mean = len(batch), batch.mean(0)
        centred, total = batch - mean, self.n + n
        delta = (mean - self._mean) * np.sqrt(self.n * n / total)
        self._scatter += centred.T @ centred
        if self.n:
            self._scatter += np.outer(delta, delta)
        self._mean = self._mean + (mean - self._mean) * (n / total)
        self.n = total

    @property
    def mean(self) -> Float[np.ndarray, "d"]:
        """Mean of the features so far."""
        if self.n == 0:
            raise ValueError("there are no features")
        return self._mean

    @property
    def cov(self) -> Float[np.ndarray, "d d"]:
        """Unbiased covariance (divides by n - 1, as every public FID does)."""
        if self.n < 2:
            raise ValueError(f"a covariance needs 2 feature vectors, there are {self.n}")
        return self._scatter / (self.n - 1)


@dataclass(frozen=True)
class Reference:
    """One side of many Frechet distances, with its factor computed once.

    Attributes:
        mean: ``[d]``.
        trace: of the covariance.
        factor: ``[d, r]`` with covariance = factor factor'; r is the numerical rank.
    """

    mean: Float[np.ndarray, "d"]
    trace: float
    factor: Float[np.ndarray, "d r"]

    @classmethod
    def of(cls, mean: Float[np.ndarray, "d"], cov: Float[np.ndarray, "d d"]) -> Reference:
        """From a mean and a covariance."""
        mean, cov = _checked(mean, cov)
        values, vectors = np.linalg.eigh(cov)
        solid = values > len(values) * np.finfo(np.float64).eps * max(values[-1], 0.0)  # the rest is rounding
        return cls(mean, float(np.trace(cov)), vectors[:, solid] * np.sqrt(values[solid]))

    @classmethod
    def of_features(cls, features: Features) -> Reference:
        """From the features themselves: fewer than d of them are their own factor, so no eigenproblem is solved."""
        n, dimension = len(features), features[np.arange(1)].shape[1]
        if n > dimension:
            moments = Moments(dimension)
            for part in _chunks(np.ones(n)):
                moments.add(features[part])
            return cls.of(moments.mean, moments.cov)
        rows = np.asarray(features[np.arange(n)], dtype=np.float64)
        mean = rows.mean(0)
        factor = (rows - mean).T / np.sqrt(n - 1)
        return cls(mean, float((factor**2).sum()), factor)

    def distance(self, mean: Float[np.ndarray, "d"], cov: Float[np.ndarray, "d d"]) -> float:
        """Squared Frechet distance to a Gaussian with this mean and covariance."""
        mean, cov = _checked(mean, cov)
        inner = self.factor.T @ cov @ self.factor
        return self.combine(mean, float(np.trace(cov)), sqrt_trace(inner))

    def distance_of(self, features: Features, weights: Float[np.ndarray, "n"] | None = None) -> float:
        """The same from the features themselves, each counted ``weights`` times; quick where n is below d.

        Features are read ``CHUNK`` rows at a time, so they may be a memory map of any length.
        """
        counts = np.ones(len(features)) if weights is None else np.asarray(weights, dtype=np.float64)
        total = counts.sum()
        if total < 2:
            raise ValueError(f"a covariance needs 2 feature vectors, there are {total:g}")
        mean = sum(counts[part] @ np.asarray(features[part], np.float64) for part in _chunks(counts)) / total
        rank, trace = self.factor.shape[1], 0.0
        inner: np.ndarray | float = 0.0
        for part in _chunks(counts):
            scaled = (np.asarray(features[part], np.float64) - mean) * np.sqrt(counts[part] / (total - 1))[:, None]
            trace += float((scaled**2).sum())
            turned = scaled @ self.factor
            # With few rows, all in one chunk, the smaller of the two products has the same eigenvalues.
            inner = turned @ turned.T if len(counts) < min(rank, CHUNK) else inner + turned.T @ turned
        return self.combine(np.asarray(mean), trace, sqrt_trace(np.asarray(inner)))

    def combine(self, mean: Float[np.ndarray, "d"], trace: float, cross: float) -> float:
        """The distance from its parts: the mean, the trace of the covariance, and the trace of the product's root."""
        gap = mean - self.mean
        return float(gap @ gap + trace + self.trace - 2 * cross)


def frechet_distance(
    mean_a: Float[np.ndarray, "d"],
    cov_a: Float[np.ndarray, "d d"],
    mean_b: Float[np.ndarray, "d"],
    cov_b: Float[np.ndarray, "d d"],
) -> float:
    """Squared Frechet distance of two Gaussians: ``|mean_a - mean_b|^2 + trace(A + B - 2 sqrt(A B))``.

    Raises:
        ValueError: shapes do not fit, or values are not finite.
    """
    return Reference.of(mean_b, cov_b).distance(mean_a, cov_a)


@dataclass(frozen=True)
class Kid:
    """A kernel distance: the mean and spread over its subsets, and all that is needed to reproduce it."""

    mean: float
    std: float
    subsets: int
    subset_size: int
    seed: int


def kid(
    features_a: Features,
    features_b: OtherFeatures,
    *,
    subsets: int = KID_SUBSETS,
    subset_size: int = KID_SUBSET_SIZE,
    seed: int = KID_SEED,
) -> Kid:
    """Kernel distance (KID): unbiased MMD^2 with the kernel ``(x y / d + 1)^3``, over random subsets.

    The subsets are drawn as torch-fidelity draws them. Slightly negative values are valid.

    Raises:
        ValueError: a set is smaller than ``subset_size``.
    """
    smallest = min(len(features_a), len(features_b))
    if not 2 <= subset_size <= smallest:
        raise ValueError(f"subset_size is {subset_size}; the smaller set has {smallest} images")
    random = np.random.RandomState(seed)
    found = []
    for _ in range(subsets):
        chosen_a = np.sort(random.choice(len(features_a), subset_size, replace=False))
        chosen_b = np.sort(random.choice(len(features_b), subset_size, replace=False))
        found.append(mmd(Kernels.of(features_a[chosen_a], features_b[chosen_b])))
    return Kid(float(np.mean(found)), float(np.std(found)), subsets, subset_size, seed)


@dataclass(frozen=True)
class Kernels:
    """Kernel values within and between two sets, the diagonals of ``aa`` and ``bb`` left at zero."""

    aa: Float[np.ndarray, "n n"]
    ab: Float[np.ndarray, "n m"]
    bb: Float[np.ndarray, "m m"]

    @classmethod
    def of(cls, features_a: Features, features_b: OtherFeatures) -> Kernels:
        """Of two sets of features, each pair's kernel."""
        a, b = np.asarray(features_a, dtype=np.float64), np.asarray(features_b, dtype=np.float64)
        aa, ab, bb = (_cubed(x @ y.T / x.shape[1] + 1) for x, y in ((a, a), (a, b), (b, b)))
        np.fill_diagonal(aa, 0)
        np.fill_diagonal(bb, 0)
        return cls(aa, ab, bb)


def _cubed(values: np.ndarray) -> np.ndarray:
    """By multiplication, since NumPy's power takes several times as long."""
    return values * values * values


def mmd(kernels: Kernels, weights: Int[np.ndarray, "n"] | None = None) -> float:
    """Unbiased MMD^2; with ``weights``, image i of set a counts that many times (a bootstrap replicate).

    Pairs of an image with its own copy are left out, as they are without weights; if that leaves none, it is NaN.
    """
    n, m = kernels.ab.shape
    w = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    pairs = w.sum() ** 2 - (w**2).sum()
    if not pairs:
        return float("nan")
    within_a = w @ kernels.aa @ w / pairs
    within_b = kernels.bb.sum() / (m * (m - 1))
    return float(within_a + within_b - 2 * (w @ kernels.ab).sum() / (w.sum() * m))


def _chunks(counts: np.ndarray) -> list[np.ndarray]:
    """Numbers of the rows that count at all, one chunk at a time."""
    rows = np.flatnonzero(counts)
    return [rows[first : first + CHUNK] for first in range(0, len(rows), CHUNK)]


def sqrt_trace(inner: Float[np.ndarray, "r r"]) -> float:
    """Sum of the square roots of a symmetric matrix's eigenvalues, rounding below zero and next to it left out."""
    if inner.size == 0:
        return 0.0
    values = np.linalg.eigvalsh(inner)
    return float(np.sqrt(values[values > len(values) * np.finfo(np.float64).eps * max(values[-1], 0.0)]).sum())


def _checked(mean: np.ndarray, cov: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, cov = np.asarray(mean, dtype=np.float64), np.asarray(cov, dtype=np.float64)
    if mean.ndim != 1 or cov.shape != (len(mean), len(mean)):
        raise ValueError(f"mean {mean.shape} and covariance {cov.shape} do not fit")
    if not (np.isfinite(mean).all() and np.isfinite(cov).all()):
        raise ValueError("mean or covariance has values that are not finite")
    return mean, (cov + cov.T) / 2
