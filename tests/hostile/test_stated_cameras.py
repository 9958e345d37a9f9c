"""Cameras that come with handed-in frames: wrong, missing, frozen, too fast, into the ground."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flythrough.evaluate.following.stated import MIN_SPEED, first_crossing
from flythrough.evaluate.generation.generate import generate
from flythrough.evaluate.methods.baselines import Layered
from flythrough.evaluate.methods.registry import Spec, find_specs
from flythrough.evaluate.protocols.build import Choices, build_from_workspace
from flythrough.evaluate.protocols.source import Source
from flythrough.evaluate.scoring.per_flight import made_flights, measure_flights
from flythrough.evaluate.scoring.score import check_flights, expected_flights
from flythrough.evaluate.scoring.tally import Settings, Tally
from flythrough.media.image_files import write_image
from flythrough.results.methods import Setting
from flythrough.scene.autopilot import Autopilot
from flythrough.scene.cameras import read_cameras, write_cameras
from flythrough.scene.geometry import camera_center, default_intrinsics
from flythrough.scene.known_ground import start_surface
from flythrough.scene.plans import FixedFlight
from flythrough.workspace.catalog import Workspace
from tests.clip_factory import SPEED, make_workspace

STEPS = 8
CHOICES = Choices(steps=STEPS, view_steps=(2,), starts_per_clip=1, sfm_flights=0)
SETTING = Setting("workspace-v1", 64, 96, STEPS)
Change = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("stated") / "w", clips=3, frames=8, splits=("test",))


@pytest.fixture(scope="module")
def source(workspace: Workspace) -> Source:
    return Source(build_from_workspace(workspace, CHOICES), workspace)


@pytest.fixture(scope="module")
def honest(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(find_specs(["layered"])[0], source, tmp_path_factory.mktemp("honest"), SETTING, 100)


@pytest.fixture
def frames(honest: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(honest, tmp_path / "frames"))


def judge(source: Source, frames: Path) -> Tally:
    """The result of scoring the flights of a frames folder."""
    tally = Tally(Settings(replicates=20))
    found = check_flights(frames, expected_flights(source), 64, 96)
    measure_flights(source, made_flights(source, found, frames), tally)
    return tally


def files(source: Source, frames: Path) -> list[Path]:
    return [frames / "generation" / start.id / "cameras.txt" for start in source.protocol.generation_starts()]


def restate(file: Path, change: Change) -> None:
    """Hand in other cameras: ``change`` is given camera centres ``[n, 3]`` in the start camera's frame."""
    cameras = read_cameras(file)
    start = cameras.poses[0]
    centers = change((camera_center(cameras.poses) - camera_center(start)) @ start[:, :3].T)
    world = centers @ start[:, :3] + camera_center(start)
    poses = np.concatenate([cameras.poses[:, :, :3], -cameras.poses[:, :, :3] @ world[:, :, None]], 2)
    write_cameras(file, type(cameras)(cameras.url, cameras.timestamps_us, cameras.intrinsics, poses))


def ahead(steps: np.ndarray) -> np.ndarray:
    """Centres that move along the view axis by these lengths."""
    return np.concatenate([np.zeros(1), np.cumsum(steps)])[:, None] * np.array([0.0, 0.0, 1.0])


def once_fast(centers: np.ndarray) -> np.ndarray:
    return ahead(np.where(np.arange(STEPS) == 3, 3.0, 1.0) * SPEED)


def down(centers: np.ndarray) -> np.ndarray:
    """Through the ground, which is 0.5 below, where the start frame still shows it."""
    return np.arange(STEPS + 1)[:, None] * SPEED * np.array([0.0, 0.35, 0.93])


