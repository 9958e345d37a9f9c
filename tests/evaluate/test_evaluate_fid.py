"""Frechet and kernel distances: closed forms, and agreement with the public implementations."""

from __future__ import annotations

import numpy as np
import pytest

from flythrough.evaluate.metrics.fid import Kernels, Moments, Reference, frechet_distance, kid, mmd
from flythrough.evaluate.metrics.windows import sliding_distances


def features(n: int, d: int, seed: int, shift: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(d, d)) / np.sqrt(d)
    return (random.gamma(2.0, size=(n, d)) @ mixing + shift).astype(np.float32)


def test_frechet_distance_of_diagonal_gaussians_is_the_closed_form() -> None:
    a, b = np.array([1.0, 4.0, 9.0, 0.25]), np.array([4.0, 1.0, 1.0, 0.25])
    gap = np.array([1.0, -2.0, 0.0, 3.0])
    expected = (gap**2).sum() + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    found = frechet_distance(turn @ gap, turn @ np.diag(a) @ turn.T, np.zeros(4), turn @ np.diag(b) @ turn.T)
    assert found == pytest.approx(expected, rel=1e-12)


def test_frechet_distance_of_rank_deficient_gaussians_is_finite_and_right() -> None:
    """Rank one against rank one: trace sqrt(AB) = |u . v| for A = uu', B = vv'."""
    u, v = np.zeros(50), np.zeros(50)
    u[:3], v[1:4] = (1.0, 2.0, -1.0), (0.5, -3.0, 2.0)
    expected = u @ u + v @ v - 2 * abs(u @ v)
    assert frechet_distance(np.zeros(50), np.outer(u, u), np.zeros(50), np.outer(v, v)) == pytest.approx(expected)
    single = [array.astype(np.float32) for array in (np.outer(u, u), np.outer(v, v))]
    found = frechet_distance(np.zeros(50, np.float32), single[0], np.zeros(50, np.float32), single[1])
    assert found == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(np.ones(50), np.zeros((50, 50)), np.zeros(50), np.zeros((50, 50))) == pytest.approx(50)


def test_a_set_is_at_distance_zero_from_itself_even_with_fewer_images_than_dimensions() -> None:
    rows = features(40, 128, seed=1)
    moments = Moments.of(rows)
    assert abs(frechet_distance(moments.mean, moments.cov, moments.mean, moments.cov)) < 1e-6


def test_moments_of_batches_agree_with_numpy() -> None:
    rows = features(501, 24, seed=2, shift=1000.0)
    batched = Moments(24)
    for part in np.array_split(rows, [7, 8, 150]):
        batched.add(part)
    batched.add(rows[:0])
    exact = rows.astype(np.float64)
    assert batched.n == 501
    np.testing.assert_allclose(batched.mean, exact.mean(0), rtol=1e-12)
    np.testing.assert_allclose(batched.cov, np.cov(exact, rowvar=False), rtol=1e-9, atol=1e-12)


def test_moments_refuse_what_would_spoil_them() -> None:
    moments = Moments(3)
    with pytest.raises(ValueError, match="not finite"):
        moments.add(np.array([[1.0, np.nan, 0.0]]))
    with pytest.raises(ValueError, match=r"\[n, 3\]"):
        moments.add(np.zeros((2, 4)))
    moments.add(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="covariance needs 2"):
        _ = moments.cov


@pytest.mark.parametrize(("n", "m"), [(700, 900), (60, 50), (60, 900), (700, 50)])
def test_every_road_to_the_frechet_distance_agrees_with_torch_fidelity_and_pytorch_fid(n: int, m: int) -> None:
    import torch
    from pytorch_fid.fid_score import calculate_frechet_distance
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    a, b = features(n, 96, seed=3), features(m, 96, seed=4, shift=0.2)
    left, right = Moments.of(a), Moments.of(b)
    ours = frechet_distance(left.mean, left.cov, right.mean, right.cov)
    reference = Reference.of(right.mean, right.cov)
    assert reference.distance_of(a) == pytest.approx(ours, rel=1e-9)
    assert Reference.of_features(b).distance_of(a) == pytest.approx(ours, rel=1e-9)
    statistics = [fid_features_to_statistics(torch.from_numpy(x.astype(np.float64))) for x in (a, b)]
    theirs = fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"]
    assert ours == pytest.approx(theirs, rel=1e-5)
    if min(n, m) > 96:  # pytorch-fid's own square root is not to be trusted for singular matrices
        assert ours == pytest.approx(calculate_frechet_distance(left.mean, left.cov, right.mean, right.cov), rel=1e-5)


def test_weights_count_images_as_if_they_were_there_so_often() -> None:
    a, b = features(30, 12, seed=5), features(200, 12, seed=6)
    weights = np.arange(30) % 4
    reference = Reference.of_features(b)
    repeated = np.repeat(a, weights, axis=0)
    assert reference.distance_of(a, weights.astype(float)) == pytest.approx(reference.distance_of(repeated), rel=1e-10)


def test_sliding_windows_are_the_distances_of_the_windows() -> None:
    steps = [features(25, 16, seed=10 + step, shift=0.05 * step) for step in range(7)]
    reference = Reference.of_features(features(300, 16, seed=7))
    found = list(sliding_distances(reference, steps, 3))
    expected = [reference.distance_of(np.concatenate(steps[i : i + 3])) for i in range(5)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert found[4] > found[0]


def test_kid_agrees_with_torch_fidelity() -> None:
    import torch
    from torch_fidelity.metric_kid import kid_features_to_metric

    a, b = features(150, 64, seed=8), features(130, 64, seed=9, shift=0.3)
    ours = kid(a, b, subsets=13, subset_size=100, seed=5)
    theirs = kid_features_to_metric(
        torch.from_numpy(a), torch.from_numpy(b), kid_subsets=13, kid_subset_size=100, rng_seed=5, verbose=False
    )
    assert ours.mean == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)
    assert ours.std == pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-3)
    assert (ours.subsets, ours.subset_size, ours.seed) == (13, 100, 5)
    with pytest.raises(ValueError, match="130"):
        kid(a, b, subset_size=131)


def test_kid_of_one_distribution_may_be_a_little_below_zero() -> None:
    values = [mmd(Kernels.of(features(60, 8, seed=s), features(60, 8, seed=s + 50))) for s in range(20)]
    assert min(values) < 0 < max(values)


def test_bootstrap_weights_of_one_change_no_kernel_distance() -> None:
    kernels = Kernels.of(features(20, 8, seed=1), features(30, 8, seed=2, shift=1.0))
    assert mmd(kernels, np.ones(20, dtype=int)) == pytest.approx(mmd(kernels))
    assert mmd(kernels, np.arange(20)) != pytest.approx(mmd(kernels))
