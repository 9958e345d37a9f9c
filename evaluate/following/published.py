"""Camera figures as papers print them, for comparison with their tables only.

They are sums over frames, so they grow with a flight's length: compare them only for equal numbers of frames. The
papers leave out videos that structure from motion cannot pose (or do not say); here those count as the worst posed one,
and a frame without a pose as the worst posed frame, so values can only be higher than from the papers' own scripts.
"""

from __future__ import annotations

import numpy as np

from flythrough.scene.geometry import camera_center, compose, invert, rotation_angle_deg

from .path import Path
from .similarity import Poses, by_centres


def rot_err(path: Path) -> float:
    """RotErr (CameraCtrl, He et al. 2024; CamI2V, Zheng et al. 2024).

    ``sum_i arccos((trace(R_found_i R_commanded_i^T) - 1) / 2)``. Unit: radians, summed over frames. Alignment: both
    paths are seen from their first posed frame, and nothing else.
    """
    found, told = _from_first(path)
    return float(path.every_frame(np.radians(rotation_angle_deg(found, told))).sum())


def trans_err(path: Path) -> float:
    """TransErr (the same papers; the relative one of CamI2V's script, ``TransErr_rel``).

    ``sum_i |t_found_i - t_commanded_i|`` of the camera centres. Unit: each path's own farthest distance from its first
    camera, summed over frames. Alignment: first posed frame; each path divided by that distance.
    """
    found, told = _scaled(path)
    return float(path.every_frame(np.linalg.norm(found[..., 3] - told[..., 3], axis=-1)).sum())


def cam_mc(path: Path) -> float:
    """CamMC (MotionCtrl, Wang et al. 2024, as CamI2V's script takes it, ``CamMC_rel``).

    ``sum_i |[R t]_found_i - [R t]_commanded_i|``, Frobenius norm of all twelve numbers of world_from_cam. Unit: none
    (rotation entries and scaled distances mixed), summed over frames. Alignment: as :func:`trans_err`.
    """
    found, told = _scaled(path)
    return float(path.every_frame(np.linalg.norm(found - told, axis=(-2, -1))).sum())


def nate(path: Path) -> float:
    """nATE: root mean square distance of the centres over the posed frames, normalised by the path.

    Unit: share of the commanded path's whole length. Alignment: similarity by the centres (Umeyama), as SLAM tools do,
    so a straight path flown backwards or rolled about itself is forgiven. Papers do not agree on what they divide by.
    """
    told = path.commanded[path.placed]
    off = camera_center(by_centres(path.recovered, told).of(path.recovered)) - camera_center(told)
    return float(np.sqrt((off**2).sum(1).mean()) / path.length)


def _from_first(path: Path) -> tuple[Poses, Poses]:
    """World_from_cam of both paths, with the first posed camera as the world."""
    both = path.recovered, path.commanded[path.placed]
    found, told = (compose(np.broadcast_to(each[0], each.shape), invert(each)) for each in both)
    return found, told


def _scaled(path: Path) -> tuple[Poses, Poses]:
    found = []
    for poses in _from_first(path):
        farthest = np.linalg.norm(poses[..., 3], axis=-1).max()
        poses[..., 3] /= max(farthest, 1e-24)
        found.append(poses)
    return found[0], found[1]
