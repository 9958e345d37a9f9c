"""A shot's posed pieces on disk, from which a clip is published without reconstruction if a rule is relaxed."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np

from flythrough.workspace.catalog import Row, to_json

from .poses.scene import Lens, Scene
from .publish import write_arrays

PIECES = "pieces.npz"
Piece = tuple[Scene, Row]  # with the figures known of it, by name
_ARRAYS = [each.name for each in fields(Scene) if each.name != "lens"]


def write_pieces(folder: Path, figures: Row, pieces: list[Piece]) -> list[Piece]:
    """Write :data:`PIECES` into a folder; returns the pieces as read back, so that a later run makes the same clip.

    Sums over an array depend, in their last digits, on its layout in memory.

    Args:
        folder: the task's.
        figures: of the shot, by name.
        pieces: posed pieces of the shot.
    """
    arrays: dict[str, object] = {"figures": to_json(figures)}
    for number, (scene, known) in enumerate(pieces):
        record = {"known": known, "lens": vars(scene.lens)}
        arrays |= {f"{number}.record": to_json(record)}
        arrays |= {f"{number}.{name}": getattr(scene, name) for name in _ARRAYS}
    write_arrays(folder / PIECES, arrays)
    written = read_pieces(folder)
    assert written is not None
    return written[1]


def read_pieces(folder: Path) -> tuple[Row, list[Piece]] | None:
    """The shot's figures and its pieces, as they were written; None if there are none."""
    file = folder / PIECES
    if not file.is_file():
        return None
    with np.load(file) as stored:
        count = sum(name.endswith(".record") for name in stored)
        pieces = []
        for number in range(count):
            record = json.loads(str(stored[f"{number}.record"]))
            arrays = {name: stored[f"{number}.{name}"] for name in _ARRAYS}
            pieces.append((Scene(lens=Lens(**record["lens"]), **arrays), record["known"]))
        return json.loads(str(stored["figures"])), pieces
