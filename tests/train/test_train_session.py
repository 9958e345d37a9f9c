"""A run that is stopped, killed or out of disk resumes as if nothing had happened; a broken one says what broke it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import pytest
import torch

from flythrough.errors import DiskError, FlythroughError, InputError
from flythrough.scene.clips import load_clips
from flythrough.train.config import PRESETS, STATE_FILE, Settings
from flythrough.train.data.sequences import Batch, Sequences
from flythrough.train.loop.process_group import ProcessGroup
from flythrough.train.loop.session import NOT_FINITE, STOPPED, Session
from flythrough.train.loop.state import save_state
from flythrough.train.loop.watch import Watcher
from flythrough.train.loop.worker import train
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import write_json
from tests.clip_factory import make_workspace

SMALL: dict[str, Any] = PRESETS["tiny"] | {
    "height": 32, "width": 64, "base_width": 2, "style_size": 8, "discriminator_width": 4, "unroll": 2,
    "unroll_every": 2, "batch": 2, "steps": 5, "save_every": 2, "strip_every": 2, "log_every": 1, "video_steps": 2,
    "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("clips"), clips=2, frames=6, height=32, width=64)


def session(workspace: Workspace, folder: Path, **changes: Any) -> Session:
    settings = Settings(**(SMALL | changes))
    drawn = Sequences(load_clips(workspace, "train"), unroll=settings.unroll, height=32, width=64, seed=settings.seed)
    folder.mkdir(exist_ok=True)
    return Session(settings, drawn, folder, ProcessGroup("cpu"))


def tensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


class Stop(Exception):
    pass


def stop_after(run: Session, steps: int) -> None:
    """End a run after ``steps`` steps, as kill -9 would: nothing more is saved."""
    take = run.trainer.step

    def step(batch: Batch) -> Any:
        if run.state.step == steps:
            raise Stop
        return take(batch)

    run.trainer.step = step  # type: ignore[method-assign]
    with pytest.raises(Stop):
        run.run()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"balanced_sampling": True, "checkpointing": True, "decay_from": 0.2, "discriminators_first": 3},
        {"condition_noise": 0.02, "r1_weight": 1.0, "two_frames": True},
        {"map_weight": 0.5},
    ],
)
def test_a_killed_run_ends_bit_for_bit_where_an_undisturbed_one_does(
    tmp_path: Path, workspace: Workspace, changes: dict[str, Any]
) -> None:
    session(workspace, tmp_path / "whole", **changes).run()
    stop_after(session(workspace, tmp_path / "killed", **changes), 3)  # saved at 2: step 3 is lost
    torch.rand(7)  # whatever else the process does with random numbers
    again = session(workspace, tmp_path / "killed", **changes)
    assert again.state.step == 2
    again.run()
    whole, killed = (tensors(tmp_path / name / STATE_FILE) for name in ("whole", "killed"))
    assert whole.keys() == killed.keys()
    assert [key for key in whole if not torch.equal(whole[key], killed[key])] == []
    scalars = [
        [
            {k: v for k, v in json.loads(line).items() if k != "images_per_s"}
            for line in (tmp_path / name / "scalars.jsonl").read_text().splitlines()
        ]
        for name in ("whole", "killed")
    ]
    assert scalars[0] == scalars[1]
    assert [row["step"] for row in scalars[0]] == [1, 2, 3, 4, 5]
    assert [row["unroll"] for row in scalars[0]] == [1, 1, 2, 2, 2]


def test_training_moves_every_network_and_the_running_mean_follows(tmp_path: Path, workspace: Workspace) -> None:
    run = session(workspace, tmp_path / "run")
    before = {name: {k: p.clone() for k, p in m.named_parameters()} for name, m in run.state.modules().items()}
    run.run()
    for name, module in run.state.modules().items():
        same = [key for key, p in module.named_parameters() if torch.equal(before[name][key], p)]
        # Of a picture this small the encoder's last layer keeps a pixel, which instance norm makes 0.
        assert [key for key in same if not key.startswith("encoder.")] == [], name
    last = [network.generator.conv.weight for network in (run.trainer.mean, run.trainer.generator)]
    assert not torch.equal(*last)
    names = {path.relative_to(run.folder).as_posix() for path in run.folder.rglob("*") if path.is_file()}
    assert {"strips/00000002.png", "strips/00000005.png", "flights/00000005.mp4", "scalars.jsonl"} <= names
    assert any(name.startswith("tensorboard/events.out.tfevents") for name in names)


@pytest.mark.parametrize(("steps", "moved"), [(3, {"discriminators"}), (4, {"discriminators", "generator", "mean"})])
def test_at_first_the_discriminators_alone_are_trained(
    tmp_path: Path, workspace: Workspace, steps: int, moved: set[str]
) -> None:
    run = session(workspace, tmp_path / "run", discriminators_first=3, steps=steps)
    before = {name: {k: p.clone() for k, p in m.named_parameters()} for name, m in run.state.modules().items()}
    run.run()
    assert moved == {
        name
        for name, module in run.state.modules().items()
        if any(not torch.equal(before[name][key], p) for key, p in module.named_parameters())
    }


def test_tensorboard_shows_the_figures_and_forgets_what_came_after_the_step_resumed_at(tmp_path: Path) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for first, values in ((0, (1.0, 2.0, 3.0)), (1, (20.0,))):
        watcher = Watcher(tmp_path, first)
        for step, value in enumerate(values, first + 1):
            watcher.scalars(step, {"l1": value})
        watcher.close()
    events = reader.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("l1")] == [(1, 1.0), (2, 20.0)]


def test_checkpointing_changes_memory_and_not_the_gradients(workspace: Workspace, tmp_path: Path) -> None:
    runs = [session(workspace, tmp_path / str(flag), checkpointing=flag) for flag in (False, True)]
    scalars = []
    for run in runs:
        batch = next(iter(run._loader().batches(2, 3)))
        scalars.append(run.trainer.step(batch).scalars)
    assert scalars[0] == pytest.approx(scalars[1], rel=1e-5)


def test_the_learning_falls(tmp_path: Path, workspace: Workspace) -> None:
    run = session(
        workspace, tmp_path / "run", steps=30, unroll=1, adversarial_weight=0, feature_weight=0, l1_weight=10,
        perceptual_weight=0, generator_rate=5e-3, base_width=4, save_every=100, strip_every=100,
    )  # fmt: skip
    run.run()
    rows = [json.loads(line) for line in (run.folder / "scalars.jsonl").read_text().splitlines()]
    l1 = [row["l1"] for row in rows]
    assert sum(l1[-5:]) < 0.7 * sum(l1[:5])


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_clips(tmp_path: Path, workspace: Workspace) -> None:
    run = session(workspace, tmp_path / "run")
    with torch.no_grad():
        run.trainer.generator.generator.conv.bias[0] = float("nan")
    before = [p.clone() for p in run.trainer.discriminators.parameters()]
    assert run.watcher is not None
    with patch.object(run.watcher, "close") as close, pytest.raises(FlythroughError, match="clip") as caught:
        run.run()
    close.assert_called_once_with()
    assert caught.value.kind == "not-finite"
    record = json.loads((run.folder / NOT_FINITE).read_text())
    assert record["step"] == 0
    assert {each["clip"] for each in record["sequences"]} <= {"clip0", "clip1"}
    assert len(record["sequences"]) == 2
    assert all(torch.equal(a, b) for a, b in zip(before, run.trainer.discriminators.parameters(), strict=True))


def test_a_state_of_other_settings_is_refused_by_name(tmp_path: Path, workspace: Workspace) -> None:
    stop_after(session(workspace, tmp_path / "run"), 3)
    with pytest.raises(InputError, match=r"generator_rate was 0\.\d+, is 0\.5"):
        session(workspace, tmp_path / "run", generator_rate=0.5)
    assert session(workspace, tmp_path / "run", workers=3, log_every=7).state.step == 2
    (tmp_path / "run" / STATE_FILE).write_bytes(b"no state")
    with pytest.raises(InputError, match="cannot be read"):
        session(workspace, tmp_path / "run")


def test_a_full_disk_leaves_the_last_state_as_it_was(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = session(workspace, tmp_path / "run")
    file = tmp_path / "run" / STATE_FILE
    save_state(file, run.state, {})
    before = file.read_bytes()
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        write(path, data[: len(data) // 2])
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskError, match="No space left"):
        save_state(file, run.state, {})
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir() if path.name.startswith(f".{STATE_FILE}")] == []


def test_sigterm_saves_and_ends_the_process(tmp_path: Path, workspace: Workspace) -> None:
    settings = Settings(**(SMALL | {"steps": 100_000, "save_every": 100_000, "strip_every": 100_000}))
    folder = tmp_path / "run"
    folder.mkdir()
    plan = {"workspace": str(workspace.root), "folder": str(folder), "settings": settings.model_dump(mode="json")}
    write_json(folder / "plan.json", plan)
    command = [sys.executable, "-m", "flythrough.train.loop.worker", str(folder / "plan.json")]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    ) as process:
        scalars = folder / "scalars.jsonl"
        while not (scalars.exists() and scalars.read_text().count("\n") >= 3):
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        message = process.communicate()[1]
    assert process.returncode == STOPPED
    assert "saved" in message
    done = json.loads(scalars.read_text().splitlines()[-1])["step"]
    endless = {"steps": 100_000, "save_every": 100_000, "strip_every": 100_000}
    assert session(workspace, folder, **endless).state.step == done


TRAIN_ON_TWO = """
import json, sys
from pathlib import Path
from flythrough.train.config import Settings
from flythrough.train.loop.worker import train_on_all
from flythrough.workspace.catalog import Workspace
workspace, folder, settings = sys.argv[1:]
train_on_all(Workspace(workspace), Settings(**json.loads(settings)), Path(folder), 2)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_all_processes_end_with_the_one_that_started_them(tmp_path: Path, workspace: Workspace, number: int) -> None:
    endless = {"steps": 100_000, "save_every": 100_000, "strip_every": 100_000}
    settings = Settings(**(SMALL | endless | {"processes": 2}))
    command = [sys.executable, "-c", TRAIN_ON_TWO, str(workspace.root), str(tmp_path), settings.model_dump_json()]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"}) as driver:
        try:
            while not (tmp_path / "scalars.jsonl").exists():
                assert driver.poll() is None
                time.sleep(0.1)
            others = psutil.Process(driver.pid).children(recursive=True)
            assert len(others) >= 3  # torchrun and two of its own
            driver.send_signal(number)
            _, left = psutil.wait_procs(others, timeout=60)
            driver.wait(60)
        finally:
            driver.kill()
    assert left == []
    assert (tmp_path / STATE_FILE).exists()
    assert driver.returncode == (STOPPED if number == signal.SIGTERM else -signal.SIGKILL)


