"""A posed piece of a shot as plain arrays, and its bundle adjustment."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pycolmap
from jaxtyping import Bool, Float, Int64

from flythrough.scene.geometry import camera_center, transform

LOOSE_PX = 4.0  # observations with a larger error are cut; at a width of 640
_FINEST_PX = 0.05  # smallest error that the strict cut is based on; at a width of 640
_STRAIGHT_K = 0.01  # half of all lenses distort less: 2 pixels in the corner, at a width of 640
_ON_THE_WAY, _AT_LAST = 1e-6, 1e-7  # tolerances of first and final fits; 1e-8 changed no true error by 0.0002 %


@dataclass(frozen=True)
class Lens:
    """One camera for the whole shot, at working size: focal length in pixels, principal point centred, radial k."""

    width: int
    height: int
    focal: float
    k: float

    @property
    def intrinsics(self) -> Float[np.ndarray, 4]:
        """Normalised fx fy cx cy, without the radial term."""
        return np.array([self.focal / self.width, self.focal / self.height, 0.5, 0.5])

    def pixels(self, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 2"]:
        """Camera-frame points to pixels of the recorded (distorted) picture."""
        xy = points[..., :2] / points[..., 2:]
        xy = xy * (1 + self.k * (xy**2).sum(-1, keepdims=True))
        return xy * self.focal + np.array([self.width, self.height]) / 2


@dataclass(frozen=True)
class Scene:
    """Posed frames of a shot and the points they see.

    Attributes:
        frames: indices of the posed frames in the footage, ascending.
        poses: cam_from_world of each.
        key: which of them are keyframes.
        lens: the camera.
        points: world points.
        seen_frame, seen_point, seen_xy: one entry per observation: place in ``frames``, place in ``points``, pixels.
    """

    frames: Int64[np.ndarray, "m"]
    poses: Float[np.ndarray, "m 3 4"]
    key: Bool[np.ndarray, "m"]
    lens: Lens
    points: Float[np.ndarray, "p 3"]
    seen_frame: Int64[np.ndarray, "o"]
    seen_point: Int64[np.ndarray, "o"]
    seen_xy: Float[np.ndarray, "o 2"]

    def errors_px(self) -> Float[np.ndarray, "o"]:
        """Reprojection error of every observation; infinite behind the camera."""
        local = np.einsum("oij,oj->oi", self.poses[self.seen_frame, :, :3], self.points[self.seen_point])
        local += self.poses[self.seen_frame, :, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.linalg.norm(self.lens.pixels(local) - self.seen_xy, axis=-1)
        return np.where(local[:, 2] > 0, error, np.inf)

    def keep_observations(self, kept: Bool[np.ndarray, "o"]) -> Scene:
        """The scene with some of its observations, and with the points that at least two frames still see."""
        count = np.bincount(self.seen_point[kept], minlength=len(self.points))
        alive = count >= 2
        kept = kept & alive[self.seen_point]
        number = np.cumsum(alive) - 1
        return replace(
            self,
            points=self.points[alive],
            seen_frame=self.seen_frame[kept],
            seen_point=number[self.seen_point[kept]],
            seen_xy=self.seen_xy[kept],
        )

    def keep_frames(self, kept: Bool[np.ndarray, "m"]) -> Scene:
        """The scene with some of its frames."""
        number = np.cumsum(kept) - 1
        fewer = self.keep_observations(kept[self.seen_frame])
        return replace(
            fewer,
            frames=self.frames[kept],
            poses=self.poses[kept],
            key=self.key[kept],
            seen_frame=number[fewer.seen_frame],
        )

    def depths(self, place: int) -> Float[np.ndarray, "n"]:
        """Depths of the points that a frame sees."""
        points = self.seen_point[self.seen_frame == place]
        return transform(self.poses[place], self.points[points])[:, 2]

    def angles_deg(self) -> Float[np.ndarray, "p"]:
        """For each point, the angle between the rays from the first and the last frame that see it, degrees."""
        order = np.lexsort((self.seen_frame, self.seen_point))
        ends = np.searchsorted(self.seen_point[order], np.arange(len(self.points) + 1))
        first, last = order[ends[:-1]], order[ends[1:] - 1]
        centers = camera_center(self.poses)
        a = centers[self.seen_frame[first]] - self.points
        b = centers[self.seen_frame[last]] - self.points
        return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1)))


def scene_of(model: pycolmap.Reconstruction, keyframes: Int64[np.ndarray, "k"]) -> Scene:
    """The arrays of a reconstruction whose image ids are keyframe numbers plus one."""
    camera = next(iter(model.cameras.values()))
    ids = sorted(model.reg_image_ids())
    point_ids = sorted(model.point3D_ids())
    place = {id: i for i, id in enumerate(point_ids)}
    frame, point, xy = [], [], []
    for i, id in enumerate(ids):
        for p in model.image(id).points2D:
            if p.has_point3D():
                frame.append(i)
                point.append(place[p.point3D_id])
                xy.append(p.xy)
    return Scene(
        frames=keyframes[np.array(ids) - 1],
        poses=np.stack([model.image(id).cam_from_world().matrix() for id in ids]),
        key=np.ones(len(ids), bool),
        lens=Lens(camera.width, camera.height, float(camera.params[0]), float(camera.params[3])),
        points=np.array([model.point3D(id).xyz for id in point_ids]).reshape(-1, 3),
        seen_frame=np.array(frame, dtype=np.int64),
        seen_point=np.array(point, dtype=np.int64),
        seen_xy=np.array(xy, dtype=np.float64).reshape(-1, 2),
    )


def refine(scene: Scene) -> Scene:
    """Bundle-adjust, then again with a stricter limit taken from the footage's own errors and the likeliest distortion.

    Slowly drifting points (waves, foam) fit within pixels, yet bend the path and the focal length. So does a radial
    term that the footage hardly determines: on a straight flight it trades off against the focal length.
    """
    scene = _cut(_fit(scene, _loss_px(scene), tolerance=_ON_THE_WAY))
    typical_px = max(_FINEST_PX * scene.lens.width / 640, float(np.median(scene.errors_px())))
    strict = scene.keep_observations(scene.errors_px() < 4 * typical_px)
    if len(strict.points) < 0.5 * len(scene.points):
        return scene
    free = _fit(strict, typical_px, tolerance=_ON_THE_WAY)
    bent = replace(free, lens=replace(free.lens, k=0.0))
    straight = _fit(bent, typical_px, refine_k=False, tolerance=_ON_THE_WAY)
    lens = replace(free.lens, k=_likely_k(free, straight, typical_px))
    return _cut(_fit(replace(free, lens=lens), typical_px, refine_k=False))


def adjust(scene: Scene, *, refine_lens: bool = True, fixed_poses: bool = False) -> Scene:
    """Bundle-adjust all frames and points with a robust loss, then cut the observations that do not fit."""
    return _cut(_fit(scene, _loss_px(scene), refine_focal=refine_lens, refine_k=refine_lens, fixed_poses=fixed_poses))


def _likely_k(free: Scene, straight: Scene, loss_px: float) -> float:
    """The radial term of greatest posterior probability, given the fits with it free and without it.

    Its prior is a Cauchy distribution about 0: most cameras correct their distortion, some do not. The observations of
    a point count as one, because their errors are correlated.
    """
    errors = [np.clip(scene.errors_px() / loss_px, 1e-3, 100) for scene in (free, straight)]  # behind the camera: inf
    costs = [np.sum(np.sqrt(1 + error**2) - 1) for error in errors]
    observations, points = len(free.seen_xy), len(free.points)
    unknowns = 3 * points + 6 * len(free.frames)
    # Twice the gain in log-likelihood of the free term; between the two fits it is a parabola.
    better = (2 * observations - unknowns) * max(0.0, costs[1] / costs[0] - 1) * points / observations
    share = np.linspace(0, 1, 1001)  # of the free fit's term
    surprise = better * (1 - share) ** 2 + 2 * np.log1p((share * free.lens.k / _STRAIGHT_K) ** 2)
    return float(share[surprise.argmin()] * free.lens.k)


def _fit(
    scene: Scene,
    loss_px: float,
    *,
    refine_focal: bool = True,
    refine_k: bool = True,
    fixed_poses: bool = False,
    tolerance: float = _AT_LAST,
) -> Scene:
    """The scene after bundle adjustment; the loss (soft L1) turns from quadratic to linear at ``loss_px``.

    It ends when an iteration lowers the cost by less than the share ``tolerance``.
    """
    model = _model_of(scene)
    options = pycolmap.BundleAdjustmentOptions()
    options.refine_focal_length, options.refine_extra_params = refine_focal, refine_k
    options.refine_rig_from_world = not fixed_poses
    options.print_summary = False
    options.ceres.loss_function_type = pycolmap.LossFunctionType.SOFT_L1
    options.ceres.loss_function_scale = loss_px
    solver = options.ceres.solver_options
    solver.max_num_iterations, solver.function_tolerance, solver.num_threads = 100, tolerance, 1
    config = pycolmap.BundleAdjustmentConfig()
    for number in range(1, len(scene.frames) + 1):
        config.add_image(number)
    if not fixed_poses:
        config.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    pycolmap.create_default_bundle_adjuster(options, config, model).solve()
    camera = model.camera(1)
    return replace(
        scene,
        poses=np.stack([model.image(i + 1).cam_from_world().matrix() for i in range(len(scene.frames))]),
        points=np.array([model.point3D(i + 1).xyz for i in range(len(scene.points))]).reshape(-1, 3),
        lens=replace(scene.lens, focal=float(camera.params[0]), k=float(camera.params[3])),
    )


def _loss_px(scene: Scene) -> float:
    return scene.lens.width / 640


def _cut(scene: Scene) -> Scene:
    return scene.keep_observations(scene.errors_px() < LOOSE_PX * scene.lens.width / 640)


def _model_of(scene: Scene) -> pycolmap.Reconstruction:
    lens = scene.lens
    model = pycolmap.Reconstruction()
    params = [lens.focal, lens.width / 2, lens.height / 2, lens.k]
    camera = pycolmap.Camera(camera_id=1, model="SIMPLE_RADIAL", width=lens.width, height=lens.height, params=params)
    model.add_camera_with_trivial_rig(camera)
    order = np.argsort(scene.seen_frame, kind="stable")
    bounds = np.searchsorted(scene.seen_frame[order], np.arange(len(scene.frames) + 1))
    tracks: list[pycolmap.Track] = [pycolmap.Track() for _ in scene.points]
    for i, pose in enumerate(scene.poses):
        seen = order[bounds[i] : bounds[i + 1]]
        image = pycolmap.Image(name=str(i), keypoints=scene.seen_xy[seen], camera_id=1, image_id=i + 1)
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pose))
        for place, point in enumerate(scene.seen_point[seen]):
            tracks[point].add_element(i + 1, place)
    for number, (xyz, track) in enumerate(zip(scene.points, tracks, strict=True), start=1):
        model.add_point3D_with_id(number, pycolmap.Point3D(xyz=xyz, track=track))
    return model
