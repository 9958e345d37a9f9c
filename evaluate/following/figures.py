"""Camera figures of one flight: how far the recovered camera is from the commanded one.

Common to all of them: *Estimator*: poses from structure from motion on the flight's
frames alone, intrinsics known (:mod:`.reconstruct`). *Alignment*: one similarity over all posed frames
(:func:`.similarity.by_orientations`). *Failure*: a frame without a pose counts as the worst posed frame of its
flight; a flight without a path (under three posed frames, or a commanded camera that stands still) has no figures and
counts as the worst posed flight of its method, which is named (:func:`fill_failures`). Nothing is skipped.

The figures that papers print are in :mod:`.published`, under their own names.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flythrough.scene.geometry import camera_center, compose, invert, rotation_angle_deg

from . import published
from .path import Errors, Path, path_length


def rotation_errors(path: Path) -> Errors:
    """Angle between the recovered and the commanded orientation, after alignment.

    Unit: degrees, 0 to 180. Reduction: none, one per frame; results take the mean and the median over a flight's
    frames, then the mean over flights. Failure: a frame without a pose has the flight's largest error.

    Returns:
        ``[n]``, one a commanded frame.
    """
    return path.every_frame(rotation_angle_deg(path.aligned, path.commanded[path.placed]))


def translation_errors(path: Path) -> Errors:
    """Distance of the recovered camera centre from the commanded one, after alignment by a similarity.

    Unit: share of the commanded path's whole length. Reduction: none, one per frame; results take the mean and the
    median over a flight's frames, then the mean over flights. Failure: a frame without a pose has the flight's largest
    error.

    Returns:
        ``[n]``, one a commanded frame.
    """
    off = camera_center(path.aligned) - camera_center(path.commanded[path.placed])
    return path.every_frame(np.linalg.norm(off, axis=1) / path.length)


def step_errors(path: Path) -> tuple[Errors, Errors] | None:
    """Relative pose error: the recovered motion from each frame to the next against the commanded one.

    With ``D`` the pose of frame i + 1 as frame i sees it, the angle of ``D_commanded^-1 D_found`` and the length of its
    translation. Unit: degrees per step, and the commanded path's mean step. Alignment: only the scale matters.
    Reduction: none, one per step; results take the mean over a flight's steps, then the mean over flights. Failure: a
    step with an end that has no pose has the flight's largest error.

    Returns:
        (rotation, translation), each ``[n - 1]``, one per step; None if no two neighbouring frames have poses.
    """
    first = np.flatnonzero(np.diff(path.placed) == 1)
    if not len(first):
        return None
    at = path.placed[first]
    moved = compose(path.aligned[first], invert(path.aligned[first + 1]))
    told = compose(path.commanded[at], invert(path.commanded[at + 1]))
    apart = compose(invert(told), moved)
    steps = len(path.commanded) - 1
    still = np.broadcast_to(np.eye(3, 4), apart.shape)
    rotation, translation = rotation_angle_deg(apart, still), np.linalg.norm(apart[..., 3], axis=-1)
    found = []
    for errors in (rotation, translation * steps / path.length):
        each = np.full(steps, errors.max())
        each[at] = errors
        found.append(each)
    return found[0], found[1]


def share_posed(path: Path) -> float:
    """Share of a flight's frames that have a pose. Unit: 0 to 1. Failure: a flight that cannot be posed has 0."""
    return len(path.placed) / len(path.commanded)


def deviation(path: Path) -> float:
    """Root mean square of the distance of the camera centres over the posed frames, after alignment.

    Unit: share of the length of the posed frames' commanded path. 0 is the commanded path; about 0.29 a path that goes
    another way altogether. Failure: frames without a pose do not count, so the share posed is reported beside it.
    """
    there = path.commanded[path.placed]
    off = camera_center(path.aligned) - camera_center(there)
    return float(np.sqrt((off**2).sum(1).mean()) / max(path_length(there), 1e-24))


def figures(path: Path) -> dict[str, float | None]:
    """All figures of a flight, by the names of the results tables; None for a figure that the path does not give."""
    rotation, translation, steps = rotation_errors(path), translation_errors(path), step_errors(path)
    return {
        "follow_sfm_deviation": deviation(path),
        "follow_sfm_rotation": float(rotation.mean()),
        "follow_sfm_rotation_median": float(np.median(rotation)),
        "follow_sfm_translation": float(translation.mean()),
        "follow_sfm_translation_median": float(np.median(translation)),
        "follow_sfm_step_rotation": None if steps is None else float(steps[0].mean()),
        "follow_sfm_step_translation": None if steps is None else float(steps[1].mean()),
        "rot_err_sum": published.rot_err(path),
        "trans_err_sum": published.trans_err(path),
        "cam_mc_sum": published.cam_mc(path),
        "nate": published.nate(path),
    }


def fill_failures(values: Sequence[float | None]) -> list[float] | None:
    """One value per flight, with failures (None) counted as the worst value; None if no flight has a value.

    All camera figures are lower when better, so the worst is the largest.
    """
    known = [value for value in values if value is not None]
    return [max(known) if value is None else value for value in values] if known else None
