"""Rolling shutter: whether the lower rows of a frame were read later, from what the poses leave unexplained."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int64
from scipy.sparse import block_diag, csr_array

from flythrough.scene.geometry import Pose

from .scene import Scene

_SPANS = 10  # of the jackknife
_OBSERVATIONS = 20_000  # where there are more, only every second, third, ... point is taken


@dataclass(frozen=True)
class Readout:
    """How long the camera takes to read a frame, from its top row to its bottom row, milliseconds.

    Attributes:
        ms: 0 for a global shutter, negative if read from the bottom up.
        sd_ms: its standard deviation. A steady flight says little: all its frames fit a sheared scene as well.
    """

    ms: float
    sd_ms: float

    def figures(self) -> dict[str, float]:
        """For the clip's measures."""
        return {"readout_ms": round(self.ms, 2), "readout_sd_ms": round(self.sd_ms, 2)}


def readout(scene: Scene, times_us: Int64[np.ndarray, "m"]) -> Readout | None:
    """The readout time that fits a bundle-adjusted scene best, with poses, points and focal length free to follow it.

    One Gauss-Newton step of a bundle adjustment with one more unknown: a point that moves through the picture by ``u``
    pixels a millisecond is seen ``ms * row * u`` off its place, with ``row`` from -0.5 at the top to 0.5 at the bottom
    (the linear model of Hedborg et al., "Rolling shutter bundle adjustment", CVPR 2012). What other poses and points
    explain as well is taken off first. Errors of tracking are correlated: the standard deviation is the greater of
    that in which all observations of a point count as one, and a jackknife's over spans of time. Speeds are means
    from the frame before to the one after, so a shake that is fast for the frame rate makes the readout too long.

    Args:
        scene: of a film; its frames in the order of time.
        times_us: when each of its frames was taken, microseconds.

    Returns:
        None if no three frames follow each other, or nothing in them moves.
    """
    scene = _thinned(scene)
    effect, known = _effect(scene, times_us)
    scene, effect = _only(scene, known), effect[known]
    if len(scene.seen_xy) < 6 * len(scene.frames) or not effect.any():
        return None
    errors = scene.seen_xy - scene.lens.pixels(_local(scene, scene.poses))
    size = np.linalg.norm(errors, axis=-1)
    weight = np.repeat(np.sqrt(np.minimum(1, np.median(size) / np.maximum(size, 1e-9))), 2)  # Huber's
    left, e = _unexplained(scene, weight, weight * effect.ravel()), weight * errors.ravel()
    strength = float(left @ left)
    if strength < 1e-9 * float(np.square(effect).sum()):
        return None
    span = np.repeat(scene.seen_frame * _SPANS // len(scene.frames), 2)
    along, square = (np.bincount(span, left * other, _SPANS) for other in (e, left))
    without = (along.sum() - along) / np.maximum(square.sum() - square, 1e-9 * strength)
    ms = float(left @ e) / strength
    variance = float(np.square(e - ms * left).mean()) * len(scene.seen_xy) / len(scene.points)
    return Readout(ms, float(np.sqrt(max((_SPANS - 1) * np.var(without), variance / strength))))


def _thinned(scene: Scene) -> Scene:
    every = max(1, -(-len(scene.seen_xy) // _OBSERVATIONS))
    return scene.keep_observations(scene.seen_point % every == 0)


def _only(scene: Scene, kept: Bool[np.ndarray, "o"]) -> Scene:
    """The scene with these observations, all of them, in their order, and the points that they see."""
    points, number = np.unique(scene.seen_point[kept], return_inverse=True)
    seen_frame, seen_xy = scene.seen_frame[kept], scene.seen_xy[kept]
    return replace(scene, points=scene.points[points], seen_frame=seen_frame, seen_point=number, seen_xy=seen_xy)


def _local(scene: Scene, poses: Pose) -> Float[np.ndarray, "o 3"]:
    """Each observation's point in the camera of its frame, by these poses."""
    pose = poses[scene.seen_frame]
    return np.einsum("oij,oj->oi", pose[:, :, :3], scene.points[scene.seen_point]) + pose[:, :, 3]


def _effect(scene: Scene, times_us: Int64[np.ndarray, "m"]) -> tuple[Float[np.ndarray, "o 2"], Bool[np.ndarray, "o"]]:
    """How far a readout of 1 ms moves each observation, pixels; and where that is known."""
    last = len(scene.frames) - 1
    before, after = np.maximum(np.arange(last + 1) - 1, 0), np.minimum(np.arange(last + 1) + 1, last)
    follow = scene.frames[after] - scene.frames[before] == 2
    span_ms = np.maximum(times_us[after] - times_us[before], 1) / 1000
    back, here, there = (_local(scene, poses) for poses in (scene.poses[before], scene.poses, scene.poses[after]))
    known = follow[scene.seen_frame] & (np.minimum(np.minimum(back, here), there)[:, 2] > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        speed = (scene.lens.pixels(there) - scene.lens.pixels(back)) / span_ms[scene.seen_frame, None]
    row = scene.seen_xy[:, 1] / scene.lens.height - 0.5
    return np.where(known[:, None], row[:, None] * speed, 0), known


def _unexplained(
    scene: Scene, weight: Float[np.ndarray, "o2"], effect: Float[np.ndarray, "o2"]
) -> Float[np.ndarray, "o2"]:
    """What no change of poses, points and focal length can do of the weighted ``effect`` on all observations.

    Least squares, with the points eliminated first (Schur's complement), as in any bundle adjustment.
    """
    cameras, points = (csr_array(part.multiply(weight[:, None])) for part in _jacobian(scene))
    blocks = (points.T @ points).tobsr((3, 3))
    blocks.sort_indices()
    own = blocks.data + 1e-9 * np.trace(blocks.data, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    inverse = csr_array(block_diag(np.linalg.inv(own), format="csr"))
    shared = points.T @ cameras
    reduced = (cameras.T @ cameras - shared.T @ inverse @ shared).toarray()
    towards = points.T @ effect
    wanted = cameras.T @ effect - shared.T @ (inverse @ towards)
    scale = np.sqrt(np.maximum(np.diag(reduced), 1e-12))  # metres, radians and pixels
    normal = reduced / np.outer(scale, scale) + 1e-9 * np.eye(len(scale))  # the whole scene may move, turn and grow
    change = np.linalg.solve(normal, wanted / scale) / scale
    return effect - cameras @ change - points @ (inverse @ (towards - shared @ change))


def _jacobian(scene: Scene) -> tuple[csr_array, csr_array]:
    """Derivatives of all observations by 6 numbers a frame and the focal length, and by 3 numbers a point."""
    lens, local, count = scene.lens, _local(scene, scene.poses), len(scene.seen_xy)
    xy, z = local[:, :2] / local[:, 2:], local[:, 2]
    square = (xy**2).sum(-1)
    bend = (1 + lens.k * square)[:, None, None] * np.eye(2) + 2 * lens.k * xy[:, :, None] * xy[:, None, :]
    flat = np.zeros((count, 2, 3))
    flat[:, 0, 0] = flat[:, 1, 1] = 1 / z
    flat[:, :, 2] = -xy / z[:, None]
    by_place = lens.focal * bend @ flat
    by_turn = np.cross(local[:, None, :], by_place)  # of a turn w, the place moves by w x local
    by_focal = (xy * (1 + lens.k * square)[:, None])[:, :, None]
    focal = np.full((count, 1), 6 * len(scene.frames))
    frame = np.concatenate([6 * scene.seen_frame[:, None] + np.arange(6), focal], -1)
    point = 3 * scene.seen_point[:, None] + np.arange(3)
    by_point = by_place @ scene.poses[scene.seen_frame, :, :3]
    return (
        _sparse(np.concatenate([by_turn, by_place, by_focal], -1), frame, 6 * len(scene.frames) + 1),
        _sparse(by_point, point, 3 * len(scene.points)),
    )


def _sparse(values: Float[np.ndarray, "o 2 n"], columns: Int64[np.ndarray, "o n"], width: int) -> csr_array:
    """The matrix ``[2 o, width]`` with these values in these columns."""
    rows = np.repeat(np.arange(2 * len(values)), values.shape[-1])
    return csr_array((values.ravel(), (rows, np.repeat(columns, 2, 0).ravel())), (2 * len(values), width))