def test_two_processes_learn_what_one_learns_from_the_doubled_batch(tmp_path: Path, workspace: Workspace) -> None:
    changes = {"steps": 20, "save_every": 100, "strip_every": 100, "unroll_every": 8, "video_steps": 1}
    # In float32 GAN training amplifies the last digit: within ten steps it would be the first.
    losses = []
    for processes, batch in ((1, 4), (2, 2)):
        folder = tmp_path / str(processes)
        folder.mkdir()
        settings = Settings(**(SMALL | changes | {"batch": batch, "processes": processes}))
        if processes == 1:
            train(workspace, settings, folder)
        else:
            from flythrough.train.loop.worker import train_on_all

            train_on_all(workspace, settings, folder, processes)
        losses.append([json.loads(line) for line in (folder / "scalars.jsonl").read_text().splitlines()])
    assert [len(rows) for rows in losses] == [20, 20]
    for one, two in zip(*losses, strict=True):
        for name in ("l1", "perceptual", "feature", "adversarial", "discriminator", "kl", "total"):
            assert two[name] == pytest.approx(one[name], abs=1e-4, rel=1e-4), (one["step"], name)


def test_passes_of_one_sequence_learn_what_one_pass_for_all_learns(tmp_path: Path, workspace: Workspace) -> None:
    moved = []
    for size in (1, 2, 4):
        run = session(workspace, tmp_path / str(size), batch=4, micro_batch=size, precision="float64")
        (batch,) = run._loader().batches(0, 1)
        scalars = run.trainer.step(batch).scalars
        weights = {**run.trainer.generator.state_dict(), **run.trainer.discriminators.state_dict()}
        moved.append({**weights, **{k: torch.tensor(v) for k, v in scalars.items()}})
    for other in moved[1:]:
        for name, value in moved[0].items():
            torch.testing.assert_close(other[name], value, rtol=1e-6, atol=1e-9, msg=name)
    with pytest.raises(ValueError, match="does not divide"):
        Settings(**(SMALL | {"batch": 4, "micro_batch": 3}))
