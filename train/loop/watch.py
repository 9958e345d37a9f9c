"""Logs of a run: scalars (JSON lines and TensorBoard), strips of pictures, test flights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from flythrough.media.video_writer import VideoWriter
from flythrough.scene.autopilot import Autopilot
from flythrough.workspace.files import publish, write_text

from ..data.sequences import Batch
from ..fly.rollout import fly, to_image
from ..model.network import InfiniteNature
from .unroll import Rollout

SCALARS, STRIPS, FLIGHTS, EVENTS = "scalars.jsonl", "strips", "flights", "tensorboard"


class Watcher:
    """Writes a run's logs into its folder; resuming at a step removes the scalars after it."""

    def __init__(self, folder: Path, first_step: int) -> None:
        self.folder = folder
        self._file = folder / SCALARS
        if self._file.exists():
            kept = [line for line in self._file.read_text().splitlines() if _step_of(line) <= first_step]
            write_text(self._file, "".join(f"{line}\n" for line in kept))
        from tensorboardX import SummaryWriter

        self._board = SummaryWriter(str(folder / EVENTS), purge_step=first_step + 1, filename_suffix=f".{first_step}")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Record a step's figures."""
        with open(self._file, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **{k: float(f"{v:.6g}") for k, v in values.items()}}) + "\n")
        for name, value in values.items():
            self._board.add_scalar(name, value, step)
        self._board.flush()

    def strip(self, step: int, batch: Batch, rollout: Rollout) -> None:
        """Save the pictures of the batch's first sequence."""
        import cv2

        image = strip(batch.rgbd[0], rollout)
        png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
        self._board.add_image("strip", image, step, dataformats="HWC")
        self._board.flush()
        with publish(self.folder / STRIPS / f"{step:08d}.png") as scratch:
            scratch.write_bytes(png)

    def flight(self, step: int, model: InfiniteNature, batch: Batch, steps: int) -> None:
        """Film a flight of the autopilot from the batch's first picture."""
        file = self.folder / FLIGHTS / f"{step:08d}.mp4"
        start, intrinsics = batch.rgbd[0, 0], batch.intrinsics[0, 0].double().cpu().numpy()
        height, width = start.shape[1:]
        with publish(file) as scratch, VideoWriter(scratch, width=width, height=height, fps=10) as writer:
            writer.write(to_image(start))
            pilot = Autopilot.from_start(start[3].cpu().numpy(), intrinsics)
            for rgbd in fly(model, start, intrinsics, pilot, steps):
                writer.write(to_image(rgbd))

    def close(self) -> None:
        """Write what is still buffered."""
        self._board.close()


def strip(recorded: Tensor, rollout: Rollout) -> UInt8[np.ndarray, "h w 3"]:
    """The first sequence's pictures, one column per step: input, render, mask, refined, truth, and both disparities."""
    inputs = torch.cat([recorded[:1], rollout.refined[0, :-1].detach()])
    refined, truth = rollout.refined[0].detach(), recorded[1:]
    rows = [
        inputs[:, :3],
        rollout.rendered[0, :, :3],
        rollout.seen[0].expand(-1, 3, -1, -1),
        refined[:, :3],
        truth[:, :3],
        refined[:, 3:].expand(-1, 3, -1, -1),
        truth[:, 3:].expand(-1, 3, -1, -1),
    ]
    columns = [torch.cat(list(row.cpu().float()), -1) for row in rows]
    return to_image(torch.cat(columns, -2))


def _step_of(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return 2**62  # an incomplete line of a killed run
