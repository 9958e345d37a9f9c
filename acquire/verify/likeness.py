"""The same video twice: equal bytes, or equal pictures (a re-upload at another size or bitrate)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from flythrough.media.perceptual_hash import hash_words, near, picture_hash, to_hex
from flythrough.workspace.catalog import Row

SAMPLES = 8  # pictures per video, evenly over its length
_NONE = to_hex(0) * SAMPLES  # where a video has no hash; never kept, so never met
_MAX_STRETCH_S, _MAX_STRETCH = 0.5, 0.005  # re-uploads differ in length by less


def perceptual_hash(path: Path, start_us: int, duration_us: int) -> str:
    """Hashes of pictures evenly over a video, in hex: near-equal for the same video encoded otherwise.

    Raises:
        InputError: the file does not decode.
    """
    from flythrough.media.video_reader import seek_frame

    digits = []
    for sample in range(SAMPLES):
        time_us = start_us + duration_us * (2 * sample + 1) // (2 * SAMPLES)
        image = seek_frame(path, time_us, width=64, height=64)
        digits.append(to_hex(picture_hash(image)))
    return "".join(digits)


def duplicates(rows: Sequence[Row], max_bits: float, keep: frozenset[str] = frozenset()) -> dict[str, tuple[str, str]]:
    """Which rows of ``videos`` are duplicates.

    Args:
        rows: the table.
        max_bits: mean distance of two pictures' hashes, of 64 bits, up to which they are the same.
        keep: ids that are never dropped.

    Returns:
        For each row to drop, the reason and the id of the row that stands for it: of equal files the first,
        of equal pictures the one with the most pixels, then the most bytes.
    """
    found: dict[str, tuple[str, str]] = {}
    first: dict[str, str] = {}
    distinct = []
    for row in sorted(rows, key=lambda row: (row["id"] not in keep, row["id"])):
        original = first.setdefault(row["sha256"], row["id"])
        if original != row["id"] and row["id"] not in keep:
            found[row["id"]] = ("same file", original)
        else:
            distinct.append(row)
    best = sorted(distinct, key=lambda r: (r["id"] not in keep, -r["width"] * r["height"], -r["bytes"], r["id"]))
    for id, original in _Likeness(best, max_bits).repeats(keep):
        found[id] = ("same pictures", original)
    return found


class _Likeness:
    """Finds equal pictures among rows, of which the first stands for the others.

    Rows are sorted by length: re-uploads are equally long, so a row is compared with its neighbours only.
    """

    def __init__(self, best: Sequence[Row], max_bits: float) -> None:
        self._rows = best
        self._most = max_bits * SAMPLES  # bits of all pictures together
        durations = np.array([row["duration_us"] / 1e6 for row in best])
        self._order = np.argsort(durations, kind="stable")
        self._durations = durations[self._order]
        self._words = hash_words([best[row]["perceptual_hash"] or _NONE for row in self._order])
        self._kept = np.zeros(len(best), dtype=bool)

    def repeats(self, keep: frozenset[str]) -> Iterator[tuple[str, str]]:
        """Ids of each row that repeats an earlier one, and of that one."""
        places = np.argsort(self._order)
        for row, place in zip(self._rows, places, strict=True):
            if row["id"] not in keep and row["perceptual_hash"] and (original := self._nearest(int(place))) is not None:
                yield row["id"], self._rows[original]["id"]
            else:
                self._kept[place] = bool(row["perceptual_hash"])

    def _nearest(self, place: int) -> int | None:
        """The kept row of about the same length with the nearest pictures, the first of several; or None."""
        duration = self._durations[place]
        reach = _MAX_STRETCH_S + _MAX_STRETCH * duration
        first = np.searchsorted(self._durations, duration - 1.01 * reach, "left")
        last = np.searchsorted(self._durations, duration + 1.01 * reach, "right")
        here, distance = near(self._words[:, first:last], self._words[:, place], self._most)
        here += first
        fit = self._kept[here] & (np.abs(self._durations[here] - duration) <= reach)
        here, distance = here[fit], distance[fit]
        if not len(here):
            return None
        return int(self._order[here[distance == distance.min()]].min())
