"""Verify poses against frames not used to estimate them, and repair clips that fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import pycolmap
from jaxtyping import Bool, Float, Int64

from flythrough.scene.geometry import compose, invert

from ..config import SfmConfig
from ..rules import Contradiction
from .features import Features, detect, match
from .footage import Footage
from .masks import in_cells, moving_cells, usable_mask
from .matching import make_camera, verification
from .scene import Lens, Scene

_SAMPLES = 9  # frames that are matched for verification
_SPANS = (1, 2, 4)  # distances between the two frames of a pair, in samples
_FEATURES = 700
_WIDTH = 640  # of the pictures that are matched, and that distances in pixels refer to
_OBEYS_PX = 2.0  # distance to the epipolar line up to which a match agrees with the poses
_CUTS = 2  # a piece that still fails after this many cuts is dropped


@dataclass(frozen=True)
class Verdict:
    """Agreement of fresh matches with a scene's poses.

    Attributes:
        samples: places of the sampled frames in the scene.
        pairs: number of pairs of samples with enough matches.
        agreeing: share of these pairs in which most matches agree with the poses; None without pairs.
        inliers: median number of matches per pair that some motion of the camera explains.
        epipolar_px: median distance of these matches to their epipolar lines, pixels at a width of 640.
        epipolar_p95_px: 95th percentile of the same.
        broken: for each two neighbouring samples, whether their matches contradict the poses.
    """

    samples: Int64[np.ndarray, "s"]
    pairs: int
    agreeing: float | None
    inliers: float
    epipolar_px: float
    epipolar_p95_px: float
    broken: Bool[np.ndarray, "s_less_1"]

    def figures(self) -> dict[str, float]:
        """For the clip's measures; only ``fresh_pairs``, 0, if no pair matched."""
        if self.agreeing is None:
            return {"fresh_pairs": 0}
        return {
            "fresh_pairs": self.pairs,
            "agreeing": round(self.agreeing, 4),
            "pair_inliers": self.inliers,
            "epipolar_px": round(self.epipolar_px, 4),
            "epipolar_p95_px": round(self.epipolar_p95_px, 4),
        }


def verify(footage: Footage, scene: Scene, config: SfmConfig) -> Verdict:
    """Match frames that were not keyframes, at several distances, and compare the matches with the poses.

    Only matches that some motion of the camera explains are counted, outside cells of the picture that move by
    themselves: false matches and waves say nothing about the poses. The question is whether it is *this* motion.
    """
    samples = _sampled(scene)
    features = [_features(footage, int(scene.frames[place]), config) for place in samples]
    height = footage.size[1] * _WIDTH // footage.size[0]
    pairs = list(_matched(features, (_WIDTH, height), scene.lens, config))
    broken = np.zeros(len(samples) - 1, bool)
    distances, obeying = [], []
    for first, second, a, b in pairs:
        distance = epipolar_px(scene.poses[samples[first]], scene.poses[samples[second]], a, b, scene.lens)
        obeys = bool(np.mean(distance < _OBEYS_PX) > 0.5)
        distances.append(distance)
        obeying.append(obeys)
        if second == first + 1:
            broken[first] = not obeys
    if not pairs:
        return Verdict(samples, 0, None, 0.0, 0.0, 0.0, broken)
    together = np.concatenate(distances)
    return Verdict(
        samples,
        len(pairs),
        float(np.mean(obeying)),
        float(np.median([len(distance) for distance in distances])),
        float(np.median(together)),
        float(np.percentile(together, 95)),
        broken,
    )


def epipolar_px(
    first: Float[np.ndarray, "3 4"],
    second: Float[np.ndarray, "3 4"],
    a: Float[np.ndarray, "m 2"],
    b: Float[np.ndarray, "m 2"],
    lens: Lens,
) -> Float[np.ndarray, "m"]:
    """Sampson distance of matches to the epipolar geometry of two poses, pixels at a width of 640.

    Args:
        first: cam_from_world of one frame.
        second: cam_from_world of the other.
        a: places in the first recorded picture, in widths from its middle.
        b: the matching places in the second.
        lens: of both.
    """
    relative = compose(second, invert(first))
    t = relative[:, 3] / max(float(np.linalg.norm(relative[:, 3])), 1e-12)
    cross = np.array([[0, -t[2], t[1]], [t[2], 0, -t[0]], [-t[1], t[0], 0]])
    essential = cross @ relative[:, :3]
    focal = lens.focal / lens.width
    x, y = _ray(a / focal, lens.k), _ray(b / focal, lens.k)
    line_b, line_a = x @ essential.T, y @ essential
    slope = (line_b[:, :2] ** 2).sum(-1) + (line_a[:, :2] ** 2).sum(-1)
    return np.abs((y * line_b).sum(-1)) / np.sqrt(np.maximum(slope, 1e-18)) * focal * _WIDTH


