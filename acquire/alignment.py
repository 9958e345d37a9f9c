"""Where a clip's frames are in a copy of its video that was trimmed, shifted, sped up or coded again.

The clip's publisher hashed its frames (:mod:`flythrough.media.frame_hashes`). Every frame of the copy is hashed, and
the clip is laid over it at every place and at a few rates; the place at which the hashes differ least is refined by a
line through the frames that each hash fits best. Poses stay as they are: only the times change, and only as far as the
hashes show it beyond chance.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64, UInt64

from flythrough.errors import InputError
from flythrough.media.frame_hashes import FrameHashes
from flythrough.media.perceptual_hash import picture_hash
from flythrough.media.video_reader import frames
from flythrough.workspace.files import JsonObject

SIDE = 128  # pixels of the copy's frames when they are hashed
MATCH_BITS = 12  # copies of a frame differ by 5 bits at crf 40, frames of other videos by 24 and more (docs/acquire.md)
LEAST_MATCHED = 0.5  # share of a clip's frames
OUTSIDE_BITS = MATCH_BITS + 1  # what a frame beyond the copy's ends counts: hardly for or against a place
SURE = 2.0  # standard errors of the mean difference by which one place must be better than a simpler one
RATES = (1.0, 1.001, 1 / 1.001, 25 / 24, 24 / 25, 25.025 / 24, 24 / 25.025)  # NTSC and PAL transfers of film
SLOWEST, FASTEST = 0.5, 2.0  # rates that are believed
SAMPLED = 64  # of a clip's frames, where places are compared
REACH_S = 0.5  # how far around its place a frame is looked for
APART_S = 1.0  # how far away another place is a rival
_PIECE = 10_000  # places that are compared at a time


@dataclass(frozen=True)
class Alignment:
    """How a clip lies in the video that is here.

    Attributes:
        offset_s: added to the clip's times, after ``rate``.
        rate: seconds of this video in a second of the one that the clip was made from; 1 but for a sped-up copy.
        bits: by how many of 64 bits the clip's hashes differ from those of its frames here, median.
        matched: share of the clip's frames that differ by ``MATCH_BITS`` at most: the certainty.
        rival_bits: mean difference at the second best place, a second or more away; None if the video is too short.
    """

    offset_s: float
    rate: float
    bits: float
    matched: float
    rival_bits: float | None

    def times_us(self, given: Int64[np.ndarray, "n"]) -> Int64[np.ndarray, "n"]:
        """The clip's times in this video; microseconds."""
        return np.round(given * self.rate + self.offset_s * 1e6).astype(np.int64)

    @property
    def figures(self) -> JsonObject:
        """For the clip's measures."""
        return {name: None if value is None else round(value, 6) for name, value in asdict(self).items()}


class Copy:
    """A video whose frames are hashed when a clip is looked for in it; once for each box."""

    def __init__(self, video: Path) -> None:
        self.video = video
        self._known: dict[tuple[float, ...], tuple[Float[np.ndarray, "m"], UInt64[np.ndarray, "m"]]] = {}

    def hashes(self, box: tuple[float, float, float, float]) -> tuple[Float[np.ndarray, "m"], UInt64[np.ndarray, "m"]]:
        """Presentation time in seconds, ascending, and hash of every frame, within a box in shares of the picture.

        Raises:
            InputError: the video does not decode.
        """
        if box not in self._known:
            left, top, right, bottom = (round(share * SIDE) for share in box)
            inside = slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))
            times, found = [], []
            for frame in frames(self.video, width=SIDE, height=SIDE):
                times.append(frame.time_us / 1e6)
                found.append(picture_hash(frame.image[inside]))
            ordered, places = np.unique(times, return_index=True)  # a broken file may repeat a time
            self._known[box] = ordered, np.array(found, dtype=np.uint64)[places]
        return self._known[box]


def align(clip: FrameHashes, copy: Copy) -> Alignment:
    """Find a clip in a video.

    Raises:
        InputError: fewer than half of its frames are there; or the video does not decode.
    """
    given_s, (video_s, hashes) = clip.times_us / 1e6, copy.hashes(clip.box)
    if len(video_s) < 2:
        raise InputError("its video has a single frame", remedy="It is another video")
    chosen = np.unique(np.linspace(0, len(given_s) - 1, SAMPLED).round().astype(int))
    sample = _Laid(given_s[chosen], clip.hashes[chosen], video_s, hashes)
    whole = _Laid(given_s, clip.hashes, video_s, hashes)
    tried = [whole.centred(Place(sample.best(rate), rate)) for rate in RATES]
    place = whole.simplest([Place(0.0, 1.0), tried[0], min(tried, key=whole.mean)])
    place = whole.simplest([place, whole.centred(whole.sloped(place))])
    bits = whole.bits(place)
    matched = float(np.mean(bits <= MATCH_BITS))
    if matched < LEAST_MATCHED:
        raise InputError(
            f"its frames are not in the video: {matched:.0%} of them at the best place",
            remedy="It is another video, or an edit without this clip; without its hashes, its times alone are trusted",
        )
    return Alignment(*place, float(np.nanmedian(bits)), matched, sample.rival(place))


