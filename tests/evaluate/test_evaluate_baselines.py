"""The baselines are as good as they can be: no darkening, no greying, holes are filled."""

from __future__ import annotations

from itertools import islice

import numpy as np

from flythrough.evaluate.methods.baselines import RenderInpaint, RenderOnly
from flythrough.scene.plans import straight

LENS = np.array([0.8, 1.2, 0.5, 0.5])


def wall_before_sky() -> np.ndarray:
    """Bright RGBD ``[4, 64, 96]``: a near wall with a ragged top before a far one."""
    rgbd = np.full((4, 64, 96), 0.8, np.float32)
    rgbd[3] = 0.05
    top = 30 + (6 * np.sin(np.arange(96) / 3)).astype(int)
    for column, row in enumerate(top):
        rgbd[3, row:, column] = 0.6
    return rgbd


def test_inpainting_leaves_no_hole_and_no_dark_rim() -> None:
    only, inpainted = (
        list(islice(method().generate(wall_before_sky(), LENS, straight(speed=0.1), 0), 8))
        for method in (RenderOnly, RenderInpaint)
    )
    assert only[-1].min() == 0
    assert min(frame.min() for frame in inpainted) >= 0.78 * 255
