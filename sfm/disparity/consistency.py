"""Consistency of disparity from frame to frame: neighbours are warped onto each other and compared."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float

from flythrough.scene.geometry import compose, invert, project, transform, unproject

from .fit import Disparities
from .posed import PosedClip

_ROWS = 96  # neighbours are compared at this height


class Consistency:
    """Passes disparities through and records the errors between frames ``gap`` apart.

    Attributes:
        disparity_error: median |warped - own| / own disparity of each frame against the one ``gap`` before.
        photometric_error: mean absolute difference of colour between the same frames, 0 to 1.
    """

    def __init__(self, clip: PosedClip, gap: int) -> None:
        self._clip, self._gap = clip, gap
        self._kept: dict[int, np.ndarray] = {}
        self.disparity_error: list[float] = []
        self.photometric_error: list[float] = []

    def watch(self, maps: Disparities) -> Disparities:
        """Pass disparities through, measuring on the way."""
        height, width = self._clip.images.shape[1:3]
        size = (round(width * _ROWS / height), _ROWS)
        for place, disparity in enumerate(maps):
            self._kept[place] = cv2.resize(disparity, size, interpolation=cv2.INTER_AREA)
            before = self._kept.pop(place - self._gap, None)
            if before is not None:
                self._compare(place - self._gap, before, place)
            yield disparity

    def figures(self) -> dict[str, float]:
        """Medians over the clip, for its measures."""
        if not self.disparity_error:
            return {}
        return {
            "warp_disparity": round(float(np.median(self.disparity_error)), 5),
            "warp_photometric": round(float(np.median(self.photometric_error)), 5),
        }

    def _compare(self, a: int, disparity: Float[np.ndarray, "h w"], b: int) -> None:
        clip, shape = self._clip, disparity.shape
        solid = disparity > 0.01
        points = unproject(clip.intrinsics, 1 / np.maximum(disparity, 1e-6))[solid]
        xy, depth = project(clip.intrinsics, transform(compose(clip.poses[b], invert(clip.poses[a])), points))
        inside = (depth > 1e-6) & ((xy > 0) & (xy < 1)).all(-1)
        if inside.sum() < 50:
            return
        at = (xy[inside] * shape[::-1] - 0.5).astype(np.float32)[None]
        target = self._kept[b]
        there = cv2.remap(target, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
        error = np.abs(1 / depth[inside] - there) / np.maximum(there, 1e-3)
        size = shape[::-1]
        here = cv2.resize(clip.images[a], size, interpolation=cv2.INTER_AREA)[solid][inside].astype(float)
        other = cv2.resize(clip.images[b], size, interpolation=cv2.INTER_AREA)
        seen = cv2.remap(other, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
        self.disparity_error.append(float(np.median(error)))
        self.photometric_error.append(float(np.abs(seen - here).mean() / 255))
