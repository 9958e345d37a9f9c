"""Camera geometry: poses, intrinsics, projection.

Conventions (the whole package): a pose is ``cam_from_world`` ``[3, 4]``, axes +x right, +y down,
+z forward (OpenCV). Intrinsics are ``fx fy cx cy`` normalised by the image size: x over the width,
y over the height, so the image runs from 0 to 1 and pixel ``(i, j)`` has its centre at
``((i + 0.5) / width, (j + 0.5) / height)``. Unless marked as numpy's, a function takes numpy arrays or
torch tensors, with any leading shape, and returns the same kind.
"""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

Array: TypeAlias = Any  # numpy's or torch's; the functions return the kind they got
Pose = Float[Array, "*view 3 4"]  # cam_from_world
Intrinsics = Float[Array, "*view 4"]  # fx fy cx cy, normalised
Disparity = Float[Array, "*view 1 h w"]  # 1 / z in scene units; 0 = infinitely far
Rotation = Float[Array, "*view 3 3"]
Vector = Float[Array, "*view 3"]
Points = Float[Array, "*view n 3"]


def _namespace(array: object) -> Any:
    torch = sys.modules.get("torch")  # not imported here: numpy callers do not need it
    return torch if torch is not None and isinstance(array, torch.Tensor) else np


def make_pose(rotation: Rotation, translation: Vector) -> Pose:
    """Join ``rotation [*view, 3, 3]`` and ``translation [*view, 3]`` into a pose."""
    return _namespace(rotation).concatenate([rotation, translation[..., None]], -1)


def identity_pose() -> Pose:
    """The camera at the origin, looking along +z; float64 numpy ``[3, 4]``."""
    return np.eye(3, 4)


def compose(c_from_b: Float[Array, "*#view 3 4"], b_from_a: Float[Array, "*#view 3 4"]) -> Float[Array, "... 3 4"]:
    """Chain rigid maps; returns ``c_from_a``. The two are broadcast against each other."""
    rotation = c_from_b[..., :3] @ b_from_a[..., :3]
    translation = (c_from_b[..., :3] @ b_from_a[..., 3:])[..., 0] + c_from_b[..., 3]
    return make_pose(rotation, translation)


def invert(b_from_a: Pose) -> Pose:
    """The rigid map back; returns ``a_from_b``."""
    rotation = b_from_a[..., :3].swapaxes(-1, -2)
    return make_pose(rotation, -(rotation @ b_from_a[..., 3:])[..., 0])


def camera_center(cam_from_world: Pose) -> Vector:
    """Where the camera stands in the world, ``[*view, 3]``."""
    return invert(cam_from_world)[..., 3]


def transform(b_from_a: Pose, points: Points) -> Points:
    """Points in frame a, ``[*view, n, 3]``, expressed in frame b."""
    return points @ b_from_a[..., :3].swapaxes(-1, -2) + b_from_a[..., None, :, 3]


def project(intrinsics: Intrinsics, points: Points) -> tuple[Float[Array, "*view n 2"], Float[Array, "*view n"]]:
    """Camera-frame points ``[*view, n, 3]`` to normalised image points ``[*view, n, 2]`` and depth ``[*view, n]``."""
    depth = points[..., 2]
    focal, center = intrinsics[..., None, :2], intrinsics[..., None, 2:]
    return points[..., :2] / depth[..., None] * focal + center, depth


def pixel_centers(height: int, width: int) -> Float[np.ndarray, "h w 2"]:
    """Normalised (x, y) of every pixel centre, float64."""
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    return np.stack([x, y], -1)


def unproject(intrinsics: Intrinsics, depth: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
    """Camera-frame point of every pixel centre, given its depth (numpy)."""
    rays = (pixel_centers(*depth.shape) - np.asarray(intrinsics)[2:]) / np.asarray(intrinsics)[:2]
    return np.concatenate([rays, np.ones_like(rays[..., :1])], -1) * depth[..., None]


def crop_intrinsics(intrinsics: Intrinsics, *, left: float, top: float, width: float, height: float) -> Intrinsics:
    """Intrinsics of a crop; the box is in fractions of the original image (a resize needs no change)."""
    fx, fy, cx, cy = (intrinsics[..., i] for i in range(4))
    xp = _namespace(intrinsics)
    return xp.stack([fx / width, fy / height, (cx - left) / width, (cy - top) / height], -1)


def flip_pose(cam_from_world: Pose) -> Pose:
    """The pose seen in a mirrored world (x negated on both sides), so determinants stay +1."""
    xp = _namespace(cam_from_world)
    signs = np.array([[1, -1, -1, -1], [-1, 1, 1, 1], [-1, 1, 1, 1]], dtype=np.float32)
    if xp is np:
        return cam_from_world * signs.astype(cam_from_world.dtype)
    return cam_from_world * xp.as_tensor(signs, dtype=cam_from_world.dtype, device=cam_from_world.device)


def flip_intrinsics(intrinsics: Intrinsics) -> Intrinsics:
    """Intrinsics of the horizontally flipped image: cx becomes 1 - cx."""
    fx, fy, cx, cy = (intrinsics[..., i] for i in range(4))
    return _namespace(intrinsics).stack([fx, fy, 1 - cx, cy], -1)


def rotation_angle_deg(a: Pose, b: Pose) -> Float[np.ndarray, "*view"]:
    """Angle between two orientations, in degrees (numpy poses)."""
    relative = a[..., :3] @ b[..., :3].swapaxes(-1, -2)
    # The sine keeps precision where the cosine is flat.
    skew = relative - relative.swapaxes(-1, -2)
    sine = np.linalg.norm(np.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], -1), axis=-1) / 2
    cosine = (np.trace(relative, axis1=-2, axis2=-1) - 1) / 2
    return np.asarray(np.degrees(np.arctan2(sine, cosine)))


def default_intrinsics(height: int, width: int) -> Float[np.ndarray, 4]:
    """What the release assumes of a photo without camera data: 64 degrees across, square pixels; fx fy cx cy."""
    return np.array([0.8, 0.8 * width / height, 0.5, 0.5])
