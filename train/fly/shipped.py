"""The model that comes with the package: weights, model.json, and the record of how they were trained."""

from __future__ import annotations

from pathlib import Path

from flythrough.errors import InputError

NAME = "flythrough-coast-v1"
FOLDER = Path(__file__).parent / "shipped"


def shipped_checkpoint() -> Path:
    """The checkpoint folder of the model in the package.

    Raises:
        InputError: this build of the package has none.
    """
    folder = FOLDER / NAME
    if not (folder / "model.json").is_file():
        raise InputError(
            f"{NAME} is not in this build of the package",
            remedy="Install the released wheel, or name a checkpoint with --checkpoint",
        )
    return folder
