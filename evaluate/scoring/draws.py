"""Stored values of a scored method, so that its intervals can be drawn again without scoring again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from flythrough.workspace.files import read_json, write_json

from .tally import Mean, Settings, Tally

DRAWS, MEANS = "draws.json", "means.json"


def note_draws(folder: Path, tally: Tally) -> None:
    """Write a tally's numbers of draws and the values behind its means into a folder."""
    write_json(folder / MEANS, [asdict(mean) for mean in tally.means])
    write_json(folder / DRAWS, tally.settings.draws())


def draws_differ(folder: Path, wanted: Mapping[str, int]) -> bool:
    """Whether a method was scored with other numbers of draws; False if it failed."""
    return (folder / DRAWS).is_file() and read_json(folder / DRAWS) != dict(wanted)


def means_of(folder: Path, settings: Settings) -> Tally:
    """A tally of the stored means, with intervals drawn by ``settings``."""
    tally = Tally(settings)
    for record in read_json(folder / MEANS):
        mean = Mean(**record)
        tally.add_mean(mean.metric, mean.step, mean.values, mean.n, mean.starts)
    return tally
