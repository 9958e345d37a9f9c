"""The similarity that aligns a recovered camera path to the commanded one: rotation, scale, shift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from flythrough.scene.geometry import camera_center, make_pose

Poses = Float[np.ndarray, "n 3 4"]  # cam_from_world


@dataclass(frozen=True)
class Similarity:
    """``x -> scale * rotation @ x + shift``, from the recovered world to the commanded one.

    Attributes:
        rotation: ``[3, 3]``, determinant +1.
        scale: at least zero.
        shift: ``[3]``, units of the commanded world.
    """

    rotation: Float[np.ndarray, "3 3"]
    scale: float
    shift: Float[np.ndarray, "3"]

    def of(self, poses: Poses) -> Poses:
        """The same cameras in the commanded world, cam_from_world."""
        turned = poses[:, :, :3] @ self.rotation.T
        centers = self.scale * camera_center(poses) @ self.rotation.T + self.shift
        return make_pose(turned, -(turned @ centers[:, :, None])[..., 0])


def by_orientations(recovered: Poses, commanded: Poses) -> Similarity:
    """Rotation from the orientations alone, scale (at least zero) and shift from the centres; least squares each.

    A drone's path is close to a straight line: centres do not determine the rotation about it, and cannot tell a line
    flown backwards from one flown ahead. Orientations do.
    """
    return _scaled(_nearest_rotation(np.einsum("nji,njk->ik", commanded[:, :, :3], recovered[:, :, :3])),
                   recovered, commanded)  # fmt: skip


def by_centres(recovered: Poses, commanded: Poses) -> Similarity:
    """Rotation, scale and shift from the centres alone, by least squares (Umeyama 1991), as SLAM tools align.

    On a straight path the rotation about it is arbitrary.
    """
    theirs, ours = camera_center(commanded), camera_center(recovered)
    covariance = (theirs - theirs.mean(0)).T @ (ours - ours.mean(0))
    return _scaled(_nearest_rotation(covariance), recovered, commanded)


def _nearest_rotation(matrix: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    u, _, vt = np.linalg.svd(matrix)
    return np.asarray(u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt)


def _scaled(rotation: Float[np.ndarray, "3 3"], recovered: Poses, commanded: Poses) -> Similarity:
    theirs, ours = camera_center(commanded), camera_center(recovered) @ rotation.T
    there, here = theirs - theirs.mean(0), ours - ours.mean(0)
    scale = max(float((there * here).sum() / max((here**2).sum(), 1e-24)), 0.0)
    return Similarity(rotation, scale, theirs.mean(0) - scale * ours.mean(0))
