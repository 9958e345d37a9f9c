"""One checkpoint at several sizes, a running mean exported from a training state, and what is in the package."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from flythrough.errors import ConfigError, InputError
from flythrough.scene.geometry import default_intrinsics
from flythrough.scene.plans import straight
from flythrough.scene.trained_on import TrainedOn, read_trained_on
from flythrough.train.config import STATE_FILE, Settings, TrainConfig, resolve
from flythrough.train.fly import shipped
from flythrough.train.fly.from_photo import at_size, default_checkpoint
from flythrough.train.fly.rollout import fly
from flythrough.train.loop.average import average_checkpoints
from flythrough.train.loop.export import export_state
from flythrough.train.loop.process_group import ProcessGroup
from flythrough.train.loop.state import save_state
from flythrough.train.loop.trainer import Trainer
from flythrough.train.model.native import WEIGHTS, load_checkpoint, save_checkpoint
from flythrough.train.model.network import InfiniteNature
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import sha256_of

SMALL = {"height": 32, "width": 64, "base_width": 2, "style_size": 8, "discriminator_width": 2}


@pytest.fixture(scope="module")
def model() -> InfiniteNature:
    torch.manual_seed(0)
    return InfiniteNature(32, 64, base_width=2, style_size=8, max_sobel=0.6).eval()


def smooth(height: int, width: int) -> torch.Tensor:
    """The same scene at any size, [1, 4, h, w]."""
    y, x = torch.meshgrid((torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij")
    return torch.stack([x, y, 0.5 + 0.4 * torch.sin(3 * x + 2 * y), 0.1 + 0.5 * y])[None]


def test_a_model_flies_at_any_multiple_of_32(model: InfiniteNature) -> None:
    for height, width in ((64, 64), (96, 160)):
        flown = list(fly(model.at_size(height, width), smooth(height, width)[0], default_intrinsics(height, width),
                         straight(speed=0.1), 2))  # fmt: skip
        assert all(picture.shape == (4, height, width) and torch.isfinite(picture).all() for picture in flown)
    with pytest.raises(ConfigError):
        model.at_size(64, 100)
    with pytest.raises(ConfigError):
        model.at_size(0, 64)


def test_at_its_own_size_it_is_the_same_model(model: InfiniteNature) -> None:
    again = model.at_size(64, 128).at_size(32, 64)
    assert again.config == model.config
    picture, style = smooth(32, 64), torch.ones(1, 8)
    mask = torch.ones(1, 1, 32, 64)
    assert torch.equal(again.refine(picture, mask, style), model.refine(picture, mask, style))


def test_another_size_shares_the_weights_and_the_style_and_tears_at_the_same_slope(model: InfiniteNature) -> None:
    larger = model.at_size(64, 128)
    assert next(larger.parameters()) is next(model.parameters())
    assert larger.config.max_sobel == pytest.approx(0.3)
    assert (model.config.height, model.config.max_sobel) == (32, 0.6)
    torch.testing.assert_close(larger.encode(smooth(64, 128))[0], model.encode(smooth(32, 64))[0], atol=2e-2, rtol=0)


def test_a_model_at_another_size_is_saved_as_it_was_trained(model: InfiniteNature, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, model.at_size(64, 128), {})
    assert load_checkpoint(tmp_path).config == model.config


def test_the_size_on_the_command_line_is_width_by_height(model: InfiniteNature) -> None:
    larger = at_size(model, "128x64")
    assert (larger.config.height, larger.config.width) == (64, 128)
    assert at_size(model, "") is model
    with pytest.raises(InputError, match="WIDTHxHEIGHT"):
        at_size(model, "large")


def test_an_exported_state_is_the_running_mean_in_half_precision(tmp_path: Path) -> None:
    settings = Settings(**SMALL, perceptual_weight=0)  # type: ignore[arg-type]
    trainer = Trainer(settings, ProcessGroup("cpu"))
    with torch.no_grad():
        for mean in trainer.mean.parameters():
            mean.add_(0.01)
    trainer.state.step = 7
    save_state(tmp_path / "state", trainer.state, settings.keyed() | {"perceptual": "none", "clips": "x"})
    export_state([tmp_path / "state"], tmp_path / "out")
    back = load_checkpoint(tmp_path / "out")
    for name, value in trainer.mean.state_dict().items():
        torch.testing.assert_close(back.state_dict()[name], value.half().float(), atol=0, rtol=0)
    record = json.loads((tmp_path / "out" / "model.json").read_text())
    assert (record["step"], record["settings"]["seed"]) == (7, 0)
    whole = sum(value.numel() * 4 for value in trainer.mean.state_dict().values())
    assert (tmp_path / "out" / WEIGHTS).stat().st_size < 0.6 * whole + 20_000  # 20 kB of names


def test_of_several_states_of_a_run_the_mean_is_exported(tmp_path: Path) -> None:
    settings = Settings(**SMALL, perceptual_weight=0)  # type: ignore[arg-type]
    trainer = Trainer(settings, ProcessGroup("cpu"))
    keyed = settings.keyed() | {"perceptual": "none", "clips": "x"}
    for step in (4, 8):
        with torch.no_grad():
            for mean in trainer.mean.parameters():
                mean.fill_(step)
        trainer.state.step = step
        save_state(tmp_path / str(step), trainer.state, keyed)
    export_state([tmp_path / "4", tmp_path / "8"], tmp_path / "out")
    assert {float(value.unique()) for value in load_checkpoint(tmp_path / "out").parameters()} == {6.0}
    record = json.loads((tmp_path / "out" / "model.json").read_text())
    assert (record["step"], record["mean_of_steps"]) == (8, [4, 8])
    save_state(tmp_path / "other", trainer.state, keyed | {"seed": 99})
    with pytest.raises(InputError, match="is not of the run"):
        export_state([tmp_path / "4", tmp_path / "other"], tmp_path / "out")


def filled(folder: Path, value: float, width: int = 2) -> Path:
    """A checkpoint all of whose weights are ``value``."""
    model = InfiniteNature(32, 64, base_width=width, style_size=8, max_sobel=0.6)
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(value)
    save_checkpoint(folder, model, {"filled": str(value)})
    return folder


def test_models_are_averaged_by_their_shares(tmp_path: Path) -> None:
    one, six = filled(tmp_path / "one", 1), filled(tmp_path / "six", 6)
    for shares, mean in (([3, 2], 3.0), ([0.2, 0.8], 5.0), ([], 3.5)):
        average_checkpoints([one, six], shares, tmp_path / "out")
        assert {float(value.unique()) for value in load_checkpoint(tmp_path / "out").parameters()} == {mean}
    average_checkpoints([one, six], [3, 2], tmp_path / "out")
    record = json.loads((tmp_path / "out" / "model.json").read_text())
    assert record["mean_of"] == [
        {"filled": "1", "share": 0.6, "sha256": sha256_of(one / WEIGHTS)},
        {"filled": "6", "share": 0.4, "sha256": sha256_of(six / WEIGHTS)},
    ]


def test_a_mean_may_take_the_place_of_one_of_its_parts(tmp_path: Path) -> None:
    one, six = filled(tmp_path / "one", 1), filled(tmp_path / "six", 6)
    TrainedOn({}, islands=frozenset({100_000})).write(one)
    TrainedOn({}, islands=frozenset({100_001})).write(six)
    average_checkpoints([one, six], [], one)
    assert {float(value.unique()) for value in load_checkpoint(one).parameters()} == {3.5}
    record = json.loads((one / "model.json").read_text())
    assert [part["filled"] for part in record["mean_of"]] == ["1", "6"]
    assert read_trained_on(one) == TrainedOn({}, islands=frozenset({100_000, 100_001}))


def test_an_average_was_trained_on_what_each_of_its_parts_was(tmp_path: Path) -> None:
    one, two, out = filled(tmp_path / "one", 1), filled(tmp_path / "two", 2), tmp_path / "out"
    average_checkpoints([one, two], [], out)
    assert read_trained_on(out) is None
    TrainedOn({"a": "0"}, islands=frozenset({100_000})).write(one)
    TrainedOn({"b": "1"}, islands=frozenset({100_001})).write(two)
    average_checkpoints([one, two], [], out)
    assert read_trained_on(out) == TrainedOn({"a": "0", "b": "1"}, islands=frozenset({100_000, 100_001}))


@pytest.mark.parametrize("shares", [[1.0], [1.0, 0], [2.0, -1.0], [1.0, float("nan")], [1.0, float("inf")], [1.0] * 3])
def test_shares_that_make_no_mean_are_refused(tmp_path: Path, shares: list[float]) -> None:
    parts = [filled(tmp_path / "one", 1), filled(tmp_path / "two", 2)]
    with pytest.raises(InputError, match="--share once per checkpoint"):
        average_checkpoints(parts, shares, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_models_of_other_shapes_or_that_are_broken_are_not_averaged(tmp_path: Path) -> None:
    one, wide = filled(tmp_path / "one", 1), filled(tmp_path / "wide", 1, width=4)
    broken = filled(tmp_path / "broken", float("inf"))
    for other, said in (
        (wide, "base_width=4"),
        (broken, "broken: .* not finite"),
        (tmp_path / "none", "no model.json"),
    ):
        with pytest.raises(InputError, match=said):
            average_checkpoints([one, other], [], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_training_state_is_not_exported(model: InfiniteNature, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, model, {})
    for path in (tmp_path / WEIGHTS, tmp_path / "nothing"):
        with pytest.raises(InputError):
            export_state([path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_a_checkpoint_the_packages_model_is_flown(
    model: InfiniteNature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "shipped")
    workspace = Workspace(tmp_path / "workspace")
    with pytest.raises(InputError, match=shipped.NAME):
        default_checkpoint(workspace)
    save_checkpoint(tmp_path / "shipped" / shipped.NAME, model, {})
    assert default_checkpoint(workspace) == tmp_path / "shipped" / shipped.NAME
    workspace.write(
        "checkpoints", [{"id": "a", "path": "train/a", "step": 1, "preset": "tiny", "sha256": "0", "measures": "{}"}]
    )
    assert default_checkpoint(workspace) == workspace / "train/a"
    assert np.isfinite(load_checkpoint(shipped.shipped_checkpoint()).config.max_sobel)


def test_the_packages_model_is_small_and_flies_and_its_record_names_no_place() -> None:
    folder = shipped.shipped_checkpoint()
    assert (folder / WEIGHTS).stat().st_size <= 16_000_000
    for name in ("model.json", "record.json", "trained_on.json"):
        assert "/" + "work" not in (folder / name).read_text(encoding="utf-8")
        assert "/" + "home" not in (folder / name).read_text(encoding="utf-8")
    model = load_checkpoint(folder).at_size(64, 96)
    lens, start = default_intrinsics(64, 96), smooth(64, 96)[0]
    frames = torch.stack(list(fly(model, start, lens, straight(speed=0.1), 8)))
    assert torch.isfinite(frames).all()
    assert frames.min() >= 0
    assert frames.max() <= 1
    # It is no random network: what it paints after a step is near to what it was shown.
    assert (frames[0, :3] - start[:3]).abs().mean() < 0.1


def test_the_preset_polish_is_the_recipe_of_the_packages_last_run() -> None:
    record = json.loads((shipped.shipped_checkpoint() / "model.json").read_text())["settings"]
    preset = resolve(TrainConfig(preset="polish"))[1].keyed()
    assert preset["discriminators_first"] > 0  # that run had a warm-up before it
    assert preset["bilinear"]  # found after that run, and no weight depends on it
    own = ("init", "clips", "perceptual", "seed", "discriminators_first", "bilinear")
    assert {k: v for k, v in preset.items() if k not in own} == {k: v for k, v in record.items() if k not in own}


def test_fine_tuning_starts_from_the_packages_model() -> None:
    name, settings = resolve(TrainConfig(device="cpu", perceptual_weight=0.0, texture_weight=0.0))
    trainer = Trainer(settings, ProcessGroup("cpu"))
    assert name == "tune"
    wanted = load_checkpoint(shipped.shipped_checkpoint()).state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in trainer.mean.state_dict().items())


def test_a_run_that_starts_from_another_runs_folder_takes_its_discriminators_too(tmp_path: Path) -> None:
    settings = Settings(**SMALL, perceptual_weight=0)  # type: ignore[arg-type]
    run, first = tmp_path / "run", Trainer(settings, ProcessGroup("cpu"))
    save_state(run / STATE_FILE, first.state, settings.keyed())
    save_checkpoint(run / "checkpoint", first.mean, {})

    def judges(init: Path, **changes: float) -> dict[str, torch.Tensor]:
        other = settings.model_copy(update={"init": str(init), "seed": 5, **changes})
        return Trainer(other, ProcessGroup("cpu")).discriminators.state_dict()

    kept, fresh = judges(run), judges(run / "checkpoint")
    for name, value in first.discriminators.state_dict().items():
        assert torch.equal(kept[name], value)
    assert not torch.equal(fresh["fine.first.weight"], kept["fine.first.weight"])
    more = judges(run, map_weight=1.0)  # that run had none that judge maps: they are new
    assert torch.equal(more["fine.first.weight"], kept["fine.first.weight"])
    assert any(name.startswith("on_maps.0.") for name in more)
    with pytest.raises(InputError, match="another shape"):
        judges(run, discriminator_width=4)
