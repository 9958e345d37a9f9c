"""Dissolves: frames that are a mixture of those around them, with the loss of detail that mixing causes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ..measures.links import carry, corners, far_link, link
from .strips import LINKED, UNLINKED, Arbiter, Strip, Transition, detail_of

DOUBTFUL, MIXED = 1.05, 0.95  # scores of _mixtures: below the first perhaps a mixture, below the second surely
HALF_WINDOWS_S = (0.3, 0.5, 0.75, 1.1)


def find_dissolves(strip: Strip, arbiter: Arbiter | None, known: list[Transition]) -> list[Transition]:
    """Spans whose middle is a mixture of their ends, while the ends show different scenes."""
    gap_s = float(np.median(np.diff(strip.times_s)))
    if gap_s > 0.15:
        return []  # the frame rate is too low to show a mixture
    gap_s = max(gap_s, 1e-3)
    detail = np.array([detail_of(g) for g in strip.gray])
    candidates = sorted(_mixtures(strip, detail, gap_s, known))
    found: list[Transition] = []
    refused: list[tuple[int, int]] = []
    for score, centre, before, after in candidates:
        if any(t.start - 2 <= centre <= t.end + 2 for t in found) or any(a <= centre <= b for a, b in refused):
            continue
        if not _two_scenes(strip, before, centre, after, score, arbiter):
            reach = max(1, (after - before) // 6)
            refused.append((centre - reach, centre + reach))
            continue
        found.append(_extent(detail, centre, gap_s))
    return found


def _two_scenes(strip: Strip, before: int, centre: int, after: int, score: float, arbiter: Arbiter | None) -> bool:
    """Whether the ends of a likely mixture show different scenes; cheap tests first."""
    near = link(strip.gray[before], strip.gray[after]).share
    if near is not None and near >= LINKED:
        return False
    if _swept(strip, before, after) or _one_flight(strip, before, centre, after):
        return False
    if near is not None and (far := far_link(strip.gray[before], strip.gray[after]).share) is not None:
        if far > 0:
            return False
        if near <= UNLINKED + 0.1 and score < MIXED:
            return True
    return arbiter is not None and (arbiter(strip, before, after) or 0.0) > 0.5


def _swept(strip: Strip, before: int, after: int) -> bool:
    """Whether the camera turns so fast that the whole picture is new, while each frame continues from the last."""
    steps = []
    for i in np.linspace(before, after - 1, 4).astype(int):
        hop = link(strip.gray[i], strip.gray[i + 1])
        if hop.share is None or hop.share < LINKED:
            return False
        steps.append(hop.shift)
    return min(steps) > 0.02 and float(np.mean(steps)) * (after - before) > 0.7


def _one_flight(strip: Strip, before: int, centre: int, after: int) -> bool:
    """Whether points of the middle frame can be tracked to both ends and look the same there.

    A moving camera shows parts of a scene for long, even if the view as a whole soon differs; no point of a mixture is
    there both before and after it.
    """
    points = corners(strip.gray[centre])
    gap_s = float(strip.times_s[after] - strip.times_s[before]) / (after - before)
    stride = max(1, round(1 / 15 / max(gap_s, 1e-3)))
    ways = ([*range(centre, end, stride if end > centre else -stride), end] for end in (before, after))
    alike = np.minimum(*(carry([strip.gray[i] for i in way], points) for way in ways))
    arrived = alike[alike > -1]
    if len(arrived) < 8:
        return False
    return float((alike > 0.7).mean()) > 0.09 and float(np.median(arrived)) > 0.55


def _mixtures(
    strip: Strip, detail: np.ndarray, gap_s: float, known: list[Transition]
) -> list[tuple[float, int, int, int]]:
    """Candidates (score, centre, before, after) where ``middle = (1 - a) before + a after`` fits, a near a half.

    The score is what the mixture leaves unexplained, relative to how far the ends differ, plus the middle's detail
    relative to the ends'. A true dissolve of still scenes has 0 + 0.5, a camera that moves 0.75 + 1.
    """
    lit = (strip.tiny.max(axis=(0, 3)) > 24).ravel()  # without bars, which are equal in all scenes
    pictures = strip.tiny.reshape(len(strip), -1, 3)[:, lit].reshape(len(strip), -1)
    found = []
    stride = max(1, round(0.06 / gap_s))
    for half_s in HALF_WINDOWS_S:
        reach = max(2, round(half_s / gap_s))
        for centre in range(reach, len(strip) - reach, stride):
            before, after = centre - reach, centre + reach
            if any(t.start <= after and before < max(t.end, t.start + 1) for t in known):
                continue
            a = pictures[before].astype(np.float32)
            step = pictures[after] - a
            size = float(step @ step)
            if size < 12.0**2 * len(step):
                continue
            moved = pictures[centre] - a
            share = float(moved @ step) / size
            if not 0.35 < share < 0.65:
                continue
            misfit = float(((moved - share * step) ** 2).sum()) / size
            dip = detail[centre] / max(0.5 * (detail[before] + detail[after]), 1e-6)
            likely = misfit < 0.5 and dip < 0.75 and misfit + dip < DOUBTFUL
            if likely and _correlation(a, pictures[after]) < 0.85:
                found.append((misfit + dip, centre, before, after))
    return found


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean(dtype=np.float32)
    return float(a @ b / max(np.sqrt(float(a @ a) * float(b @ b)), 1e-6))


def _extent(detail: Float[np.ndarray, "n"], centre: int, gap_s: float) -> Transition:
    """Where the mixture around ``centre`` begins and ends: the span whose ideal curve of detail fits best.

    With a share ``a`` of the second scene, detail is ``(1 - a)^2`` of the first's plus ``a^2`` of the second's.
    """
    best, found = np.inf, Transition(centre, centre + 1, "dissolve")
    logs = np.log(detail + 1e-3)
    beside = max(4, round(0.2 / gap_s))
    shortest, longest = max(4, round(0.3 / gap_s)), max(6, round(2.0 / gap_s))
    stride = max(1, round(0.03 / gap_s))
    for length in range(shortest, longest + 1, stride):
        share = (np.arange(length) + 1) / (length + 1)
        for start in range(centre - 2 * length // 3, centre - length // 3 + 1, stride):
            low, high = max(0, start - beside), min(len(detail), start + length + beside)
            if start <= low or start + length >= high:
                continue
            first, second = np.exp(np.median(logs[low:start])), np.exp(np.median(logs[start + length : high]))
            mixed = (1 - share) ** 2 * first + share**2 * second
            ideal = np.concatenate([np.full(start - low, first), mixed, np.full(high - start - length, second)])
            misfit = float(np.mean(np.abs(logs[low:high] - np.log(ideal + 1e-3))))
            if misfit < best:
                best, found = misfit, Transition(start, start + length, "dissolve")
    return found
