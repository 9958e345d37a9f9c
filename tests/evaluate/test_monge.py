"""The Monge distance: closed forms, and few images against the Frechet distance."""

from __future__ import annotations

import numpy as np
import pytest

from flythrough.evaluate.metrics.fid import Reference
from flythrough.evaluate.metrics.monge import Axes


def drawn(n: int, seed: int, d: int = 48) -> np.ndarray:
    """Features of falling variance, turned."""
    turn = np.linalg.qr(np.random.default_rng(99).normal(size=(d, d)))[0]
    return np.random.default_rng(seed).normal(size=(n, d)) * np.linspace(3, 0.1, d) @ turn


def axes_of(features: np.ndarray) -> Axes:
    return Axes.of(features, Reference.of_features(features))


@pytest.mark.parametrize("n", [30, 500])  # fewer and more images than dimensions
def test_a_set_is_at_distance_zero_from_itself_and_a_moved_one_at_the_square_of_the_way(n: int) -> None:
    real = drawn(n, seed=0)
    found = axes_of(real)
    assert found.axes.T @ found.axes == pytest.approx(np.eye(found.axes.shape[1]), abs=1e-9)
    assert found.distance(found.project(real)) == 0
    along = found.axes @ np.linspace(1, 2, found.axes.shape[1])
    assert found.distance(found.project(real + along)) == pytest.approx((along**2).sum())


def test_along_an_axis_it_is_the_transport_cost() -> None:
    """From a normal distribution to one of another mean and spread: gap^2 + (difference of the spreads)^2."""
    real = drawn(200_000, seed=0, d=1)
    found = axes_of(real)
    spread = real.std()
    assert found.distance(found.project(1.5 * real + 2)) == pytest.approx(
        (2 + 0.5 * real.mean()) ** 2 + (0.5 * spread) ** 2, rel=0.01
    )


def test_weights_count_rows_again() -> None:
    real, made = drawn(100, seed=0), drawn(20, seed=1)
    found = axes_of(real)
    weights = np.random.default_rng(2).multinomial(20, np.full(20, 1 / 20))
    again = found.distance(found.project(np.repeat(made, weights, 0)))
    assert found.distance(found.project(made), weights) == pytest.approx(again)


def test_few_images_move_it_less_than_the_frechet_distance() -> None:
    """Sets of the real kind, and how far apart 40 of them look beside 2,000 of another kind."""
    real = drawn(4000, seed=0, d=256)
    reference, found = Reference.of_features(real), axes_of(real)
    few, other = drawn(40, seed=1, d=256), 1.4 * drawn(2000, seed=2, d=256)
    frechet = reference.distance_of(few) / reference.distance_of(other)
    assert found.distance(found.project(few)) / found.distance(found.project(other)) < frechet / 2
