"""A workspace and its clips from Python: ``ft.open(path)``, ``ft.load_clip(folder)``."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..workspace.catalog import Workspace
from .clips import CAMERA_FILE, Clip

if TYPE_CHECKING:
    import pandas as pd


class Opened:
    """A workspace for reading: one data frame per table, each read at first use.

    Args:
        workspace: an existing one.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    @cached_property
    def videos(self) -> pd.DataFrame:
        """One row per video that was acquired."""
        return self.workspace.read("videos")

    @cached_property
    def shots(self) -> pd.DataFrame:
        """One row per shot that was kept."""
        return self.workspace.read("shots")

    @cached_property
    def clips(self) -> pd.DataFrame:
        """One row per posed clip."""
        return self.workspace.read("clips")

    @cached_property
    def checkpoints(self) -> pd.DataFrame:
        """One row per trained model."""
        return self.workspace.read("checkpoints")

    @cached_property
    def results(self) -> pd.DataFrame:
        """One row per protocol, method, metric and step."""
        return self.workspace.read("results")

    @cached_property
    def drops(self) -> pd.DataFrame:
        """One row per dropped item, with its stage and reason."""
        return self.workspace.read("drops")

    @cached_property
    def errors(self) -> pd.DataFrame:
        """One row per task in error, with its stage, kind, message and remedy."""
        return self.workspace.read("errors")

    def clip(self, id: str) -> Clip:
        """The clip called ``id``: its frames, poses and disparity.

        Raises:
            InputError: there is no such clip, or its files were not kept.
        """
        rows = [row for row in self.workspace.rows("clips") if row["id"] == id]
        if not rows:
            raise InputError(f"There is no clip {id!r}", remedy="Look for it in .clips.id, or in .drops")
        if not rows[0]["folder"]:
            raise InputError(f"Clip {id!r} has no folder", remedy="Run flythrough sfm again")
        return Clip(self.workspace / rows[0]["folder"], rows[0])


def open_workspace(path: Path | str) -> Opened:
    """Open a workspace for reading.

    Raises:
        InputError: there is none at ``path``.
    """
    workspace = Workspace(path)
    if not workspace.exists():
        raise InputError(f"{path} is not a workspace", remedy="Give the folder that flythrough --workspace was given")
    return Opened(workspace)


def load_clip(folder: Path | str) -> Clip:
    """A clip by its folder alone, flown at one frame per step; see :class:`.clips.Clip` for its layout.

    Raises:
        InputError: the folder is not a clip.
    """
    folder = Path(folder)
    if not (folder / CAMERA_FILE).is_file():
        raise InputError(f"{folder} is not a clip: it has no {CAMERA_FILE}", remedy="Give a folder that sfm wrote")
    row = {"id": folder.name, "video_id": "", "split": "", "steps": 1, "height": 0, "width": 0}
    clip = Clip(folder, row)
    if not len(clip):
        raise InputError(f"{folder} is a clip of no frames", remedy="Give a folder that sfm wrote")
    clip.height, clip.width = clip.frame(0).shape[:2]
    return clip
