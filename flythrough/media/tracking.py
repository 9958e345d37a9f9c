"""Corner detection and tracking: Shi and Tomasi's corners, followed by pyramidal Lucas-Kanade.

Places are in pixels, x then y, and (0, 0) is the centre of the first pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

Gray = UInt8[np.ndarray, "h w"]
Points = Float32[np.ndarray, "n 2"]


def corners(
    gray: Gray,
    count: int,
    *,
    spacing_px: float,
    quality: float = 0.01,
    block: int = 3,
    mask: UInt8[np.ndarray, "h w"] | None = None,
) -> Points:
    """The strongest corners of a picture.

    Args:
        gray: the picture.
        count: how many at most.
        spacing_px: minimum distance between two.
        quality: minimum strength, relative to the strongest corner's.
        block: side of the window around a pixel that its strength is computed from, pixels.
        mask: corners are found only where it is not 0.
    """
    found = cv2.goodFeaturesToTrack(gray, count, quality, spacing_px, mask=mask, blockSize=block)
    return np.zeros((0, 2), np.float32) if found is None else found[:, 0]


@dataclass(frozen=True)
class LucasKanade:
    """Follows points from one picture to another.

    Attributes:
        window: side of the window that is compared around a point, pixels.
        levels: how often the picture is halved; each level doubles the reach.
        rounds: maximum number of iterations per level.
        least_step_px: a level ends when an iteration moves the point by less.
    """

    window: int
    levels: int = 3
    rounds: int = 30
    least_step_px: float = 0.01

    def follow(
        self, before: Gray, after: Gray, points: Float[np.ndarray, "n 2"], guess: Float[np.ndarray, "n 2"] | None = None
    ) -> tuple[Points, Bool[np.ndarray, "n"]]:
        """Find points of one picture in another.

        Args:
            before: the picture that ``points`` are in.
            after: the picture to find them in.
            points: places in ``before``, at least one.
            guess: where in ``after`` to begin; by default at the same places.

        Returns:
            The places in ``after``, and which points were found.
        """
        start = np.array(points, np.float32, order="C").reshape(-1, 1, 2)
        seed = np.array(points if guess is None else guess, np.float32, order="C").reshape(-1, 1, 2)
        there, found, _ = cv2.calcOpticalFlowPyrLK(
            before, after, start, seed,
            winSize=(self.window, self.window), maxLevel=self.levels,
            criteria=(cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, self.rounds, self.least_step_px),
            flags=0 if guess is None else cv2.OPTFLOW_USE_INITIAL_FLOW,
        )  # fmt: skip
        return there[:, 0], found[:, 0] == 1

    def there_and_back(
        self,
        before: Gray,
        after: Gray,
        points: Float[np.ndarray, "n 2"],
        guess: Float[np.ndarray, "n 2"] | None = None,
        *,
        back_from_start: bool,
    ) -> tuple[Points, Bool[np.ndarray, "n"], Float32[np.ndarray, "n"]]:
        """Track forward and backward: a point that was tracked well returns to its origin.

        Args:
            before: the picture that ``points`` are in.
            after: the picture to find them in.
            points: places in ``before``.
            guess: where in ``after`` to begin.
            back_from_start: whether the way back begins at ``points``, else at the places that were found.

        Returns:
            The places in ``after``, which points were found both ways, and each one's distance from its origin, pixels.
        """
        there, forth = self.follow(before, after, points, guess)
        home, back = self.follow(after, before, there, points if back_from_start else None)
        return there, forth & back, np.linalg.norm(home - points.astype(np.float32), axis=1)
