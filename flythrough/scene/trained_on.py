"""What a checkpoint was trained on, recorded beside its weights, so that it is never scored on training material."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..workspace.files import read_json, write_json

TRAINED_ON = "trained_on.json"  # in a checkpoint's folder


@dataclass(frozen=True)
class TrainedOn:
    """Training material by name and by content, over a model's whole history (see ``train.init``).

    Attributes:
        clips: SHA-256 by the clip's id; empty where the clip's row has none.
        videos: ids of the videos that the clips are pieces of.
        islands: seeds of the sample world's islands.
    """

    clips: dict[str, str]
    videos: frozenset[str] = frozenset()
    islands: frozenset[int] = frozenset()

    def __or__(self, other: TrainedOn) -> TrainedOn:
        return TrainedOn(other.clips | self.clips, self.videos | other.videos, self.islands | other.islands)

    def seen(self, clip: str, sha256: str, video: str, island: int | None) -> str | None:
        """Why a clip counts as trained on, or None."""
        if clip in self.clips:
            return "the clip was trained on"
        if sha256 and sha256 in self.clips.values():
            return "its frames were trained on, as a clip of another name"
        if video in self.videos:
            return f"another clip of its video {video} was trained on"
        return f"its island {island} was trained on" if island is not None and island in self.islands else None

    def write(self, folder: Path) -> None:
        """Record it in a checkpoint's folder."""
        lists: dict[str, Iterable[str | int]] = {"videos": sorted(self.videos), "islands": sorted(self.islands)}
        write_json(folder / TRAINED_ON, {"clips": self.clips, **lists})


def read_trained_on(folder: Path) -> TrainedOn | None:
    """The record in a checkpoint's folder; None if it has none, as from earlier versions.

    Raises:
        InputError: the record is damaged.
    """
    file = Path(folder) / TRAINED_ON
    if not file.is_file():
        return None
    try:
        record = read_json(file)
        return TrainedOn(dict(record["clips"]), frozenset(record["videos"]), frozenset(record["islands"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is not a record of training clips: {error}", remedy="Train again") from error
