"""Training on own flights: which sequences continue from own pictures, along the recorded path or the autopilot's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from flythrough.errors import ConfigError
from flythrough.scene.clips import Clip, load_clips
from flythrough.train.config import PRESETS, Settings, TrainConfig, resolve
from flythrough.train.data.replay import ReplaySchedule
from flythrough.train.data.sequences import Loader, Sequences
from flythrough.train.fly.depth_guess import guess_disparity
from flythrough.train.loop.process_group import ProcessGroup
from flythrough.train.loop.state import load_state, save_state
from flythrough.train.loop.trainer import StepResult, Trainer
from tests.clip_factory import make_workspace

SIZE = {"height": 32, "width": 64}
SMALL: dict[str, Any] = PRESETS["tiny"] | SIZE | {
    "base_width": 2, "style_size": 8, "discriminator_width": 4, "unroll": 2, "unroll_start": 2, "batch": 4, "steps": 9,
    "device": "cpu", "replay": 0.5, "roam": 0.25, "replay_age": 6, "roam_age": 10,
}  # fmt: skip


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    return load_clips(make_workspace(tmp_path_factory.mktemp("clips"), clips=2, frames=9, **SIZE), "train")


def schedule(**changes: Any) -> ReplaySchedule:
    given: dict[str, Any] = {
        "share": 0.5, "roam": 0.25, "batch": 4, "max_age": 6, "roam_age": 10, "start": 3,
        "unroll_at": lambda step: 2, "seed": 0,
    }  # fmt: skip
    return ReplaySchedule(**(given | changes))


def sequences(clips: list[Clip]) -> Sequences:
    return Sequences(clips, unroll=2, seed=0, replay=schedule(start=0), **SIZE)


def test_flights_go_on_at_their_places_only_and_never_longer_than_their_age() -> None:
    plan = schedule()
    ages = np.array([[plan.flight(step, place).age for place in range(4)] for step in range(300)])
    assert not ages[:, :2].any()  # fresh places
    assert not ages[:3].any()  # before its start
    assert sorted(set(ages[:, 2])) == [0, 2, 4]
    assert sorted(set(ages[:, 3])) == [0, 2, 4, 6, 8]
    assert [plan.flight(9, place).roams for place in range(4)] == [False, False, False, True]
    for place in (2, 3):  # a flight ages by T a step, and begins again at 0
        grows = np.diff(ages[3:, place])
        assert ((grows == 2) | (ages[4:, place] == 0)).all()


def test_a_flight_during_which_t_grows_is_no_longer_than_its_age(clips: list[Clip]) -> None:
    drawn = Sequences(
        clips, unroll=4, seed=0, **SIZE,
        replay=schedule(start=0, max_age=50, roam_age=50, unroll_at=lambda step: min(4, 1 + step // 3)),
    )  # fmt: skip
    for step in range(60):
        for place in range(4):
            pick = drawn.pick(step, place)
            assert drawn.replay
            assert drawn.replay.flight(step, place).length <= (50 if pick.roams else 8)  # the clips have 9 frames
            assert pick.start >= 0
            assert pick.start + min(4, 1 + step // 3) * pick.stride <= 8


def test_a_resumed_run_has_the_same_flights() -> None:
    straight, resumed = schedule(), schedule()
    flights = [straight.flight(step, place) for step in range(40) for place in range(4)]
    assert [resumed.flight(step, place) for step in range(25, 40) for place in range(4)] == flights[100:]


def test_a_recorded_flight_goes_on_along_the_record_and_a_roaming_one_keeps_its_start(clips: list[Clip]) -> None:
    drawn = sequences(clips)
    for step in range(1, 60):
        for place in (2, 3):
            before, now = drawn.pick(step - 1, place), drawn.pick(step, place)
            if now.age:
                moved = now.start - before.start
                assert (now.clip, now.flipped) == (before.clip, before.flipped)
                assert moved == (0 if now.roams else 2 * now.stride)
                last = len(drawn.clips[now.clip]) - 1
                assert now.start + 2 * now.stride <= last


def test_a_share_of_roaming_flights_starts_with_a_guessed_disparity(clips: list[Clip]) -> None:
    drawn = Sequences(clips, unroll=2, seed=0, replay=schedule(start=0), guessed=0.5, **SIZE)
    exact = sequences(clips)
    guessed = {True: 0, False: 0}
    for step in range(40):
        assert not any(drawn.pick(step, place).guessed for place in range(3))  # recorded paths need the truth
        pick = drawn.pick(step, 3)
        guessed[pick.guessed] += 1
        (rgbd, *_, takeoff), (recorded, *_) = drawn.load(pick, 2), exact.load(exact.pick(step, 3), 2)
        assert np.array_equal(rgbd[:, :3], recorded[:, :3])
        assert np.array_equal(rgbd[1:], recorded[1:])
        assert np.array_equal(takeoff, rgbd[0])
        assert np.array_equal(rgbd[0], recorded[0]) != pick.guessed
        if pick.guessed and not pick.flipped:
            image = (recorded[0, :3].transpose(1, 2, 0) * 255).astype(np.uint8)
            assert np.array_equal(rgbd[0, 3], guess_disparity(image).disparity)
    assert min(guessed.values()) > 5


def batches(clips: list[Clip], first: int, last: int) -> Any:
    return Loader(sequences(clips), batch=4, unroll_at=lambda step: 2, workers=1).batches(first, last)


def test_the_autopilot_flies_on_from_the_last_picture_and_course(clips: list[Clip]) -> None:
    trainer = Trainer(Settings(**SMALL), ProcessGroup("cpu"))
    memory = trainer.state.replay
    assert memory is not None
    went_on = 0
    for batch in batches(clips, 0, 12):
        before, last = memory.courses.clone(), memory.rgbd.clone()
        going = batch.go_on(memory)
        trainer.step(batch)
        roams = batch.picks[3]
        if roams.age:
            went_on += 1
            assert torch.equal(going.courses[3], before[3])
            assert torch.equal(going.start[3], last[3])
        travelled = torch.linalg.norm(memory.courses[3, 0] - going.courses[3, 0])
        assert travelled.item() == pytest.approx(2 * 0.2, rel=0.1)  # T steps of the autopilot's speed
        assert not memory.courses[:3, 0].any()  # no other place has a pilot
    assert went_on


def test_what_roams_is_judged_by_the_discriminators_alone(clips: list[Clip]) -> None:
    only = {"adversarial_weight": 0.0, "feature_weight": 1.0, "kl_weight": 0.0, "gradient_weight": 1.0}
    trainer = Trainer(Settings(**(SMALL | only | {"replay": 1.0, "roam": 1.0, "batch": 4})), ProcessGroup("cpu"))
    every = schedule(share=1.0, roam=1.0, start=0)
    drawn = Sequences(clips, unroll=2, seed=0, replay=every, **SIZE)
    batch = next(iter(Loader(drawn, batch=4, unroll_at=lambda step: 2, workers=1).batches(0, 1)))
    assert batch.roams.all()
    assert trainer.step(batch).scalars["generator_grad"] == 0


def test_where_the_autopilot_flies_the_sky_of_its_start_stays(
    clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flythrough.train.model.sky.SKY_DISPARITY", 4.0)  # all is sky
    shown = {}
    for sky in (False, True):
        trainer = Trainer(Settings(**(SMALL | {"sky": sky})), ProcessGroup("cpu"))
        for batch in batches(clips, 0, 12):
            shown[sky] = trainer.step(batch).rollout.refined
            if batch.roams[3]:
                break
    assert torch.equal(shown[True][:3], shown[False][:3])
    start = batch.takeoff[3]
    off = [(shown[sky][3, -1] - start).abs()[:, 8:-8, 12:-12].mean() for sky in (False, True)]
    assert off[1] < 0.5 * off[0]


def stepped(clips: list[Clip], steps: int, **changes: Any) -> tuple[Trainer, list[StepResult]]:
    trainer = Trainer(Settings(**(SMALL | changes)), ProcessGroup("cpu"))
    return trainer, [trainer.step(batch) for batch in batches(clips, 0, steps)]


def test_r1_flattens_the_discriminators(clips: list[Clip]) -> None:
    rates = {"generator_rate": 1e-12, "discriminator_rate": 1e-2}
    slopes = [stepped(clips, 12, r1_weight=weight, **rates)[1][-1].scalars["r1"] for weight in (1e-6, 30.0)]
    assert slopes[1] < 0.5 * slopes[0]


def test_what_judges_maps_learns_to_tell_and_teaches_the_generator(clips: list[Clip]) -> None:
    judging = {"map_weight": 1.0, "discriminator_rate": 1e-2}
    told = [each.scalars["map_discriminator"] for each in stepped(clips, 12, generator_rate=1e-12, **judging)[1]]
    assert told[0] > 1.5
    assert told[-1] < 0.8 * told[0]
    others = dict.fromkeys(
        ("l1_weight", "gradient_weight", "perceptual_weight", "feature_weight", "adversarial_weight", "kl_weight"), 0.0
    )
    grads = [stepped(clips, 1, **others | {"map_weight": w})[1][0].scalars["generator_grad"] for w in (0.0, 1.0)]
    assert grads[0] == 0
    assert grads[1] > 0


def test_the_perceptual_network_changes_no_first_weight() -> None:
    first = [
        Trainer(Settings(**(SMALL | {"perceptual_weight": weight})), ProcessGroup("cpu")).discriminators.state_dict()
        for weight in (0.0, 0.02)
    ]
    assert all(torch.equal(value, first[1][name]) for name, value in first[0].items())


def test_two_frames_are_judged_together(clips: list[Clip]) -> None:
    trainer, _ = stepped(clips, 1, two_frames=True)
    by_picture, by_the_one_before = trainer.discriminators.fine.first.weight.grad.split(4, 1)
    assert by_picture.abs().max() > 0
    assert by_the_one_before.abs().max() > 0


def test_noise_on_conditions_is_drawn_anew_at_every_step_and_place(clips: list[Clip]) -> None:
    clean, noisy, again = (
        stepped(clips, 2, condition_noise=noise, generator_rate=1e-12)[1] for noise in (0.0, 0.1, 0.1)
    )
    assert torch.equal(clean[0].rollout.rendered[:, 0], noisy[0].rollout.rendered[:, 0])
    for before, after, same in zip(clean, noisy, again, strict=True):
        assert torch.equal(after.rollout.refined, same.rollout.refined)
        changes = (after.rollout.refined - before.rollout.refined)[:, 0]
        assert all(change.abs().max() > 1e-4 for change in changes)
        assert not torch.allclose(changes[0], changes[1])


def test_a_saved_state_holds_pictures_and_courses(clips: list[Clip], tmp_path: Path) -> None:
    trainer, other = (Trainer(Settings(**SMALL), ProcessGroup("cpu")) for _ in range(2))
    for batch in batches(clips, 0, 3):
        trainer.step(batch)
    save_state(tmp_path / "state", trainer.state, {})
    load_state(tmp_path / "state", other.state, {})
    results = [t.step(batch) for t in (trainer, other) for batch in batches(clips, 3, 4)]
    assert torch.equal(results[0].rollout.refined, results[1].rollout.refined)
    assert trainer.state.replay
    assert other.state.replay
    assert torch.equal(trainer.state.replay.courses, other.state.replay.courses)


def test_a_start_has_no_picture_before_it() -> None:
    with pytest.raises(ConfigError, match="two_frames and balanced_sampling do not go together"):
        resolve(TrainConfig(preset="tiny", two_frames=True, balanced_sampling=True))


def test_roaming_is_a_part_of_replay() -> None:
    with pytest.raises(ConfigError, match=r"roam is 0\.5, over replay = 0\.25"):
        resolve(TrainConfig(preset="tiny", replay=0.25, roam=0.5))
