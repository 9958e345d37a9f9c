"""Verified matches between keyframes, without independently moving objects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pycolmap
from jaxtyping import Int64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..config import FeaturesConfig
from .features import ALL_PAIRS, Features, detect, match, pairs_to_match
from .footage import Footage
from .masks import in_cells, moving_cells, usable_mask
from .parallax import Matched


@dataclass(frozen=True)
class Pair:
    """Two keyframes (by their numbers) and their verified matches."""

    first: int
    second: int
    matches: Int64[np.ndarray, "m 2"]
    geometry: pycolmap.TwoViewGeometry


@dataclass(frozen=True)
class MatchGraph:
    """Input of the mappers."""

    keyframes: Int64[np.ndarray, "k"]  # indices of frames
    features: list[Features]
    pairs: list[Pair]
    camera: pycolmap.Camera

    @property
    def typical_features(self) -> int:
        """Median number of features per keyframe."""
        return int(np.median([len(features) for features in self.features]))

    @property
    def linked(self) -> int:
        """Keyframes in the largest group connected by verified pairs, counting pairs that a third keyframe confirms.

        Waves give single pairs by chance, which depend on the processor's rounding; a view that is really seen again is
        seen from three keyframes.
        """
        first, second = [p.first for p in self.pairs], [p.second for p in self.pairs]
        ones = np.ones(2 * len(first), dtype=np.int32)
        links = coo_array((ones, (first + second, second + first)), shape=(len(self.features),) * 2).tocsr()
        _, groups = connected_components(links.multiply(links @ links), directed=False)
        return int(np.bincount(groups).max())

    def matched(self) -> list[Matched]:
        """Matched points of each pair, centred, in widths of the picture."""
        width, center = self.camera.width, np.array([self.camera.width, self.camera.height]) / 2
        return [
            (
                (self.features[p.first].xy[p.matches[:, 0]] - center) / width,
                (self.features[p.second].xy[p.matches[:, 1]] - center) / width,
            )
            for p in self.pairs
        ]


def match_keyframes(
    footage: Footage, keyframes: Int64[np.ndarray, "k"], focal: float, config: FeaturesConfig, seed: int
) -> MatchGraph:
    """Detect features, match keyframes and verify the pairs; ``focal`` is the first guess, widths of the picture."""
    camera = make_camera(footage.size, focal, known=footage.focal is not None)
    features = [
        detect(footage.gray[i], usable_mask(footage.color[i], footage.overlay, footage.size), config) for i in keyframes
    ]
    options = verification(config, seed)
    votes: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in features]
    pairs = []
    lost: set[int] = set()  # keyframes that had no match at a smaller gap already
    for first, second in pairs_to_match(features, config, film=footage.film):
        near = len(features) > ALL_PAIRS and second - first <= 4 * config.overlap
        if near and first in lost:
            continue
        a, b = features[first], features[second]
        found = match(a, b, config.ratio)
        if len(found) < config.min_matches:
            lost |= {first} if near else set()
            continue
        geometry = pycolmap.estimate_two_view_geometry(
            camera, a.xy.astype(float), camera, b.xy.astype(float), found.astype(np.uint32), options
        )
        inliers = np.asarray(geometry.inlier_matches, dtype=np.int64).reshape(-1, 2)
        if len(inliers) < config.min_matches:
            lost |= {first} if near else set()
            continue
        obeys = np.isin(found[:, 0], inliers[:, 0])
        votes[first].append((a.xy[found[:, 0]], obeys))
        votes[second].append((b.xy[found[:, 1]], obeys))
        pairs.append(Pair(first, second, inliers, geometry))
    moving = [in_cells(f.xy, moving_cells(v, footage.size), footage.size) for f, v in zip(features, votes, strict=True)]
    pairs = [_without(pair, moving) for pair in pairs]
    return MatchGraph(keyframes, features, [p for p in pairs if len(p.matches) >= config.min_matches], camera)


def make_camera(size: tuple[int, int], focal: float, *, known: bool) -> pycolmap.Camera:
    """The one camera of a shot; ``focal`` in widths, ``known`` if it is from metadata."""
    width, height = size
    camera = pycolmap.Camera(
        camera_id=1, model="SIMPLE_RADIAL", width=width, height=height, params=[focal * width, width / 2, height / 2, 0]
    )
    camera.has_prior_focal_length = known
    return camera


def write_database(path: Path, graph: MatchGraph) -> None:
    """A COLMAP database of the graph; image ids are keyframe numbers plus one."""
    with pycolmap.Database.open(path) as database:
        database.write_camera(graph.camera, use_camera_id=True)
        rig = pycolmap.Rig(rig_id=1)
        rig.add_ref_sensor(graph.camera.sensor_id)
        database.write_rig(rig, use_rig_id=True)
        for number, features in enumerate(graph.features, start=1):
            image = pycolmap.Image(name=f"{number:06d}.png", camera_id=1, image_id=number)
            database.write_image(image, use_image_id=True)
            frame = pycolmap.Frame(frame_id=number, rig_id=1)
            frame.add_data_id(image.data_id)
            database.write_frame(frame, use_frame_id=True)
            database.write_keypoints(number, features.xy.astype(np.float32))
        for pair in graph.pairs:
            ids = pair.first + 1, pair.second + 1
            database.write_matches(*ids, pair.matches.astype(np.uint32))
            database.write_two_view_geometry(*ids, pair.geometry)


def verification(config: FeaturesConfig, seed: int) -> pycolmap.TwoViewGeometryOptions:
    """Options for verifying a pair's matches; deterministic for a seed."""
    options = pycolmap.TwoViewGeometryOptions()
    options.min_num_inliers = config.min_matches
    options.compute_relative_pose = True
    options.detect_watermark = False  # overlays are masked already, and a still picture looks like one
    options.ransac.random_seed = seed
    options.ransac.max_num_trials = 500
    return options


def _without(pair: Pair, moving: list[np.ndarray]) -> Pair:
    still = ~(moving[pair.first][pair.matches[:, 0]] | moving[pair.second][pair.matches[:, 1]])
    if still.all():
        return pair
    matches = pair.matches[still]
    pair.geometry.inlier_matches = matches.astype(np.uint32)
    return Pair(pair.first, pair.second, matches, pair.geometry)
