"""Sky against the sample world's truth: the mask finds nearly all of it, the share never overstates it."""

from __future__ import annotations

import numpy as np
import pytest

from flythrough.media.sky import sky_and_water, sky_mask, skyline
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
