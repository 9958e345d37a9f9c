"""The weighted mean of checkpoints, weight by weight: it keeps what its parts have in common and evens out the rest.

One model may be better at a flight's first steps and another far along it; their mean may be better than either
(Wortsman et al. 2022, "Model soups"), if they are of one origin: one fine-tuned from the other, or both from a third.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from pathlib import Path

from flythrough.errors import InputError
from flythrough.scene.trained_on import TrainedOn, read_trained_on
from flythrough.workspace.files import JsonObject, sha256_of

from ..model.native import WEIGHTS, load_checkpoint, read_record, save_checkpoint
from ..model.network import InfiniteNature


def average_checkpoints(checkpoints: Sequence[Path], shares: Sequence[float], folder: Path) -> InfiniteNature:
    """Write the weighted mean of models as a float16 checkpoint; returns the model, as written.

    Its record holds each part's share, hash and record. It counts as trained on all that its parts are recorded to
    have been trained on.

    Args:
        checkpoints: folders of checkpoints of ours, of one shape.
        shares: one per checkpoint, above 0; only their ratios count. Empty: the same for each.
        folder: checkpoint folder to write.

    Raises:
        InputError: one of the folders is not a checkpoint of ours, their shapes differ, a weight is not finite in
            float16, or there is not one positive share for each.
        DiskError: the disk is full or not writable.
    """
    shares = list(shares) or [1.0] * len(checkpoints)
    if len(shares) != len(checkpoints) or not all(math.isfinite(share) and share > 0 for share in shares):
        raise InputError(
            f"Shares {shares} are not one above 0 for each of {len(checkpoints)} checkpoints",
            remedy="Give --share once per checkpoint, in their order",
        )
    models = [load_checkpoint(checkpoint) for checkpoint in checkpoints]
    result = models[0]
    for checkpoint, model in zip(checkpoints, models, strict=True):
        if model.trained != result.trained:
            raise InputError(
                f"{checkpoint} is {model.trained}, and {checkpoints[0]} is {result.trained}",
                remedy="Give checkpoints of one shape, best of one origin",
            )
        broken = [name for name, value in model.state_dict().items() if not value.half().isfinite().all()]
        if broken:
            raise InputError(f"{checkpoint}: {broken[0]} is not finite in float16", remedy="Leave this checkpoint out")
    parts = [share / sum(shares) for share in shares]
    states = [model.state_dict() for model in models]
    tensors = {
        name: sum(part * state[name] for part, state in zip(parts, states, strict=True)).half() for name in states[0]
    }
    result = result.half()
    result.load_state_dict(tensors)
    # Read before anything is written: the folder may be that of a part.
    mean_of = [_part(checkpoint, part) for checkpoint, part in zip(checkpoints, parts, strict=True)]
    histories = [history for checkpoint in checkpoints if (history := read_trained_on(checkpoint)) is not None]
    save_checkpoint(folder, result, {"mean_of": mean_of})
    if histories:
        reduce(TrainedOn.__or__, histories).write(folder)
    return result


def _part(checkpoint: Path, share: float) -> JsonObject:
    record = {name: value for name, value in read_record(checkpoint).items() if name not in ("format", "model")}
    return record | {"share": round(share, 4), "sha256": sha256_of(checkpoint / WEIGHTS)}
