"""Structure from motion on the keyframes: global mapping first, incremental where the result is doubtful."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pycolmap

from ..config import MappingConfig
from .matching import MatchGraph, write_database

_TRACKS = 400  # longest tracks of each view that the cameras are placed by; the others are added afterwards
_AGREES_DEG = 3.0  # a pair's own relative rotation against the model's
_DISAGREES = 0.9  # share of agreeing pairs below which a model is in doubt
_LOOSE_PX = 1.5  # mean reprojection error, pixels at a width of 640, above which a model is in doubt


@dataclass(frozen=True)
class Route:
    """Result of one mapper.

    Attributes:
        name: ``global`` or ``incremental``.
        models: reconstructions, largest first; image ids are keyframe numbers plus one.
        registered: share of the keyframes in the largest model.
        error_px: its mean reprojection error.
        agreement: share of the verified pairs whose own relative rotation is within 3 degrees of the model's.
    """

    name: str
    models: list[pycolmap.Reconstruction]
    registered: float
    error_px: float
    agreement: float

    @property
    def score(self) -> float:
        """Larger is better; the share of posed keyframes counts most, then agreement, then error."""
        return self.registered + 0.5 * self.agreement - 0.05 * self.error_px

    def doubtful(self, graph: MatchGraph, config: MappingConfig) -> bool:
        """Whether the other mapper is worth trying."""
        loose = self.error_px > _LOOSE_PX * graph.camera.width / 640
        return self.registered < config.enough or self.agreement < _DISAGREES or loose

    def figures(self) -> dict[str, float]:
        """For the clip's measures."""
        return {
            "registered": round(self.registered, 4),
            "error_px": round(self.error_px, 4),
            "agreement": round(self.agreement, 4),
            "models": len(self.models),
        }


def map_keyframes(graph: MatchGraph, config: MappingConfig, seed: int) -> tuple[Route, list[Route]]:
    """The better route, and all that were tried; a route without models has ``registered == 0``."""
    with tempfile.TemporaryDirectory(prefix="flythrough-sfm-") as scratch:
        folder = Path(scratch)
        write_database(folder / "start.db", graph)
        routes = [_global(folder, graph, seed)]
        if routes[0].doubtful(graph, config):
            routes.append(_incremental(folder, graph, seed))
    return max(routes, key=lambda route: route.score), routes


def map_incrementally(graph: MatchGraph, seed: int) -> Route:
    """Run the incremental mapper, for a global result that contradicts the pictures."""
    with tempfile.TemporaryDirectory(prefix="flythrough-sfm-") as scratch:
        write_database(Path(scratch) / "start.db", graph)
        return _incremental(Path(scratch), graph, seed)


def _global(folder: Path, graph: MatchGraph, seed: int) -> Route:
    """COLMAP's global mapper, after calibrating the focal length from the pairs (on a copy: it edits them)."""
    path = folder / "global.db"
    path.write_bytes((folder / "start.db").read_bytes())
    calibration = pycolmap.ViewGraphCalibrationOptions()
    calibration.random_seed = seed
    pycolmap.set_random_seed(seed)
    pycolmap.calibrate_view_graph(path, calibration)
    options = pycolmap.GlobalPipelineOptions()
    options.num_threads, options.random_seed = 1, seed
    options.mapper.num_threads, options.mapper.random_seed = 1, seed
    options.mapper.global_positioning.random_seed = seed
    options.mapper.rotation_averaging.random_seed = seed
    options.mapper.retriangulation.random_seed = seed
    options.mapper.min_tri_angle_deg = 0.5
    options.mapper.track_required_tracks_per_view = _TRACKS
    options.mapper.bundle_adjustment.ceres.solver_options.num_threads = 1
    models = pycolmap.global_mapping(path, folder, folder / "global", options)
    return _route("global", models, graph)


def _incremental(folder: Path, graph: MatchGraph, seed: int) -> Route:
    """COLMAP's incremental mapper, loosened for cameras that fly forward."""
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads, options.random_seed = 1, seed
    options.extract_colors = False
    options.min_model_size = 4
    options.ba_global_function_tolerance = 1e-5
    options.mapper.num_threads, options.mapper.random_seed = 1, seed
    options.mapper.init_max_forward_motion = 1.0
    options.mapper.init_min_tri_angle = 4.0
    options.mapper.init_min_num_inliers = 50
    options.mapper.abs_pose_min_num_inliers = 20
    options.mapper.filter_min_tri_angle = 0.5
    options.triangulation.min_angle = 0.5
    options.triangulation.random_seed = seed
    pycolmap.set_random_seed(seed)
    models = pycolmap.incremental_mapping(folder / "start.db", folder, folder / "incremental", options)
    return _route("incremental", models, graph)


def _route(name: str, found: dict[int, pycolmap.Reconstruction], graph: MatchGraph) -> Route:
    models = sorted(found.values(), key=lambda m: (-m.num_reg_images(), -m.num_points3D()))
    if not models:
        return Route(name, [], 0.0, 0.0, 0.0)
    model = models[0]
    model.update_point_3d_errors()
    return Route(
        name,
        models,
        model.num_reg_images() / len(graph.keyframes),
        float(model.compute_mean_reprojection_error()),
        _agreement(model, graph),
    )


def _agreement(model: pycolmap.Reconstruction, graph: MatchGraph) -> float:
    rotations = {i - 1: model.image(i).cam_from_world().rotation.matrix() for i in model.reg_image_ids()}
    angles = []
    for pair in graph.pairs:
        own = pair.geometry.cam2_from_cam1
        if own is None or pair.first not in rotations or pair.second not in rotations:
            continue
        relative = rotations[pair.second] @ rotations[pair.first].T
        cosine = (np.trace(relative.T @ own.rotation.matrix()) - 1) / 2
        angles.append(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    return float((np.array(angles) < _AGREES_DEG).mean()) if angles else 1.0