WRONG: dict[str, tuple[Change, str]] = {
    "frozen": (lambda centers: 0 * centers, "moves its camera at 0.00 of the protocol's speed at step 1"),
    "too slow": (lambda centers: 0.3 * centers, "of the protocol's speed"),
    "too fast": (lambda centers: 1.2 * centers, "of the protocol's speed"),
    "too fast once": (once_fast, "moves its camera at 3.00 of the protocol's speed at step 4"),
    "elsewhere": (lambda centers: centers + np.array([0.0, -9.0, 0.0]), "starts 9 scene units and 0 degrees"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_stated_camera_that_the_protocol_does_not_allow_counts_against(
    source: Source, frames: Path, what: str
) -> None:
    change, says = WRONG[what]
    for file in files(source, frames):
        restate(file, change)
    tally = judge(source, frames)
    assert tally.follows_camera is False
    assert says in (tally.follow_note or "")


def test_frames_that_show_a_flight_into_the_ground_count_against(source: Source, frames: Path) -> None:
    for start, file in zip(source.protocol.generation_starts(), files(source, frames), strict=True):
        restate(file, down)
        flight = FixedFlight(read_cameras(file).poses)
        made = Layered().generate(source.rgbd(start), source.intrinsics(start), flight, 0)
        for step, frame in zip(range(1, STEPS + 1), made, strict=False):
            write_image(file.parent / f"{step:06d}.png", frame)
    tally = judge(source, frames)
    assert all(each["follow_correlation"] > 0.5 for each in tally.starts.values())  # they do show it
    assert tally.follows_camera is False
    assert "flies through the surface that the start frame shows, at step" in (tally.follow_note or "")


def test_ahead_and_a_little_slower_is_allowed(source: Source, frames: Path) -> None:
    """The same through the same door: the objections above are not raised by the door itself."""
    for file in files(source, frames):
        restate(file, lambda centers: 0.99 * centers)
    assert judge(source, frames).follows_camera is True


MANGLED = {
    "a line short": (lambda text: "\n".join(text.splitlines()[:-1]), "states 8 cameras, not 9"),
    "no numbers": (lambda text: text.replace("0", "x"), "cannot be read"),
    "nan": (lambda text: text.rsplit(" ", 1)[0] + " nan\n", "cannot be read"),
    "binary": (lambda text: "\x00\udcff" * 99, "cannot be read"),
    "a mirror": (lambda text: _scaled(text, -1.0), "not rotations"),
    "a stretch": (lambda text: _scaled(text, 1.1), "not rotations"),
    "empty": (lambda text: "", "states 0 cameras"),
}


def _scaled(text: str, factor: float) -> str:
    url, *lines = text.splitlines()
    rows = [line.split() for line in lines]
    return "\n".join([url, *(" ".join([*r[:7], *(f"{factor * float(v)}" for v in r[7:])]) for r in rows)])


@pytest.mark.parametrize("what", MANGLED)
def test_cameras_that_are_none_count_against(source: Source, frames: Path, what: str) -> None:
    change, says = MANGLED[what]
    for file in files(source, frames):
        file.write_text(change(file.read_text()), encoding="utf-8", errors="surrogateescape")
    tally = judge(source, frames)
    assert tally.follows_camera is False
    assert says in (tally.follow_note or "")


def test_missing_cameras_are_counted_and_no_mean_is_taken_over_the_rest(source: Source, frames: Path) -> None:
    first, second, _ = files(source, frames)
    first.unlink()
    tally = judge(source, frames)
    assert tally.follows_camera is True  # two of three
    note = {value.metric: (value.value, value.note) for value in tally.values}["follow_correlation"]
    assert note == (None, "1 of 3 flights have no camera to be judged by")
    second.unlink()
    tally = judge(source, frames)
    assert (tally.follows_camera, tally.follow_note) == (False, "2 of 3 flights: the first states no camera")


def test_the_protocols_plan_decides_whatever_is_handed_in(workspace: Workspace, tmp_path: Path) -> None:
    """Frames that stand still, with cameras that stand still: the plan moves."""
    planned = Source(build_from_workspace(workspace, CHOICES.model_copy(update={"flight": "plan"})), workspace)
    frames = generate(find_specs(["layered"])[0], planned, tmp_path, SETTING, 100)
    for file in files(planned, frames):
        restate(file, lambda centers: 0 * centers)
    assert judge(planned, frames).follows_camera is True
    for file in files(planned, frames):
        still = (file.parent / "000001.png").read_bytes()
        for frame in file.parent.glob("*.png"):
            frame.write_bytes(still)
    assert judge(planned, frames).follows_camera is False


def test_a_command_cannot_state_other_cameras_than_it_was_given(source: Source, tmp_path: Path) -> None:
    script = tmp_path / "method.py"
    script.write_text(
        "import json, sys, pathlib, cv2, numpy as np\n"
        "request, frames = map(pathlib.Path, sys.argv[1:])\n"
        "for flight in json.loads((request / 'request.json').read_text())['flights']:\n"
        "    (frames / flight['id']).mkdir(parents=True)\n"
        "    for step in range(1, flight['steps'] + 1):\n"
        "        cv2.imwrite(str(frames / flight['id'] / f'{step:06d}.png'), np.zeros((64, 96, 3), 'uint8'))\n"
        "    (frames / flight['id'] / 'cameras.txt').write_text('mine\\n')\n"
    )
    spec = Spec(name="script", command=(sys.executable, str(script), "{request}", "{frames}"))
    for file in files(source, generate(spec, source, tmp_path / "out", SETTING, 100)):
        assert len(read_cameras(file)) == STEPS + 1


def test_the_autopilot_keeps_to_the_speed_that_is_checked() -> None:
    random = np.random.default_rng(0)
    pilot = Autopilot(default_intrinsics(64, 96), speed=SPEED)
    centers = [camera_center(pilot.pose)]
    for step in range(400):
        seen = np.zeros((64, 96))
        seen[:, :48] = 0.9 * (step // 20 % 2)
        seen[random.integers(64) :] = random.random()
        centers.append(camera_center(pilot.next_pose(seen)))
    shares = np.linalg.norm(np.diff(centers, axis=0), axis=1) / SPEED
    assert shares.min() > MIN_SPEED + 0.2
    assert shares.max() < 1 + 1e-9


def test_a_surface_is_met_only_where_it_is() -> None:
    """A wall 5 units ahead that fills the left half; the rest is sky."""
    disparity = np.zeros((64, 96))
    disparity[:, :48] = 0.2
    surface = start_surface(disparity, default_intrinsics(64, 96))
    left, right = np.array([-0.2, 0.0, 1.0]), np.array([0.2, 0.0, 1.0])
    steps = np.arange(20)[:, None] * 0.3
    assert first_crossing(steps * left, surface) == 17  # from 4.8 to 5.1
    assert first_crossing(steps[:17] * left, surface) is None
    assert first_crossing(steps * right, surface) is None
    assert first_crossing(-steps * left, surface) is None


def test_a_hill_may_be_flown_over_and_behind() -> None:
    """A hill 5 units ahead in the lower half, ground far behind it in two rows above: between them is a gap."""
    disparity = np.zeros((64, 96))
    disparity[32:], disparity[30:32] = 0.2, 0.05
    surface = start_surface(disparity, default_intrinsics(64, 96))
    over = np.array([[0, 0, 0], [0, -1.0, 3], [0, -1.0, 6], [0, 0.5, 8], [0, 0.5, 10]])
    assert first_crossing(over, surface) is None
    assert first_crossing(over * [1, -1, 1], surface) == 2