class Place(NamedTuple):
    """Where a clip lies: time in the video = ``rate`` * time in the clip + ``offset_s``."""

    offset_s: float
    rate: float


@dataclass(frozen=True)
class _Laid:
    """A clip that is laid over a video: times in seconds, and hashes, of either."""

    given_s: Float[np.ndarray, "n"]
    wanted: UInt64[np.ndarray, "n"]
    video_s: Float[np.ndarray, "m"]
    hashes: UInt64[np.ndarray, "m"]

    @property
    def spacing_s(self) -> float:
        """Of the video's frames."""
        return float(np.median(np.diff(self.video_s)))

    def bits(self, place: Place) -> Float[np.ndarray, "n"]:
        """By how many bits each of the clip's hashes differs from that of the nearest frame; nan beyond the ends."""
        return self._bits(np.array([place.offset_s]), place.rate)[0]

    def _bits(self, offsets_s: Float[np.ndarray, "k"], rate: float) -> Float[np.ndarray, "k n"]:
        at = self.given_s * rate + offsets_s[:, None]
        nearest = np.searchsorted((self.video_s[1:] + self.video_s[:-1]) / 2, at)
        found = np.bitwise_count(self.wanted ^ self.hashes[nearest]).astype(np.float64)
        half = self.spacing_s / 2
        found[(at < self.video_s[0] - half) | (at > self.video_s[-1] + half)] = np.nan
        return found

    def mean(self, place: Place) -> float:
        """Mean of :meth:`bits`."""
        return float(_filled(self.bits(place)).mean())

    def best(self, rate: float) -> float:
        """The offset with the least mean difference at this rate."""
        offsets, means = self._everywhere(rate)
        return float(offsets[means.argmin()])

    def rival(self, place: Place) -> float | None:
        """The least mean difference a second or more away."""
        offsets, means = self._everywhere(place.rate)
        away = means[np.abs(offsets - place.offset_s) >= APART_S]
        return float(away.min()) if len(away) else None

    def _everywhere(self, rate: float) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"]]:
        """All offsets that bring the clip's middle to a frame of the video, and the mean difference at each."""
        offsets = self.video_s - self.given_s[len(self.given_s) // 2] * rate
        pieces = [_filled(self._bits(offsets[k : k + _PIECE], rate)).mean(1) for k in range(0, len(offsets), _PIECE)]
        return offsets, np.concatenate(pieces)

    def simplest(self, places: list[Place]) -> Place:
        """The first of these places, unless a later one is surely better."""
        chosen = places[0]
        for place in places[1:]:
            gain = _filled(self.bits(chosen)) - _filled(self.bits(place))
            if gain.mean() > SURE * gain.std() / np.sqrt(len(gain)):
                chosen = place
        return chosen

    def centred(self, place: Place) -> Place:
        """The place with the best offset within two frames, to a quarter of one; in the middle of equals."""
        offsets = place.offset_s + np.arange(-8, 9) / 4 * self.spacing_s
        bits = self._bits(offsets, place.rate)
        inside = np.isfinite(bits).all(0)  # else frames beyond the ends would pull it
        if not inside.any():
            return place
        means = bits[:, inside].mean(1)
        return Place(float(offsets[means == means.min()].mean()), place.rate)

    def sloped(self, place: Place) -> Place:
        """The line through the frames that fit best near a place: a robust fit of offset and rate."""
        shown = self._fitting(place)
        here = np.isfinite(shown)
        x, y, half = self.given_s[here], shown[here], int(here.sum()) // 2
        if half == 0:
            return place
        rate = float(np.median((y[half:] - y[: len(y) - half]) / (x[half:] - x[: len(x) - half])))
        if not SLOWEST <= rate <= FASTEST:  # a still picture, or one that is shown backwards
            return place
        return Place(float(np.median(y - x * rate)), rate)

    def _fitting(self, place: Place) -> Float[np.ndarray, "n"]:
        """For each hash the time of the frame that fits best near its place; nan where none fits."""
        expected = self.given_s * place.rate + place.offset_s
        found = np.full(len(expected), np.nan)
        first, end = (np.searchsorted(self.video_s, expected + reach) for reach in (-REACH_S, REACH_S))
        for k in np.flatnonzero(first < end).tolist():
            near = slice(first[k], end[k])
            bits = np.bitwise_count(self.wanted[k] ^ self.hashes[near])
            closest = np.lexsort((np.abs(self.video_s[near] - expected[k]), bits))[0]
            if bits[closest] <= MATCH_BITS:
                found[k] = self.video_s[near][closest]
        return found


def _filled(bits: Float[np.ndarray, "*k n"]) -> Float[np.ndarray, "*k n"]:
    return np.where(np.isnan(bits), OUTSIDE_BITS, bits)
