"""Shot boundaries: cuts, dissolves, fades and spins, found on small frames.

A cheap score proposes candidates, and tracking points between the frames on both sides confirms or rejects them.
Undecided candidates go to TransNetV2, if the config allows it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ..measures.links import Link, far_link, link
from ..measures.picture import box_of
from .dissolves import find_dissolves
from .strips import LINKED, UNLINKED, Arbiter, Strip, Transition, detail_of, runs

BLANK_CONTRAST = 4.0  # grey levels; a frame below shows nothing
FLASH_S = 0.4
SPIN_S = 0.4  # longest run of motion blur that joins two transitions


def find_transitions(strip: Strip, arbiter: Arbiter | None = None) -> list[Transition]:
    """Transitions within a strip, in order, in frame indices of the video."""
    if len(strip) < 2:
        return []
    strip = _inside_bars(strip)
    fades = _fades(strip)
    cuts = [t for t in _cuts(strip, arbiter) if not _touches(t, fades, 1)]
    dissolves = [t for t in find_dissolves(strip, arbiter, [*fades, *cuts]) if not _touches(t, fades, 2)]
    cuts = [t for t in cuts if not _touches(t, dissolves, 0)]
    merged = _merge(strip, sorted([*fades, *cuts, *dissolves], key=lambda t: (t.start, t.end)))
    return [Transition(t.start + strip.first, t.end + strip.first, t.kind) for t in merged]


def _inside_bars(strip: Strip) -> Strip:
    """The strip without black bars, whose edges stay through every cut and would hide it."""
    brightest = np.maximum.reduce(strip.gray)
    top, left, bottom, right = box_of(brightest.max(1), brightest.max(0))
    if (bottom - top, right - left) == brightest.shape or min(bottom - top, right - left) < 32:
        return strip
    top, left = top + 2 * (top > 0), left + 2 * (left > 0)
    bottom, right = bottom - 2 * (bottom < brightest.shape[0]), right - 2 * (right < brightest.shape[1])
    inner = [np.ascontiguousarray(gray[top:bottom, left:right]) for gray in strip.gray]
    return Strip(strip.first, strip.times_s, strip.tiny, inner)


def _touches(transition: Transition, others: list[Transition], slack: int) -> bool:
    return any(transition.start <= o.end + slack and o.start - slack <= transition.end for o in others)


def _merge(strip: Strip, transitions: list[Transition]) -> list[Transition]:
    """Join transitions that touch, and those with only motion blur between them (a fast pan)."""
    merged: list[Transition] = []
    for here in transitions:
        if merged and (here.start <= merged[-1].end or _smeared(strip, merged[-1].end, here.start)):
            last = merged.pop()
            gradual = [t.kind for t in (last, here) if t.kind != "cut"]
            here = Transition(last.start, max(last.end, here.end), gradual[0] if gradual else "spin")
        merged.append(here)
    return merged


def _smeared(strip: Strip, start: int, end: int) -> bool:
    """Whether frames [start, end) are few and blurred compared with those around them."""
    if strip.times_s[end] - strip.times_s[start] > SPIN_S:
        return False
    if end - start <= 2:
        return True
    around = [detail_of(strip.gray[i]) for i in (start - 3, end + 2) if 0 <= i < len(strip)]
    between = float(np.median([detail_of(gray) for gray in strip.gray[start:end]]))
    return bool(around) and between < 0.6 * float(np.mean(around))


# --- cuts -----------------------------------------------------------------------------------------------------------


def _cuts(strip: Strip, arbiter: Arbiter | None) -> list[Transition]:
    change = np.concatenate([[0.0], _change(strip.tiny[:-1], strip.tiny[1:])])
    candidates = [t for t in range(1, len(strip)) if _stands_out(change, t)]
    return [Transition(t, t, "cut") for t in candidates if _is_cut(strip, change, t, arbiter)]


def _change(before: np.ndarray, after: np.ndarray) -> Float[np.ndarray, "n"]:
    """Mean absolute difference of frames, grey levels."""
    return np.abs(after.astype(np.int16) - before).reshape(len(before), -1).mean(1, dtype=np.float64)


def _stands_out(change: np.ndarray, t: int) -> bool:
    """Whether a frame differs from the one before by more than its neighbours do; fast motion passes, too."""
    return bool(change[t] > 3.0 and (_leaps(change, t) or change[t] > max(16.0, 1.1 * _usual(change, t))))


def _leaps(change: np.ndarray, t: int) -> bool:
    return bool(change[t] > 1.8 * _usual(change, t) + 1.5)


def _usual(change: np.ndarray, t: int) -> float:
    return float(np.median(around)) if len(around := _around(change, t, 6)) else 0.0


def _around(change: np.ndarray, t: int, reach: int) -> np.ndarray:
    return np.concatenate([change[max(1, t - reach) : t], change[t + 1 : t + 1 + reach]])


def _is_cut(strip: Strip, change: np.ndarray, t: int, arbiter: Arbiter | None) -> bool:
    clear = bool(change[t] > 25 and change[t] > 3 * _usual(change, t))
    found = _same_scene(strip, t - 1, t, clear)
    if found is True or _is_flash(strip, t):
        return False
    if found is False:  # in fast motion, points are tracked before and after a cut, but not across it
        peak = _leaps(change, t) or bool(change[t] > 1.2 * max(_around(change, t, 2), default=0.0))
        return peak or all(_linked(strip, i, i + 1) for i in (t - 2, t) if 0 <= i < len(strip) - 1)
    return clear or (arbiter is not None and (arbiter(strip, t - 1, t + 1) or 0.0) > 0.5)


def _same_scene(strip: Strip, a: int, b: int, clear: bool) -> bool | None:
    """Whether frames a and b show one scene from viewpoints that a camera can move between; None if unsure.

    Between frames in quick succession no camera moves so far that points are lost and the picture is ``clear``ly new.
    """
    near = link(strip.gray[a], strip.gray[b])
    gap_s = strip.times_s[b] - strip.times_s[a]
    if near.share is None:
        return None
    if near.share >= LINKED:
        return not _jumps(strip, a, b, near, gap_s)
    if gap_s < 0.2 and near.share > UNLINKED:
        return None
    if gap_s < 0.2 and clear:
        return False
    far = far_link(strip.gray[a], strip.gray[b])
    if far.share is not None and far.share > 0:
        return not _jumps(strip, a, b, far, gap_s)
    return False


def _jumps(strip: Strip, a: int, b: int, found: Link, gap_s: float) -> bool:
    """Whether a step is much longer than those before and after it: a jump cut within one scene."""
    if gap_s > 0.2 or found.shift < 0.03:
        return False
    steps = [link(strip.gray[i], strip.gray[i + 1]) for i in (a - 1, b) if 0 <= i < len(strip) - 1]
    known = [s.shift for s in steps if s.share is not None and s.share >= LINKED]
    return bool(known) and found.shift > 4 * max(known) + 0.03


def _is_flash(strip: Strip, t: int) -> bool:
    """Whether the change at t is the edge of a flash: the scene before (or after) it returns within FLASH_S."""
    for step in range(1, len(strip)):
        j, i = t + step, t - 1 - step
        after = j < len(strip) and strip.times_s[j] - strip.times_s[t - 1] <= FLASH_S
        before = i >= 0 and strip.times_s[t] - strip.times_s[i] <= FLASH_S
        if not after and not before:
            return False
        if after and _brighter(strip, t, t - 1, j) and _linked(strip, t - 1, j):
            return True
        if before and _brighter(strip, t - 1, i, t) and _linked(strip, i, t):
            return True
    return False


def _brighter(strip: Strip, flash: int, before: int, after: int) -> bool:
    lit, *around = (float(strip.gray[i].mean()) for i in (flash, before, after))
    return lit > max(around) + 12 or contrast_of(strip.gray[flash]) < BLANK_CONTRAST


def _linked(strip: Strip, a: int, b: int) -> bool:
    share = link(strip.gray[a], strip.gray[b]).share
    return share is not None and share >= LINKED


# --- fades ----------------------------------------------------------------------------------------------------------


def contrast_of(gray: np.ndarray) -> float:
    """Standard deviation of the middle of a picture ``[h, w]`` (bars left out), grey levels."""
    import cv2

    height, width = gray.shape
    middle = gray[height // 5 : height - height // 5, width // 10 : width - width // 10]
    return float(cv2.meanStdDev(middle)[1][0, 0])


def blank_from(strip: Strip) -> int:
    """Place of the first of the blank frames just before a strip's last one; of the last one if there are none."""
    lit = [contrast_of(gray) >= BLANK_CONTRAST for gray in _inside_bars(strip).gray[:-1]]
    return len(lit) - (lit[::-1].index(True) if True in lit else len(lit))


def _fades(strip: Strip) -> list[Transition]:
    """Runs of blank frames, with the ramps into and out of them."""
    contrast = np.array([contrast_of(g) for g in strip.gray])
    found = []
    for start, end in runs(contrast < BLANK_CONTRAST):
        length_s = strip.times_s[end - 1] - strip.times_s[start]
        if start > 0 and end < len(strip) and length_s < FLASH_S and _linked(strip, start - 1, end):
            continue  # a flash
        first = _ramp(contrast, strip.times_s, start, -1)
        last = _ramp(contrast, strip.times_s, end - 1, +1)
        found.append(Transition(first, last + 1, "fade"))
    return found


def _ramp(contrast: np.ndarray, times_s: np.ndarray, at: int, step: int) -> int:
    """Walk from a blank frame while contrast keeps growing by more than noise, at most two seconds."""
    here = at
    while 0 <= here + step < len(contrast) and abs(times_s[here + step] - times_s[at]) < 2.0:
        ahead = min(max(here + 3 * step, 0), len(contrast) - 1)
        grows = contrast[ahead] > contrast[here] * 1.04 + 0.1
        leap = contrast[here + step] > 3 * contrast[here] + 8
        if leap or not grows:
            break
        here += step
    return here
