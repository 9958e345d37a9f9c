"""Features on disk, keyed by content: the frames' hash, the network's weights and how it is used."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from flythrough.workspace.files import content_key, publish

from .features import Extractor, Image, extract

VERSION = 1  # increase it when a change gives other features for the same frames and weights


def cache_folder() -> Path:
    """``$FLYTHROUGH_CACHE``, else the user's cache folder."""
    if chosen := os.environ.get("FLYTHROUGH_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flythrough" / "features"


def cached_features(
    extractor: Extractor, frames_key: str, load: Callable[[int], Image], count: int
) -> Float[np.ndarray, "n d"]:
    """Features of a flight's frames as a memory map; computed only if they are not on disk yet."""
    key = content_key(VERSION, extractor.name, extractor.weights_sha256, extractor.resize, frames_key)
    file = cache_folder() / key[:2] / f"{key}.npy"
    if not file.is_file():
        with publish(file) as scratch, open(scratch, "wb") as opened:
            np.lib.format.write_array_header_1_0(
                opened, {"descr": "<f4", "fortran_order": False, "shape": (count, extractor.dimension)}
            )
            for batch in extract(extractor, load, count):
                opened.write(np.ascontiguousarray(batch, dtype="<f4").data)
    return np.load(file, mmap_mode="r")


class Rows:
    """The features of many flights as one array whose rows are read on demand."""

    def __init__(self, parts: Sequence[Float[np.ndarray, "n d"]]) -> None:
        self.parts = list(parts)
        self._ends = np.cumsum([len(part) for part in self.parts])

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, rows: Int[np.ndarray, "k"]) -> Float[np.ndarray, "k d"]:
        part_of = np.searchsorted(self._ends, rows, side="right")
        found = np.empty((len(rows), self.parts[0].shape[1]), np.float32)
        for part in np.unique(part_of):
            here = part_of == part
            found[here] = self.parts[part][rows[here] - (self._ends[part] - len(self.parts[part]))]
        return found

    def flight_of_row(self) -> Int[np.ndarray, "n"]:
        """Which part each row comes from."""
        return np.repeat(np.arange(len(self.parts)), [len(part) for part in self.parts])
