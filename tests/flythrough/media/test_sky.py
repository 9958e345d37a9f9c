"""Sky against the sample world's truth: the mask finds nearly all of it, the share never overstates it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from flythrough.media.sky import sky_and_water, sky_mask, skyline
from flythrough.media.video_reader import frames
from flythrough.sample.film import film
from flythrough.sample.raycast import SKY


@pytest.mark.parametrize("kind", ["forward", "orbit", "sea"])
def test_the_mask_finds_nearly_all_sky_and_the_share_errs_downwards(kind: str) -> None:
    take = film(3, kind, seconds=1.5, width=398, height=224, fps=2)
    for image, surface in zip(take.images, take.surface, strict=True):
        truth, found = surface == SKY, sky_mask(image)
        assert (truth & ~found).mean() < 0.02
        assert (truth & found).sum() > 0.85 * (truth | found).sum()
        assert sky_and_water(image)[0] < truth.mean() + 0.03


def test_a_skyline_follows_a_hill_and_there_is_none_without_sky() -> None:
    rng = np.random.default_rng(0)
    border = 60 + 20 * np.sin(np.arange(200) / 30)
    ground = np.arange(120)[:, None] >= border
    image = np.where(ground[..., None], rng.integers(40, 110, (120, 200, 3)), [170, 190, 220]).astype(np.uint8)
    assert np.abs(skyline(image) - border).mean() < 2
    assert not skyline(rng.integers(0, 256, (120, 200, 3), dtype=np.uint8)).any()


def picture(border: np.ndarray | int, above: np.ndarray | tuple[int, int, int]) -> np.ndarray:
    """Rough brown ground below the border, and ``above`` over it."""
    ground = np.arange(120)[:, None] >= np.broadcast_to(border, 200)
    brown = np.random.default_rng(1).integers(40, 140, (120, 200, 1)) + np.array([30, 10, 0])
    return np.where(ground[..., None], brown, above).astype(np.uint8)


def test_a_skyline_goes_round_clouds_and_above_no_lawn_and_no_dark_sea() -> None:
    sky = np.tile(np.array([120, 160, 220]), (120, 200, 1))
    sky[10:25, 60:120] = 235  # a cloud with hard edges, in all columns that a path straight down would end in
    assert np.abs(skyline(picture(60, sky)) - 60).max() < 4
    assert not skyline(picture(60, (90, 170, 60))).any()
    assert not skyline(picture(60, (20, 30, 60))).any()


def test_a_grey_mountain_is_not_taken_for_sky_whole(shared_data: Path) -> None:
    """A film in black and white, the upper fifth to third of which is clouds."""
    shots = list(frames(shared_data / "footage" / "mountainmediadigital_mountain.mp4"))
    for frame in (shots[len(shots) // 2], shots[-1]):
        small = cv2.resize(frame.image, (256, 154), interpolation=cv2.INTER_AREA)
        assert 0.1 < skyline(small).mean() / 154 < 0.4
