"""A flight's recovered camera path, aligned to the commanded one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from flythrough.scene.geometry import camera_center

from .similarity import Poses, by_orientations

Errors = Float[np.ndarray, "n"]
Found = Float[np.ndarray, "k 3 4"]  # cam_from_world of the frames that were placed
MIN_POSED = 3  # fewest posed frames that make a path


@dataclass(frozen=True)
class Path:
    """A flight's recovered camera, aligned to the commanded one.

    Attributes:
        commanded: cam_from_world of every frame, ``[n, 3, 4]``.
        placed: numbers of the frames that have a pose, ascending, ``[k]``.
        aligned: their cam_from_world in the commanded world, ``[k, 3, 4]``.
        recovered: the same as they were found.
    """

    commanded: Poses
    placed: Int[np.ndarray, "k"]
    aligned: Found
    recovered: Found

    @classmethod
    def of(cls, recovered: Found, placed: Int[np.ndarray, "k"], commanded: Poses) -> Path | None:
        """The aligned path; None for fewer than ``MIN_POSED`` posed frames, or a commanded camera that stands still."""
        placed = np.asarray(placed)
        if len(placed) < MIN_POSED or path_length(commanded[placed]) == 0:
            return None
        aligned = by_orientations(recovered, commanded[placed]).of(recovered)
        return cls(commanded, placed, aligned, recovered)

    @property
    def length(self) -> float:
        """Length of the commanded path, scene units."""
        return path_length(self.commanded)

    def every_frame(self, errors: Errors) -> Errors:
        """Errors of the posed frames as errors of all frames, those without a pose at the worst."""
        found = np.full(len(self.commanded), errors.max())
        found[self.placed] = errors
        return found


def path_length(poses: Poses) -> float:
    """Length of the line through the camera centres, in the poses' units."""
    return float(np.linalg.norm(np.diff(camera_center(poses), axis=0), axis=1).sum())
