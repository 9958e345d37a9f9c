"""What `flythrough fly` writes beside its video: loops, disparity, camera files, and the path with its points."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from flythrough.errors import InputError
from flythrough.media.video_reader import frames
from flythrough.scene.cameras import read_cameras
from flythrough.scene.geometry import default_intrinsics, identity_pose
from flythrough.train.fly.from_photo import Start, film, plan_flight
from flythrough.train.fly.outputs import Outputs, color_disparity, format_tum, record
from flythrough.train.fly.path_file import PATH_COLOR, PathPoints, format_glb, format_ply
from flythrough.train.model.network import InfiniteNature

LENS = default_intrinsics(32, 64)


def pose_at(x: float, y: float, z: float) -> np.ndarray:
    """A camera at that place that looks along +z."""
    return np.hstack([np.eye(3), [[-x], [-y], [-z]]])


def points() -> PathPoints:
    """Two places, 0 and (1, 2, 3); the first sees a red wall at depth 2, right of its middle column."""
    collected = PathPoints(LENS, identity_pose())
    disparity = np.zeros((32, 64), np.float32)
    disparity[:, 40:] = 0.5
    collected.add(np.full((32, 64, 3), (200, 10, 20), np.uint8), disparity, identity_pose())
    collected.add(np.zeros((32, 64, 3), np.uint8), disparity, pose_at(1, 2, 3))
    return collected


def test_one_flight_fills_every_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = InfiniteNature(32, 64, base_width=2, style_size=8, max_sobel=0.6).eval()
    rgbd = np.random.default_rng(0).uniform(0.1, 0.9, (4, 32, 64)).astype(np.float32)
    names = ("f.gif", "d.mp4", "p.txt", "p.tum", "p.glb")
    files = [tmp_path / "new" / name for name in names]
    outputs = Outputs(*files)
    outputs.check()
    start = Start(rgbd, LENS, "test")
    film(model, start, plan_flight("straight", start, 0.3), outputs, steps=3, fps=10)
    with Image.open(files[0]) as loop:
        assert (loop.n_frames, loop.info["loop"], loop.info["duration"], loop.size) == (4, 0, 100, (64, 32))
    assert len(list(frames(files[1]))) == 4
    cameras = read_cameras(files[2])
    np.testing.assert_allclose(cameras.poses[:, 2, 3], [0, -0.3, -0.6, -0.9])
    assert cameras.timestamps_us.tolist() == [0, 100_000, 200_000, 300_000]
    tum = np.loadtxt(files[3])
    np.testing.assert_allclose(tum[:, 3], [0, 0.3, 0.6, 0.9], atol=1e-8)
    assert files[4].read_bytes()[:4] == b"glTF"


def test_a_webp_loop_holds_its_frames_in_order(tmp_path: Path) -> None:
    with record(Outputs(tmp_path / "f.webp"), LENS, 20, identity_pose()) as recorder:
        for red in (0.0, 0.5, 1.0):
            rgbd = torch.zeros(4, 32, 64)
            rgbd[0] = red
            recorder.add(rgbd, identity_pose())
    with Image.open(tmp_path / "f.webp") as loop:
        seen = []
        for index in range(loop.n_frames):
            loop.seek(index)
            seen.append(np.asarray(loop.convert("RGB"))[16, 32, 0])
    np.testing.assert_allclose(seen, [0, 128, 255], atol=12)


def test_an_interrupted_flight_leaves_whole_files(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "f.gif", poses=tmp_path / "p.txt", path=tmp_path / "p.ply")

    def interrupted() -> None:
        with record(outputs, LENS, 20, identity_pose()) as recorder:
            recorder.add(torch.full((4, 32, 64), 0.5), identity_pose())
            recorder.add(torch.full((4, 32, 64), 0.7), pose_at(0, 0, 1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with Image.open(tmp_path / "f.gif") as loop:
        assert loop.n_frames == 2
    assert len(read_cameras(tmp_path / "p.txt")) == 2
    assert (tmp_path / "p.ply").read_bytes().startswith(b"ply")


def test_points_lie_where_the_picture_shows_them() -> None:
    path, places, colors = points().arrays()
    np.testing.assert_allclose(path, [[0, 0, 0], [1, 2, 3]])
    assert len(places) > 100
    np.testing.assert_allclose(places[:, 2], 2.0)
    assert places[:, 0].min() > 0  # right of the middle is +x
    assert (places[:, 1] < 0).any()
    assert (places[:, 1] > 0).any()
    assert (colors == (200, 10, 20)).all()


def test_points_are_in_the_axes_of_the_take_off() -> None:
    collected = PathPoints(LENS, pose_at(5, 0, 0))
    collected.add(np.zeros((32, 64, 3), np.uint8), np.full((32, 64), 0.5, np.float32), pose_at(5, 0, 0))
    path, places, _ = collected.arrays()
    np.testing.assert_allclose(path, [[0, 0, 0]])
    assert abs(places[:, 0].mean()) < 0.2


def test_the_glb_is_what_its_header_says() -> None:
    path, places, colors = points().arrays()
    data = format_glb(path, places, colors)
    magic, version, length = struct.unpack("<4sII", data[:12])
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack("<II", data[12:20])
    assert (size % 4, kind) == (0, 0x4E4F534A)
    scene = json.loads(data[20 : 20 + size])
    body = data[28 + size :]
    assert scene["buffers"][0]["byteLength"] == len(body) == 16 * (len(path) + len(places))
    line, cloud = scene["meshes"][0]["primitives"]
    assert (line["mode"], cloud["mode"]) == (3, 0)
    place = scene["accessors"][cloud["attributes"]["POSITION"]]
    there = np.frombuffer(body, "<f4", 3 * place["count"], place["byteOffset"]).reshape(-1, 3)
    np.testing.assert_array_equal(there, places)
    np.testing.assert_allclose(place["max"], places.max(0))


def test_the_ply_holds_path_points_and_edges() -> None:
    path, places, colors = points().arrays()
    header, _, body = format_ply(path, places, colors).partition(b"end_header\n")
    count = len(path) + len(places)
    assert f"element vertex {count}".encode() in header
    assert len(body) == 15 * count + 8
    assert struct.unpack("<3f3B", body[15:30]) == (1, 2, 3, *PATH_COLOR)
    assert struct.unpack("<2i", body[-8:]) == (0, 1)


def test_tum_is_world_from_camera() -> None:
    turn = np.array([[0.0, 0, -1, 0], [0, 1, 0, 0], [1, 0, 0, -2]])  # looks along +x from (2, 0, 0)
    line = format_tum(np.array([1_500_000]), turn[None]).splitlines()[1]
    values = [float(v) for v in line.split()]
    np.testing.assert_allclose(values[:4], [1.5, 2, 0, 0], atol=1e-8)
    half = np.sqrt(0.5)
    np.testing.assert_allclose(np.abs(values[4:]), [0, half, 0, half], atol=1e-8)
    assert values[5] * values[7] > 0  # +90 degrees about +y takes +z to +x


def test_near_is_red_and_far_is_blue() -> None:
    far, near = color_disparity(np.array([[0.1, 0.95]], np.float32))[0]
    assert far[2] > far[0]
    assert near[0] > near[2]


@pytest.mark.parametrize(
    "outputs",
    [
        Outputs(Path("f.png")),
        Outputs(Path("f.mp4"), disparity=Path("d.txt")),
        Outputs(Path("f.mp4"), path=Path("p.obj")),
        Outputs(Path("f.mp4"), disparity=Path("f.mp4")),
    ],
)
def test_a_file_name_of_no_known_kind_is_refused(outputs: Outputs) -> None:
    with pytest.raises(InputError):
        outputs.check()
