"""A training run from its first step, or its last saved state, to its last step."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from flythrough.errors import FlythroughError
from flythrough.workspace.files import JsonObject, content_key, write_json
from flythrough.workspace.progress import bar

from ..config import STATE_FILE, Settings
from ..data.sequences import Batch, Loader, Sequences
from .process_group import ProcessGroup
from .state import load_state, save_state
from .trainer import NotFiniteError, StepResult, Trainer
from .watch import Watcher

NOT_FINITE = "not_finite.json"
STOPPED = 143  # exit status of a run that was told to stop: 128 + SIGTERM
_log = logging.getLogger("flythrough.train")


class Session:
    """A run in a folder; a run that was stopped there resumes.

    Args:
        settings: of the run.
        sequences: what to train on.
        folder: for the state, the scalars and the pictures.
        group: the processes; the first one writes.

    Raises:
        InputError: the folder holds the state of a run with other settings or clips.
    """

    def __init__(self, settings: Settings, sequences: Sequences, folder: Path, group: ProcessGroup) -> None:
        self.settings, self.sequences, self.folder, self.group = settings, sequences, folder, group
        self.trainer = Trainer(settings, group)
        self.state = self.trainer.state
        self.identity = self._identity()
        self.state_file = folder / STATE_FILE
        if self.state_file.exists():
            load_state(self.state_file, self.state, self.identity)
            _log.info("going on at step %d of %d", self.state.step, settings.steps)
        self.watcher = Watcher(folder, self.state.step) if group.leads else None

    def run(self) -> None:
        """Train to the last step.

        Raises:
            FlythroughError: a loss is NaN or infinite (kind "not-finite"); the batch is in not_finite.json.
            DiskError: a save failed; the last saved state remains.
            SystemExit: stopped by SIGTERM or Ctrl-C, after saving.
        """
        try:
            self._train()
        finally:
            if self.watcher is not None:
                self.watcher.close()

    def _train(self) -> None:
        settings, loader = self.settings, self._loader()
        images = 0
        with stop_signals() as stopped, bar("train", settings.steps, "step") as advance:
            advance(self.state.step)
            began = time.monotonic()
            for batch in loader.batches(self.state.step, settings.steps):
                stepped = self._step(batch)
                images += batch.rgbd.shape[0] * (batch.rgbd.shape[1] - 1) * self.group.size
                rate = images / (time.monotonic() - began)
                advance(1, note=_note(stepped.scalars, rate))
                self._watch(batch, stepped, rate)
                if self.group.any(stopped.is_set()):
                    self._stop()
        self._save()
        if self.watcher is not None:
            self.watcher.flight(self.state.step, self.trainer.mean, self._sample(), settings.video_steps)

    def _step(self, batch: Batch) -> StepResult:
        try:
            return self.trainer.step(batch)
        except NotFiniteError as error:
            path = self.folder / NOT_FINITE.replace(".", f".{self.group.rank}." if self.group.size > 1 else ".")
            picks = [
                {"clip": id, "start": p.start, "stride": p.stride, "flipped": p.flipped}
                for id, p in zip(batch.clips, batch.picks, strict=True)
            ]
            scalars = {name: repr(value) for name, value in error.scalars.items()}
            write_json(path, {"step": self.state.step, "sequences": picks, "scalars": scalars})
            raise FlythroughError(
                f"Training is not finite at step {self.state.step} ({error}); its clips are {', '.join(batch.clips)}",
                remedy=f"Look at them (see {path.name} in the run's folder), or lower train.generator_rate",
                kind="not-finite",
            ) from None

    def _watch(self, batch: Batch, stepped: StepResult, rate: float) -> None:
        step, settings = self.state.step, self.settings
        if self.watcher is not None:
            last = step == settings.steps
            if step % settings.log_every == 0 or step == 1 or last:
                self.watcher.scalars(step, {**stepped.scalars, "images_per_s": rate, "unroll": batch.rgbd.shape[1] - 1})
            if step % settings.strip_every == 0 or last:
                self.watcher.strip(step, batch, stepped.rollout)
            if settings.video_every and step % settings.video_every == 0 and not last:
                self.watcher.flight(step, self.trainer.mean, self._sample(), settings.video_steps)
        if step % settings.save_every == 0:
            self._save()

    def _sample(self) -> Batch:
        """A batch that stays the same throughout a run, for test flights."""
        one = Loader(self.sequences, batch=1, unroll_at=lambda step: 1, workers=1)
        return next(iter(one.batches(0, 1))).to(self.group.device)

    def _save(self) -> None:
        if self.group.leads:
            save_state(self.state_file, self.state, self.identity)

    def _stop(self) -> None:
        self._save()
        step = self.state.step
        if self.group.leads:
            print(f"Stopped at step {step} of {self.settings.steps}; saved. The same command resumes.", file=sys.stderr)
        raise SystemExit(STOPPED)

    def _loader(self) -> Loader:
        settings = self.settings
        return Loader(
            self.sequences,
            batch=settings.batch,
            unroll_at=settings.unroll_at,
            workers=settings.workers,
            rank=self.group.rank,
        )

    def _identity(self) -> JsonObject:
        """The settings that a saved state must share with this run to be resumed."""
        chosen = self.settings.keyed()
        clips = content_key([clip.id for clip in self.sequences.clips], self.sequences.strides)
        chosen["batch"] *= self.group.size
        return {**chosen, "perceptual": self.trainer.perceptual_name, "clips": clips}


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; a second Ctrl-C interrupts at once."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if stopped.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stopped.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _note(scalars: Mapping[str, float], rate: float) -> str:
    shown = ("l1", "perceptual", "feature", "adversarial", "discriminator")
    figures = " ".join(f"{name} {scalars[name]:.3g}" for name in shown if name in scalars)
    return f"{figures}  {rate:.3g} images/s"
