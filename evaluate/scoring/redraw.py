"""Draw intervals again with other numbers of bootstrap draws, from stored values; nothing is flown or scored."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from flythrough.results.schema import Result, read_result
from flythrough.workspace.files import MANIFEST, TASK_FILE

from ..generation.frames import Frames, check_flights, expected_flights
from ..protocols.source import Source
from .draws import DRAWS, MEANS, means_of, note_draws
from .score import extractors_of, set_distances
from .tally import Settings

RESULT_FILE = "results.json"
_ANEW = {DRAWS, MEANS, RESULT_FILE, MANIFEST, TASK_FILE}  # never linked: they are written again


def redraw(before: Path, folder: Path, source: Source, settings: Settings) -> Result:
    """The result in ``before`` with intervals drawn by ``settings``; its other files are linked into ``folder``.

    Distances between sets are computed from their features, which are cached by content.
    """
    result = read_result(before / RESULT_FILE)
    _link_all(before, folder)
    tally = means_of(before, settings)
    frames: dict[str, Frames] = {}
    if result.frames_sha256:
        header = source.protocol.header
        frames = check_flights(folder / "frames", expected_flights(source), header.height, header.width)
    for extractor in extractors_of(source.protocol, tally):
        set_distances(source, extractor, frames, tally)
    drawn = {(value.metric, value.step): {"low": value.low, "high": value.high} for value in tally.values}
    values = tuple(value.model_copy(update=drawn.get((value.metric, value.step))) for value in result.values)
    note_draws(folder, tally)
    told = {"values": values, "replicates": tally.replicates, "settings": {**result.settings, **settings.draws()}}
    return result.model_copy(update=told)


def _link_all(before: Path, folder: Path) -> None:
    """All files but those that are written again; hard links, as frames are many."""
    shutil.copytree(before, folder, copy_function=_link, ignore=lambda _, names: {*names} & _ANEW, dirs_exist_ok=True)


def _link(source: str, target: str) -> None:
    Path(target).unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)
