"""Training flies as flights do: from keyframes, mirrored after every second one, and on where a flight had ended."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from flythrough.scene.autopilot import Autopilot
from flythrough.train.data.sequences import Batch
from flythrough.train.fly.rollout import fly
from flythrough.train.loop.unroll import Rollout, recorded_renders, roll_out
from flythrough.train.model.network import InfiniteNature
from tests.clip_factory import camera_path, make_world, view

LENS = np.array([0.8, 1.6, 0.5, 0.5])
STEPS = 4  # of a sequence


@pytest.fixture(scope="module")
def start() -> torch.Tensor:
    image, disparity = view(make_world(3), camera_path(1, 1, 3)[0], LENS, 32, 64)
    rgbd = np.concatenate([image / 255, np.clip(disparity, 0, 1)[..., None]], -1).astype(np.float32)
    return torch.from_numpy(rgbd.transpose(2, 0, 1))


def sequence(first: torch.Tensor, takeoff: torch.Tensor, age: int, *, roams: bool, courses: torch.Tensor) -> Batch:
    """A batch of one sequence, straight ahead by 0.2 units a step."""
    poses = torch.eye(3, 4).repeat(1, STEPS + 1, 1, 1)
    poses[0, :, 2, 3] = -0.2 * torch.arange(STEPS + 1)
    lenses = torch.as_tensor(LENS, dtype=torch.float32).expand(1, STEPS + 1, 4)
    frames = first.expand(1, STEPS + 1, *first.shape)
    ages, roaming = torch.tensor([float(age)]), torch.tensor([float(roams)])
    return Batch(("clip",), (), frames, first[None], poses, lenses, takeoff[None], ages, roaming, courses)


def two_sequences(model: InfiniteNature, start: torch.Tensor, *, roams: bool, land: float = 0.0) -> torch.Tensor:
    """The pictures of two sequences, the second from where the first ended."""
    with torch.no_grad():
        style, kernels = model.encode(start[None])[0], model.normalise()
        courses = torch.from_numpy(Autopilot(LENS).course)[None]
        near: Rollout = roll_out(
            model, sequence(start, start, 0, roams=roams, courses=courses), style, kernels, land=land
        )
        on = sequence(near.refined[0, -1], start, STEPS, roams=roams, courses=near.courses)
        far = roll_out(model, on, style, kernels, land=land)
    return torch.cat([near.refined[0], far.refined[0]])


def model_with(**flown: object) -> InfiniteNature:
    torch.manual_seed(0)
    model = InfiniteNature(32, 64, base_width=2, style_size=8, max_sobel=0.6).eval()
    model.config = replace(model.config, **flown)
    return model


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("land", [0.0, 1.0])
def test_the_autopilots_flight_is_the_same_in_training(
    start: torch.Tensor, every: int, mirror: bool, land: float
) -> None:
    for sky in (False, True):
        model = model_with(keyframe_every=every, mirror=mirror, sky=sky)
        flown = torch.stack(list(fly(model, start, LENS, Autopilot(LENS, land=land), 2 * STEPS)))
        torch.testing.assert_close(two_sequences(model, start, roams=True, land=land), flown, atol=1e-4, rtol=1e-3)


def test_in_training_the_autopilot_turns_to_land_as_in_flights(start: torch.Tensor) -> None:
    model = model_with()
    plain, leaning = (two_sequences(model, start, roams=True, land=land) for land in (0.0, 1.0))
    assert not torch.equal(plain, leaning)


def test_all_pictures_of_a_keyframe_are_refined_alike(start: torch.Tensor) -> None:
    """Also where a sequence begins at an odd step of its flight."""
    model, seen = model_with(keyframe_every=2, mirror=True), []
    courses = torch.from_numpy(Autopilot(LENS).course)[None]
    batch = sequence(start, start, 3, roams=False, courses=courses)
    refine = model.refine

    def watched(rendered: torch.Tensor, *others: object) -> torch.Tensor:
        seen.append(rendered)
        return refine(rendered, *others)  # type: ignore[arg-type]

    model.refine = watched  # type: ignore[method-assign]
    with torch.no_grad():
        flown = roll_out(model, batch, model.encode(start[None])[0], model.normalise())
    turned = [not torch.equal(shown, flown.rendered[:, k]) for k, shown in enumerate(seen)]
    assert turned == [True, True, False, False]


def test_recorded_renders_are_the_flights_own_until_it_paints_a_keyframe(start: torch.Tensor) -> None:
    model = model_with(keyframe_every=2)
    batch = sequence(start, start, 0, roams=False, courses=torch.from_numpy(Autopilot(LENS).course)[None])
    batch = replace(batch, rgbd=batch.rgbd * torch.tensor([1.0, 0.9, 0.8, 0.7, 0.6]).view(1, -1, 1, 1, 1))
    with torch.no_grad():
        flown = roll_out(model, batch, model.encode(start[None])[0], model.normalise()).rendered
        lenses = batch.intrinsics[:, 0]
        third, _ = model.render(batch.rgbd[:, 2], batch.poses[:, 2], lenses, batch.poses[:, 3], lenses)
    recorded = recorded_renders(model, batch)
    assert torch.equal(recorded[:, :2], flown[:, :2])
    assert not torch.equal(recorded[:, 2:], flown[:, 2:])
    assert torch.equal(recorded[:, 2], third)


def test_noise_goes_into_what_is_refined_and_not_into_what_is_rendered(start: torch.Tensor) -> None:
    model = model_with()
    batch = sequence(start, start, 0, roams=False, courses=torch.from_numpy(Autopilot(LENS).course)[None])
    noise = torch.zeros(1, STEPS, 4, 32, 64)
    noise[:, 1] = 0.1 * torch.randn(4, 32, 64)
    with torch.no_grad():
        style, kernels = model.encode(start[None])[0], model.normalise()
        clean, noisy = (roll_out(model, batch, style, kernels, added=each) for each in (None, noise))
    same = [torch.equal(clean.refined[:, k], noisy.refined[:, k]) for k in range(STEPS)]
    assert same == [True, False, False, False]
    assert torch.equal(clean.rendered[:, 1], noisy.rendered[:, 1])


def test_settings_of_the_flight_matter(start: torch.Tensor) -> None:
    flights = [
        two_sequences(model_with(keyframe_every=every, mirror=mirror), start, roams=False)
        for every, mirror in ((1, False), (2, False), (2, True))
    ]
    for a, b in ((0, 1), (1, 2)):
        assert (flights[a] - flights[b])[2:].abs().mean() > 1e-4
    assert torch.equal(flights[1][:2], flights[2][:2])  # mirrored from the second keyframe on only
