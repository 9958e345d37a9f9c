"""One process of a training run. Several are started by ``torchrun`` or ``accelerate launch`` on a plan file:

torchrun --nproc-per-node 8 -m flythrough.train.loop.worker plan.json
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import torch

from flythrough.errors import FlythroughError
from flythrough.scene.clips import Clip, load_clips
from flythrough.scene.trained_on import TrainedOn, read_trained_on
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import JsonObject, read_json, write_json
from flythrough.workspace.worker import ask_for_signal, end_with

from ..config import Settings
from ..data.islands import film_islands
from ..data.replay import ReplaySchedule
from ..data.sequences import Sequences
from ..data.shards import load_shards
from ..fly.shipped import init_folder
from .process_group import ProcessGroup
from .session import STOPPED, Session

PLAN = "plan.json"
ISLANDS = ".islands"
CHECKPOINT = "checkpoint"


def training_clips(workspace: Workspace, settings: Settings) -> Sequence[Clip]:
    """The clips of the split ``train``; a workspace's only clip is used whatever its split."""
    if settings.data == "shards":
        return load_shards(workspace.root, settings.shards, "train")
    if settings.data == "islands":
        folder = workspace / "train" / ISLANDS
        return film_islands(folder, settings.islands, settings.height, settings.width, settings.all_biomes)
    if len(clips := load_clips(workspace)) == 1:
        return clips
    return [clip for clip in clips if clip.split == "train"]


def train(workspace: Workspace, settings: Settings, folder: Path) -> JsonObject:
    """Train in this process, alone or as one of several; returns figures of the run.

    Raises:
        FlythroughError: as :class:`Sequences` and :meth:`Session.run`.
    """
    from ..model.native import save_checkpoint

    clips = training_clips(workspace, settings)
    group = ProcessGroup(settings.device)
    sequences = Sequences(
        clips,
        unroll=settings.unroll,
        height=settings.height,
        width=settings.width,
        seed=settings.seed,
        flip=settings.flip,
        color_jitter=settings.color_jitter,
        guessed=settings.guessed,
        replay=_replay(settings, group.size),
        cache_mb=settings.cache_mb,
    )
    history = trained_on(settings, sequences.clips)
    if group.leads:
        history.write(folder)  # for an export while the run is still going
    session = Session(settings, sequences, folder, group)
    session.run()
    figures = {
        "parameters": sum(p.numel() for p in session.trainer.generator.parameters()),
        "perceptual": session.trainer.perceptual_name,
        "clips": len(sequences.clips),
        "clips_too_short": list(sequences.short),
        "sequences": int(settings.steps * settings.batch * group.size),
        "unroll": settings.unroll,
    }
    if group.leads:
        record = {"step": session.state.step, "settings": settings.model_dump(mode="json"), **figures}
        save_checkpoint(folder / CHECKPOINT, session.trainer.mean, record)
        history.write(folder / CHECKPOINT)
    return figures


def trained_on(settings: Settings, clips: Sequence[Clip]) -> TrainedOn:
    """The record of a model trained on ``clips``, including that of the model it starts from."""
    own = TrainedOn(
        {clip.id: clip.sha256 for clip in clips if clip.island is None},
        frozenset(clip.video_id for clip in clips if clip.island is None),
        frozenset(clip.island for clip in clips if clip.island is not None),
    )
    if settings.init == "none":
        return own
    before = read_trained_on(init_folder(settings.init))
    return own if before is None else own | before


def _replay(settings: Settings, processes: int) -> ReplaySchedule | None:
    if not settings.replay:
        return None
    return ReplaySchedule(
        share=settings.replay,
        roam=settings.roam,
        batch=settings.batch,
        processes=processes,
        max_age=settings.replay_age,
        roam_age=settings.roam_age,
        start=settings.replay_from,
        unroll_at=settings.unroll_at,
        seed=settings.seed,
    )


def train_on_all(workspace: Workspace, settings: Settings, folder: Path, processes: int) -> JsonObject:
    """Train in several processes of this machine, one per GPU; returns figures of the run.

    Raises:
        FlythroughError: a process failed (kind "crash"); its message is printed above, and in the log.
        SystemExit: stopped by SIGTERM or Ctrl-C, after they have saved.
    """
    plan = folder / PLAN
    figures = folder / "figures.json"
    write_json(
        plan,
        {
            "workspace": str(workspace.root.absolute()),
            "folder": str(folder.absolute()),
            "settings": settings.model_dump(mode="json"),
        },
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    threads = max(1, torch.get_num_threads() // processes)  # of one, where torchrun would give each a single one
    environment = {"OMP_NUM_THREADS": str(threads), **os.environ}
    worker = ["-m", "flythrough.train.loop.worker", str(plan)]
    status = _launch([*command, *worker], environment)
    if status != 0:
        raise FlythroughError(
            f"A training process failed (torchrun ended with {status})",
            remedy="Its own message is above; the run continues from its last saved state with --retry-errors",
            kind="crash",
        )
    return dict(read_json(figures))


def _launch(command: Sequence[str], environment: dict[str, str]) -> int:
    """Run torchrun to its end; returns its exit status. It and its processes end if this one does, for any reason."""
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True
        launcher.terminate()  # torchrun passes it on, and waits while its processes save

    # preexec_fn, as nothing else can set this for a program that is not ours; the child runs one system call.
    with subprocess.Popen(command, env=environment, preexec_fn=_end_with_driver) as launcher:
        in_main_thread = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGTERM, stop) if in_main_thread else None
        try:
            status = launcher.wait()
        except KeyboardInterrupt:  # its processes had it too: let them save
            stopped, status = True, launcher.wait()
        finally:
            if in_main_thread:
                signal.signal(signal.SIGTERM, before)
    if stopped:
        raise SystemExit(STOPPED)
    return status


def _end_with_driver() -> None:
    ask_for_signal(signal.SIGTERM)


def main(arguments: Sequence[str]) -> None:
    """Train by a plan file."""
    if "TORCHELASTIC_RUN_ID" in os.environ:  # started by torchrun, which may be killed
        threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    plan = read_json(Path(arguments[0]))
    folder = Path(plan["folder"])
    try:
        figures = train(Workspace(plan["workspace"]), Settings.model_validate(plan["settings"]), folder)
    except FlythroughError as error:
        sys.exit(f"error [{error.kind}] {error}")
    if os.environ.get("RANK", "0") == "0":
        write_json(folder / "figures.json", figures)


if __name__ == "__main__":
    main(sys.argv[1:])
