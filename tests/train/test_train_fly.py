"""Flying from one picture: its inputs, its outputs, and that it never fails on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from flythrough.errors import InputError, MissingWeights
from flythrough.media.video_reader import frames
from flythrough.results.methods import Setting
from flythrough.scene.autopilot import Autopilot
from flythrough.scene.cameras import Cameras, write_cameras
from flythrough.scene.geometry import camera_center, compose, default_intrinsics, identity_pose
from flythrough.scene.plans import FixedFlight, straight
from flythrough.train.cli import fly as fly_command
from flythrough.train.fly.depth import ROUGH, photo_disparity
from flythrough.train.fly.depth_guess import NEAR, guess_disparity
from flythrough.train.fly.from_photo import Start, plan_flight, read_start
from flythrough.train.fly.method import InfiniteNatureMethod
from flythrough.train.fly.rollout import fly
from flythrough.train.model.native import RECORD, load_checkpoint, save_checkpoint
from flythrough.train.model.network import InfiniteNature, ground
from flythrough.train.model.sky import keep_sky
from tests.clip_factory import camera_path, make_world, view

MAIN = (sys.executable, "-c", "from flythrough.cli.app import main; main()")
LENS = default_intrinsics(32, 64)
START = Start(np.full((4, 32, 64), 0.5, np.float32), LENS, "test")


@pytest.fixture(scope="module")
def model() -> InfiniteNature:
    torch.manual_seed(0)
    return InfiniteNature(32, 64, base_width=2, style_size=8, max_sobel=0.6).eval()


@pytest.fixture(scope="module")
def checkpoint(model: InfiniteNature, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "checkpoint"
    save_checkpoint(folder, model, {"step": 3})
    return folder


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "coast.png"
    image, _ = view(make_world(3), camera_path(1, 1, 3)[0], default_intrinsics(120, 200), 120, 200)
    assert cv2.imwrite(str(path), image[..., ::-1])
    return path


def write_start(path: Path) -> Path:
    image, disparity = view(make_world(3), camera_path(1, 1, 3)[0], LENS, 32, 64)
    rgbd = np.concatenate([image / 255, np.clip(disparity, 0, 1)[..., None]], -1).astype(np.float32)
    np.savez(path, rgbd=rgbd, intrinsics=LENS.astype(np.float32))
    return path


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*MAIN, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_a_flight_is_the_loop_of_the_method(model: InfiniteNature, tmp_path: Path) -> None:
    start = read_start(write_start(tmp_path / "start.npz"), 32, 64)
    first = torch.from_numpy(start.rgbd)
    flown = list(fly(model, first, start.intrinsics, straight(speed=0.2), 3))
    lens = torch.as_tensor(start.intrinsics, dtype=torch.float32)[None]
    here, there = (torch.as_tensor(identity_pose(), dtype=torch.float32)[None].clone() for _ in "ab")
    there[:, 2, 3] = -0.2
    with torch.no_grad():
        style = model.encode(first[None])[0]
        rgbd = first[None]
        for picture in flown:
            rgbd = model.step(rgbd, here, there, lens, style)
            torch.testing.assert_close(picture, rgbd[0], atol=1e-5, rtol=1e-4)


def test_the_autopilot_sees_the_disparity_of_the_picture_at_its_pose(model: InfiniteNature, tmp_path: Path) -> None:
    start = read_start(write_start(tmp_path / "start.npz"), 32, 64)
    shown: list[np.ndarray] = []

    class Watched(Autopilot):
        def next_pose(self, disparity: np.ndarray, steer: tuple[float, float] = (0, 0)) -> np.ndarray:
            shown.append(disparity)
            return super().next_pose(disparity, steer)

    flown = list(fly(model, torch.from_numpy(start.rgbd), start.intrinsics, Watched(start.intrinsics), 2))
    np.testing.assert_array_equal(shown[0], start.rgbd[3])
    np.testing.assert_array_equal(shown[1], flown[0][3].numpy())


@pytest.mark.parametrize("mirror", [False, True])
def test_pictures_are_rendered_from_the_last_keyframe(model: InfiniteNature, tmp_path: Path, mirror: bool) -> None:
    start = read_start(write_start(tmp_path / "start.npz"), 32, 64)
    first = torch.from_numpy(start.rgbd)
    flyer = InfiniteNature(32, 64, base_width=2, style_size=8, max_sobel=0.6, keyframe_every=2, mirror=mirror).eval()
    flyer.load_state_dict(model.state_dict())
    flown = list(fly(flyer, first, start.intrinsics, straight(speed=0.2), 4))
    lens = torch.as_tensor(start.intrinsics, dtype=torch.float32)[None]
    home = torch.eye(3, 4)[None]

    def at(distance: float) -> torch.Tensor:
        pose = home.clone()
        pose[:, 2, 3] = -distance
        return pose

    def flip(rendered: torch.Tensor) -> torch.Tensor:
        return rendered.flip(-1) if mirror else rendered

    with torch.no_grad():
        style = model.encode(first[None])[0]
        for picture, distance in zip(flown[:2], (0.2, 0.4), strict=True):
            torch.testing.assert_close(picture, model.step(first[None], home, at(distance), lens, style)[0])
        for picture, distance in zip(flown[2:], (0.2, 0.4), strict=True):
            rendered, mask = map(flip, model.render(flown[1][None], home, lens, at(distance), lens))
            refined = flip(ground(model.refine(rendered, mask, style), rendered, mask))
            torch.testing.assert_close(picture, refined[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_real_start_images_fly_on_and_on(shared_data: Path, model: InfiniteNature, number: int) -> None:
    start = read_start(shared_data / "real" / f"start_{number}.npz", 32, 64)
    flight = Autopilot(start.intrinsics)
    count = 0
    for rgbd in fly(model, torch.from_numpy(start.rgbd), start.intrinsics, flight, 500):
        count += 1
        assert torch.isfinite(rgbd).all()
        assert 0 <= rgbd.min() <= rgbd.max() <= 1
    assert count == 500
    assert np.isfinite(flight.pose).all()


def test_a_picture_of_another_size_flies_at_the_models_size_and_comes_back_at_its_own(model: InfiniteNature) -> None:
    (picture,) = fly(model, torch.rand(4, 48, 80), LENS, straight(), 1)
    assert picture.shape == (4, 48, 80)


def test_the_command_films_a_flight(tmp_path: Path, checkpoint: Path, photo: Path) -> None:
    for start, words in ((write_start(tmp_path / "start.npz"), ""), (photo, ROUGH)):
        video = tmp_path / f"{start.stem}.mp4"
        done = run("fly", start, "-o", video, "--steps", 4, "--checkpoint", checkpoint)
        assert done.returncode == 0, done.stderr
        assert words in done.stderr
        assert "4 steps" in done.stdout
        assert len(list(frames(video))) == 5
    assert next(frames(video)).image.shape == (32, 64, 3)


def test_a_flight_cut_short_is_a_film_that_plays(tmp_path: Path, checkpoint: Path) -> None:
    video = tmp_path / "cut.mp4"
    start = write_start(tmp_path / "start.npz")
    command = [*MAIN, "fly", str(start), "-o", str(video), "--steps", "100000"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, "--checkpoint", str(checkpoint)], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        while not (video.exists() and video.stat().st_size > 2000):
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        message = process.communicate()[1]
    assert process.returncode == 130
    assert "plays up to there" in message
    assert len(list(frames(video))) > 1


@pytest.mark.parametrize(
    ("start", "options", "message"),
    [
        ("missing.png", {}, "is not a file"),
        ("photo", {"output": "flight.png"}, "MP4"),
        ("photo", {"plan": "loop"}, "flight plan"),
        ("photo", {"depth": "sonar"}, "depth provider"),
        ("text.jpg", {}, "picture that can be read"),
        ("odd.npz", {}, "rgbd"),
        ("bare.npz", {}, "rgbd"),
    ],
)
def test_what_cannot_be_flown_is_refused_with_a_reason(
    tmp_path: Path, checkpoint: Path, photo: Path, start: str, options: dict[str, str], message: str
) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    np.savez(tmp_path / "odd.npz", rgbd=np.full((8, 8, 4), np.nan, np.float32))
    np.savez(tmp_path / "bare.npz", image=np.zeros((8, 8, 3)))
    output = tmp_path / options.pop("output", "flight.mp4")
    with pytest.raises(InputError, match=message):
        fly_command(photo if start == "photo" else tmp_path / start, output, 2, [checkpoint], device="cpu", **options)
    assert not output.exists()


def test_a_network_asked_for_by_name_is_never_replaced(
    landscape: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYTHROUGH_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeights, match="midas"):
        photo_disparity(landscape, "midas")


def test_a_networks_nearest_ground_is_as_near_as_a_guessed_one(
    landscape: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    inverse = np.linspace(-3, 40, landscape[..., 0].size, dtype=np.float32).reshape(landscape.shape[:2])
    monkeypatch.setattr("flythrough.networks.depth.load", lambda name, device: lambda image: inverse)
    disparity, source = photo_disparity(landscape, "midas")
    assert (source, disparity.min(), disparity.max()) == ("midas", 0, pytest.approx(NEAR))


def test_plans_go_where_they_say(tmp_path: Path) -> None:
    ahead = plan_flight("straight", START, 0.3)
    assert ahead.next_pose(np.zeros((2, 2)))[2, 3] == pytest.approx(-0.3)
    poses = camera_path(3, 1, 0)
    file = tmp_path / "cameras.txt"
    write_cameras(file, Cameras("x", np.arange(3) * 1000, np.tile(LENS, (3, 1)), poses))
    follow = plan_flight(str(file), START)
    np.testing.assert_allclose(follow.next_pose(np.zeros((2, 2))), poses[1])


@pytest.mark.parametrize("plan", ["autopilot", "straight", "orbit", "file"])
def test_every_plan_flies_at_the_speed_asked_for(plan: str, tmp_path: Path) -> None:
    if plan == "file":
        plan = str(tmp_path / "cameras.txt")
        write_cameras(Path(plan), Cameras("x", np.arange(3) * 1000, np.tile(LENS, (3, 1)), camera_path(3, 1, 0)))
    for speed in (0.02, 0.04):
        flight = plan_flight(plan, START, speed)
        before = camera_center(flight.pose)
        assert np.linalg.norm(camera_center(flight.next_pose(np.zeros((2, 2)))) - before) == pytest.approx(speed, 0.02)


def test_an_orbit_that_would_be_a_blur_is_refused() -> None:
    with pytest.raises(InputError, match="blur"):
        plan_flight("orbit", START, 0.2)


def test_a_checkpoint_comes_back_whole_and_one_that_does_not_fit_is_refused(
    model: InfiniteNature, checkpoint: Path, tmp_path: Path
) -> None:
    again = load_checkpoint(checkpoint)
    assert again.config == model.config
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))
    wider = tmp_path / "wider"
    save_checkpoint(wider, InfiniteNature(32, 64, base_width=4, style_size=8), {})
    (wider / RECORD).write_bytes((checkpoint / RECORD).read_bytes())
    with pytest.raises(InputError, match="another model"):
        load_checkpoint(wider)
    with pytest.raises(InputError, match="not a checkpoint"):
        load_checkpoint(tmp_path)


def test_the_method_yields_a_frame_a_step(checkpoint: Path) -> None:
    method = InfiniteNatureMethod()
    with pytest.raises(InputError, match="checkpoint"):
        method.setup(Setting("p", 48, 80, 3))
    method.setup(Setting("p", 48, 80, 3, checkpoint=checkpoint))
    start = np.random.default_rng(0).random((4, 48, 80)).astype(np.float32)
    pictures = list(method.generate(start, LENS, Autopilot(LENS), seed=1))
    assert [(p.shape, p.dtype) for p in pictures] == [((48, 80, 3), np.uint8)] * 3


@pytest.fixture
def landscape() -> np.ndarray:
    """Sky above row 40 (a hill to row 25 on the right), then textured ground."""
    random = np.random.default_rng(0)
    image = np.empty((120, 200, 3), np.uint8)
    image[:] = (130, 180, 235)
    ground = np.arange(120)[:, None] >= np.where(np.arange(200) > 150, 25, 40)[None]
    image[ground] = (60 + 60 * random.random((ground.sum(), 1)) + [20, 30, 0]).astype(np.uint8)
    return image


def test_the_rough_guess_finds_the_sky_and_brings_the_ground_nearer_downwards(landscape: np.ndarray) -> None:
    guess = guess_disparity(landscape)
    assert guess.horizon == pytest.approx(40 / 120, abs=0.03)
    assert guess.disparity[:20].max() < 0.02
    assert guess.disparity[30:, 170].min() > 0.05  # the hill is no sky
    assert guess.disparity[36, 20] < 0.02 < 0.05 < guess.disparity[60, 20] < 0.5 < guess.disparity[118, 20] <= 1
    assert guess.disparity.shape == landscape.shape[:2]
    assert guess.disparity[118].max() == pytest.approx(NEAR, abs=0.05)


def test_without_a_network_the_disparity_is_called_rough(
    landscape: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYTHROUGH_WEIGHTS", str(tmp_path))
    assert photo_disparity(landscape)[1] == ROUGH


def test_a_photo_is_cropped_to_the_models_shape_and_keeps_its_lens(photo: Path) -> None:
    start = read_start(photo, 32, 64, "rough")  # 200 x 120 is cropped to 200 x 100
    assert start.rgbd.shape == (4, 32, 64)
    np.testing.assert_allclose(start.intrinsics, [0.8, 1.6, 0.5, 0.5], atol=1e-6)
    whole = cv2.cvtColor(cv2.imread(str(photo)), cv2.COLOR_BGR2RGB)
    wanted = cv2.resize(whole[10:110], (64, 32), interpolation=cv2.INTER_AREA) / 255
    np.testing.assert_allclose(start.rgbd[:3].transpose(1, 2, 0), wanted, atol=0.01)


def test_a_model_says_whether_its_flights_keep_the_sky(
    model: InfiniteNature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flythrough.train.model.sky.SKY_DISPARITY", 4.0)  # all is sky
    start = torch.rand(4, 32, 64, generator=torch.Generator().manual_seed(0))
    keeps = InfiniteNature(32, 64, base_width=2, style_size=8, max_sobel=0.6, sky=True).eval()
    keeps.load_state_dict(model.state_dict())
    save_checkpoint(tmp_path / "model", keeps, {"step": 0})

    def flown(flyer: InfiniteNature, sky: bool | None) -> torch.Tensor:
        return next(fly(flyer, start, LENS, Autopilot(LENS, identity_pose()), 1, sky=sky))

    own = flown(load_checkpoint(tmp_path / "model"), None)
    assert torch.equal(own, flown(model, True))
    assert torch.equal(flown(keeps, False), flown(model, None))
    assert not torch.equal(own, flown(model, None))


def turned(angle: float) -> torch.Tensor:
    """The camera at home that looks ``angle`` radians to the right, ``[1, 3, 4]``."""
    pose = np.eye(3, 4)
    pose[:, :3] = [[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]]
    return torch.as_tensor(compose(pose, identity_pose()), dtype=torch.float32)[None]


def test_the_sky_stays_where_it_was_when_the_camera_turns() -> None:
    height, width = 32, 64
    lens = torch.as_tensor(LENS, dtype=torch.float32)[None]
    start = torch.zeros(1, 4, height, width)
    start[:, 0] = torch.linspace(0, 1, width)  # red grows to the right
    start[:, 3, 20:] = 0.5  # ground
    painted = torch.full_like(start, 0.3)
    painted[:, 3, :20] = 0.0
    turn = 0.2  # radians to the right: what was right of the middle is now in the middle
    kept = keep_sky(painted, start, turned(turn), lens)
    assert kept[0, 0, 5, width // 2] == pytest.approx(0.5 + 0.8 * np.tan(turn), abs=0.03)
    assert torch.equal(kept[:, :, 20:], painted[:, :, 20:])  # the ground is the model's
    edge = int(kept[0, 0, 5].argmax())  # beyond what was seen, its mirror image
    assert edge < width - 4
    assert kept[0, 0, 5, edge + 3] == pytest.approx(float(kept[0, 0, 5, edge - 3]), abs=0.06)


def test_the_sky_is_turned_as_exactly_in_half_precision(model: InfiniteNature, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flythrough.train.model.sky.SKY_DISPARITY", 4.0)  # all is sky: what is painted does not matter
    start = torch.rand(4, 32, 64, generator=torch.Generator().manual_seed(0))

    def turning(bf16: bool) -> torch.Tensor:
        flight = FixedFlight(np.stack([identity_pose(), turned(0.3)[0].double().numpy()]))
        return next(fly(model, start, LENS, flight, 1, bf16=bf16, sky=True))

    above = slice(0, 24)  # the lowest corners lie below the start picture
    torch.testing.assert_close(turning(True)[:, above], turning(False)[:, above], atol=1e-5, rtol=0)


@pytest.mark.parametrize("degrees", [30, 90, 180, 270])
def test_there_is_the_starts_sky_all_round(degrees: int) -> None:
    lens = torch.as_tensor(LENS, dtype=torch.float32)[None]
    start = torch.full((1, 4, 32, 64), 0.8)
    start[:, 3, :20], start[:, 3, 20:] = 0.0, 0.5
    painted = torch.full_like(start, 0.2)
    painted[:, 3, :12] = 0.0
    kept = keep_sky(painted, start, turned(np.radians(degrees)), lens)
    torch.testing.assert_close(kept[:, :, :12], start[:, :, :12])
    assert torch.equal(kept[:, :, 20:], painted[:, :, 20:])


def test_what_has_the_skys_colour_is_sky_and_nothing_hangs_in_it() -> None:
    lens, home = torch.as_tensor(LENS, dtype=torch.float32)[None], torch.eye(3, 4)[None]
    start = torch.full((1, 4, 32, 64), 0.8)
    start[:, 3, :20], start[:, 3, 20:] = 0.0, 0.5  # sky above ground
    painted = torch.full_like(start, 0.2)  # of another colour, and near
    painted[:, :3, 8:16] = 0.78  # nearly the sky's colour, though near
    kept = keep_sky(painted, start, home, lens)
    torch.testing.assert_close(kept[:, :, :16], start[:, :, :16])  # with the arch above it
    assert torch.equal(kept[:, :, 16:], painted[:, :, 16:])  # land that stands on the ground stays
    painted[:, :3, 8:16] = 0.5  # another colour
    assert torch.equal(keep_sky(painted, start, home, lens), painted)
