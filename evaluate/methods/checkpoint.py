"""The checkpoint that a method flies with: a folder or weights that its spec names, or the workspace's newest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flythrough.errors import InputError
from flythrough.networks.weights import locate
from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.files import sha256_of_folder

from .registry import NEEDS_CHECKPOINT, WEIGHTS, Spec


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's folder, and the SHA-256 of all its files."""

    folder: Path
    sha256: str


def checkpoint_of(spec: Spec, workspace: Workspace | None) -> Checkpoint | None:
    """The checkpoint of a method; None if its spec asks for none, or for the newest and there is none.

    Raises:
        InputError: the spec names a folder that does not exist.
        MissingWeights: it names weights (``weights:NAME``) that were not fetched.
    """
    if spec.checkpoint is not None and spec.checkpoint.startswith(WEIGHTS):
        folder = locate(spec.checkpoint.removeprefix(WEIGHTS))
        return Checkpoint(folder, sha256_of_folder(folder))
    if spec.checkpoint is not None:
        folder = Path(spec.folder or ".") / spec.checkpoint
        if not folder.is_dir():
            raise InputError(f"{spec.name}: no checkpoint folder {folder}", remedy="Correct the spec's checkpoint")
        return Checkpoint(folder, sha256_of_folder(folder))
    row = newest_checkpoint(workspace) if workspace is not None and NEEDS_CHECKPOINT in spec.needs else None
    return Checkpoint(workspace / row["path"], row["sha256"]) if workspace is not None and row else None


def newest_checkpoint(workspace: Workspace) -> Row | None:
    """The last row of the checkpoints table."""
    rows = workspace.rows("checkpoints")
    return rows[-1] if rows else None
