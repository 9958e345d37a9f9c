"""A posed piece of a shot as the clip shows it: undistorted pictures, in the common scale."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8

from flythrough.scene.geometry import camera_center, project, transform

from ..config import ScaleConfig
from ..poses.footage import Footage, taken
from ..poses.scene import Lens, Scene
from .dense import dense_points

NEAR_PERCENTILE = 5.0  # of the depths in a frame, and again over the frames


@dataclass(frozen=True)
class PosedClip:
    """The data that disparity is computed from and that is published.

    Attributes:
        times_us: of each frame.
        images: undistorted RGB.
        intrinsics: fx fy cx cy, normalised; one camera.
        poses: cam_from_world in the common scale.
        points: world points in the common scale; the bundle-adjusted ones come first.
        adjusted: number of bundle-adjusted points; the others are used for disparity only.
        visible_from, visible_to: index of the first and last (inclusive) frame that saw the point.
        scale: SfM units per unit of the common scale.
    """

    times_us: Int64[np.ndarray, "n"]
    images: UInt8[np.ndarray, "n h w 3"]
    intrinsics: Float[np.ndarray, 4]
    poses: Float[np.ndarray, "n 3 4"]
    points: Float[np.ndarray, "p 3"]
    adjusted: int
    visible_from: Int64[np.ndarray, "p"]
    visible_to: Int64[np.ndarray, "p"]
    scale: float

    def __len__(self) -> int:
        return len(self.poses)

    def sparse(self, place: int) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n"], Int64[np.ndarray, "n"]]:
        """The points in view of a frame: their places (normalised), their disparity and their indices."""
        live = np.flatnonzero((self.visible_from <= place) & (place <= self.visible_to))
        xy, depth = project(self.intrinsics, transform(self.poses[place], self.points[live]))
        inside: Bool[np.ndarray, "n"] = (depth > 1e-6) & ((xy > 0) & (xy < 1)).all(-1)
        return xy[inside], 1 / depth[inside], live[inside]


def near_depth(scene: Scene) -> float:
    """The unit of the common scale, in SfM units: a robust distance to the nearest ground.

    A frame's near depth is the 5th percentile of the depths of the points it sees; the unit is the 5th percentile of
    the near depths of all frames. So disparity reaches about 1 where the flight comes closest.
    """
    nearest = [np.percentile(depths, NEAR_PERCENTILE) for i in range(len(scene.frames))
               if len(depths := scene.depths(i)) >= 5]  # fmt: skip
    return float(np.percentile(nearest, NEAR_PERCENTILE))


def training_steps(poses: Float[np.ndarray, "n 3 4"], config: ScaleConfig) -> int:
    """Number of frames per training step at which the camera moves at the training speed.

    The ratio of the training speed to the median motion between frames, rounded; at least 1, and small enough to leave
    ``config.positions`` positions.
    """
    motion = float(np.median(np.linalg.norm(np.diff(camera_center(poses), axis=0), axis=-1)))
    wanted = round(config.training_speed / max(motion, 1e-9))
    return int(np.clip(wanted, 1, max(1, (len(poses) - 1) // (config.positions - 1))))


def pose_clip(footage: Footage, scene: Scene) -> PosedClip:
    """Undistort a scene's pictures and bring it to the common scale."""
    unit = near_depth(scene)
    poses = scene.poses.copy()
    poses[:, :, 3] /= unit
    color = taken(footage.color, scene.frames)
    images, intrinsics = undistort(color, scene.lens)
    dense = dense_points(taken(footage.gray, scene.frames), color, scene)
    order = np.lexsort((scene.seen_frame, scene.seen_point))
    ends = np.searchsorted(scene.seen_point[order], np.arange(len(scene.points) + 1))
    return PosedClip(
        times_us=footage.times_us[scene.frames],
        images=images,
        intrinsics=intrinsics,
        poses=poses,
        points=np.concatenate([scene.points, dense.points]) / unit,
        adjusted=len(scene.points),
        visible_from=np.concatenate([scene.seen_frame[order[ends[:-1]]], dense.visible_from]),
        visible_to=np.concatenate([scene.seen_frame[order[ends[1:] - 1]], dense.visible_to]),
        scale=unit,
    )


def undistort(
    images: UInt8[np.ndarray, "n h w 3"], lens: Lens
) -> tuple[UInt8[np.ndarray, "n h w 3"], Float[np.ndarray, 4]]:
    """Pinhole pictures of the same size, without blank borders, and their normalised intrinsics.

    A distortion that moves every pixel by less than a tenth of its size is ignored.
    """
    height, width = images.shape[1:3]
    focal = lens.focal * width / lens.width
    corner = (width**2 + height**2) / 4 / focal**2
    if abs(lens.k) * corner * np.hypot(width, height) / 2 < 0.1:
        return images, lens.intrinsics
    new_focal = focal
    for _ in range(20):  # pincushion pictures shrink when straightened: zoom in until the corners are filled
        radius = np.array([width**2, height**2, width**2 + height**2]) / 4 / new_focal**2
        new_focal = focal * max(1.0, float((1 + lens.k * radius).max()))
    matrix = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    new = matrix.copy()
    new[0, 0] = new[1, 1] = new_focal
    maps = cv2.initUndistortRectifyMap(matrix, np.array([lens.k, 0, 0, 0]), None, new, (width, height), cv2.CV_16SC2)
    straight = np.empty_like(images)
    for image, target in zip(images, straight, strict=True):
        cv2.remap(image, *maps, cv2.INTER_LINEAR, dst=target, borderMode=cv2.BORDER_REPLICATE)
    return straight, np.array([new_focal / width, new_focal / height, 0.5, 0.5])
