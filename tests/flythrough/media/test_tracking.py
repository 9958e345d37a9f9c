"""Tracking corners: a known shift is found, also from a guess, and points that do not return are detected."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from flythrough.media.tracking import LucasKanade, corners

SHIFT = (9.0, 4.0)  # pixels; right and down


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    """A texture, and the same moved right and down."""
    noise = np.random.default_rng(1).integers(0, 256, (160, 240), dtype=np.uint8)
    before = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 0, 255, cv2.NORM_MINMAX)
    return before, cv2.warpAffine(before, np.array([[1, 0, SHIFT[0]], [0, 1, SHIFT[1]]]), (240, 160))


def test_corners_keep_their_distance_and_to_the_mask(pair: tuple[np.ndarray, np.ndarray]) -> None:
    mask = np.zeros((160, 240), np.uint8)
    mask[:, :100] = 1
    found = corners(pair[0], 50, spacing_px=12, mask=mask)
    assert 10 < len(found) <= 50
    assert found[:, 0].max() < 100
    apart = np.linalg.norm(found[:, None] - found[None], axis=-1) + 1e3 * np.eye(len(found))
    assert apart.min() >= 12
    assert corners(np.zeros((20, 30), np.uint8), 50, spacing_px=2).shape == (0, 2)


@pytest.mark.parametrize("back_from_start", [False, True])
def test_a_shift_is_found_and_leads_home(pair: tuple[np.ndarray, np.ndarray], back_from_start: bool) -> None:
    points = corners(pair[0][30:-30, 30:-30], 40, spacing_px=8) + 30
    there, found, error = LucasKanade(window=21).there_and_back(*pair, points, back_from_start=back_from_start)
    home = found & (error < 0.1)
    assert home.mean() > 0.8  # some leave the picture
    assert np.abs(there - points - SHIFT)[home].max() < 0.1
    there, found, error = LucasKanade(window=21).there_and_back(
        pair[0], np.random.default_rng(2).permuted(pair[1]), points, back_from_start=back_from_start
    )
    assert np.mean(found & (error < 1)) < 0.5  # another picture: hardly any comes home


def test_on_one_level_the_reach_is_short_and_a_guess_makes_up_for_it(pair: tuple[np.ndarray, np.ndarray]) -> None:
    points = corners(pair[0][30:-30, 30:-30], 40, spacing_px=8) + 30
    near = LucasKanade(window=7, levels=0)
    alone, _ = near.follow(*pair, points)
    guided, found = near.follow(*pair, points, points + np.array([8, 5], np.float32))
    assert np.median(np.linalg.norm(alone - points - SHIFT, axis=1)) > 1
    assert found.mean() > 0.9
    assert np.median(np.linalg.norm(guided - points - SHIFT, axis=1)) < 0.1
