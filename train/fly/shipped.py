"""The model that comes with the package: weights, model.json, and the record of how they were trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from flythrough.errors import InputError

from ..config import STATE_FILE

if TYPE_CHECKING:
    from ..model.network import InfiniteNature

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


def init_folder(init: str) -> Path:
    """The checkpoint folder that ``train.init`` names; if it names a training run's folder, the checkpoint in it.

    Raises:
        InputError: the package has no model.
    """
    if init == "shipped":
        return shipped_checkpoint()
    inner = Path(init) / "checkpoint"
    return inner if inner.is_dir() else Path(init)


def init_state(init: str) -> Path | None:
    """The saved state of the run that ``train.init`` names, for its discriminators; None if there is none."""
    state = Path(init) / STATE_FILE
    return state if state.is_file() else None


def start_from(model: InfiniteNature, init: str) -> None:
    """Give a model the weights of a checkpoint of the same shape.

    Args:
        model: to be trained.
        init: ``shipped``, a checkpoint folder, or a training run's folder.

    Raises:
        InputError: no such checkpoint, or it is of another shape.
    """
    from ..model.native import load_checkpoint

    other = load_checkpoint(init_folder(init))
    wanted = model.trained
    flown = {name: getattr(wanted, name) for name in ("keep", "sky", "keyframe_every", "mirror", "bilinear")}
    if replace(other.trained, **flown) != wanted:  # these change no weight
        raise InputError(
            f"The model of train.init = {init} is {other.trained}, and {model.trained} is to be trained",
            remedy="Set train.height, train.narrow and so on as that model has them, or train.init to none",
        )
    model.load_state_dict(other.state_dict())