def _ray(xy: Float[np.ndarray, "m 2"], k: float) -> Float[np.ndarray, "m 3"]:
    """Rays of depth 1 through places in a picture with radial distortion ``k`` (by fixed-point iteration)."""
    straight = xy
    for _ in range(10):
        straight = xy / (1 + k * (straight**2).sum(-1, keepdims=True))
    return np.concatenate([straight, np.ones((len(xy), 1))], 1)


def _sampled(scene: Scene) -> Int64[np.ndarray, "s"]:
    """Places in the scene, evenly spread; of frames that were not keyframes, if there are enough."""
    others = np.flatnonzero(~scene.key)
    places = others if len(others) >= _SAMPLES else np.arange(len(scene.frames))
    return places[np.unique(np.linspace(0, len(places) - 1, _SAMPLES).round().astype(int))]


def _features(footage: Footage, frame: int, config: SfmConfig) -> Features:
    width, height = footage.size
    size = (_WIDTH, height * _WIDTH // width)
    usable = usable_mask(footage.color[frame], footage.overlay, footage.size)
    small = cv2.resize(usable.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    image = cv2.resize(footage.gray[frame], size, interpolation=cv2.INTER_AREA)
    return detect(image, small, config.features.model_copy(update={"count": _FEATURES}))


def _matched(
    features: list[Features], size: tuple[int, int], lens: Lens, config: SfmConfig
) -> Iterator[tuple[int, int, Float[np.ndarray, "m 2"], Float[np.ndarray, "m 2"]]]:
    """Pairs of samples and their matches, in widths from the middle."""
    camera = make_camera(size, lens.focal / lens.width, known=True)
    options = verification(config.features, config.seed)
    votes: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in features]
    found = []
    for span in _SPANS:
        for first in range(len(features) - span):
            a, b = features[first], features[first + span]
            pairs = match(a, b, config.features.ratio)
            if len(pairs) < config.features.min_matches:
                continue
            geometry = pycolmap.estimate_two_view_geometry(
                camera, a.xy.astype(float), camera, b.xy.astype(float), pairs.astype(np.uint32), options
            )
            inliers = np.asarray(geometry.inlier_matches, dtype=np.int64).reshape(-1, 2)
            obeys = np.isin(pairs[:, 0], inliers[:, 0])
            votes[first].append((a.xy[pairs[:, 0]], obeys))
            votes[first + span].append((b.xy[pairs[:, 1]], obeys))
            found.append((first, first + span, inliers))
    moving = [in_cells(f.xy, moving_cells(v, size), size) for f, v in zip(features, votes, strict=True)]
    for first, second, inliers in found:
        still = inliers[~(moving[first][inliers[:, 0]] | moving[second][inliers[:, 1]])]
        if len(still) >= config.features.min_matches:
            middle = np.array(size) / 2
            a, b = features[first].xy[still[:, 0]], features[second].xy[still[:, 1]]
            yield first, second, (a - middle) / size[0], (b - middle) / size[0]


def verified(footage: Footage, scenes: list[Scene], config: SfmConfig) -> list[tuple[Scene, Verdict]]:
    """Each scene with its verdict."""
    return [(scene, verify(footage, scene, config)) for scene in scenes]


def repair(
    footage: Footage, scene: Scene, verdict: Verdict, config: SfmConfig, cuts: int = _CUTS
) -> list[tuple[Scene, Verdict]]:
    """The scene, or the pieces left of it: a scene that fails is cut where its path breaks, at most ``cuts`` times.

    A piece that fails and cannot be cut is returned as it is, for the rule to drop it with its figures.
    """
    if not fails(verdict) or cuts == 0 or not footage.film or not verdict.broken.any():
        return [(scene, verdict)]
    pieces = verified(footage, [p for p in cut(scene, verdict) if len(p.frames) >= config.frames.min_frames], config)
    repaired = [better for piece, own in pieces for better in repair(footage, piece, own, config, cuts - 1)]
    return repaired or [(scene, verdict)]


def sound_frames(scenes: list[tuple[Scene, Verdict]]) -> int:
    """Number of frames in scenes that the pictures do not contradict."""
    return sum(len(scene.frames) for scene, verdict in scenes if not fails(verdict))


def fails(verdict: Verdict) -> bool:
    """Whether to repair a scene with this verdict: whether the rule with its default settings rejects it.

    The configured settings only decide what is kept, so that changing them reconstructs nothing.
    """
    return verdict.agreeing is not None and Contradiction().reject(verdict.figures()) is not None


def cut(scene: Scene, verdict: Verdict) -> list[Scene]:
    """The stretches between the breaks, without the frames between two samples that contradict each other."""
    places = np.arange(len(scene.frames))
    samples = verdict.samples
    starts = [0, *samples[1:][verdict.broken]]
    ends = [*samples[:-1][verdict.broken], len(places) - 1]
    pieces = [(places >= start) & (places <= end) for start, end in zip(starts, ends, strict=True)]
    return [scene.keep_frames(kept) for kept in pieces if kept.any()]
