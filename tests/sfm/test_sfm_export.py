"""Each export is read back by the library that it is meant for."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from flythrough.errors import DiskError, InputError
from flythrough.media.frame_hashes import hashes_file, read_frame_hashes
from flythrough.media.perceptual_hash import picture_hash
from flythrough.scene.cameras import read_cameras
from flythrough.scene.clips import Clip, load_clips
from flythrough.scene.geometry import crop_intrinsics, invert, project, transform
from flythrough.sfm.crop import box_of
from flythrough.sfm.export.command import export_command
from flythrough.sfm.export.door import FORMATS, ExportClip, export
from flythrough.sfm.export.pixelsplat import cover_box, fit
from flythrough.sfm.export.realestate10k import write
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import sha256_of_folder
from tests.clip_factory import make_workspace

POINT = np.array([[1.0, 0.0, 4.0]])  # right of the first camera's axis, world units
TRAJECTORY = {
    "points": np.array([[1.0, -0.5, 4.0], [0.0, 0.0, 6.0]]),
    "colors": np.array([[255, 0, 9], [1, 2, 3]], np.uint8),
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    found = make_workspace(tmp_path_factory.mktemp("export"), clips=3, frames=5, height=48, width=64)
    np.savez(load_clips(found)[0].folder / "trajectory.npz", **TRAJECTORY)  # type: ignore[arg-type]
    return found


@pytest.fixture
def clip(workspace: Workspace) -> Clip:
    return load_clips(workspace)[0]


def projected(clip: Clip, frame: int) -> np.ndarray:
    """Where a clip's camera sees the point, in pixels of its frames."""
    camera = clip.cameras
    xy, _ = project(camera.intrinsics[frame], transform(camera.poses[frame], POINT))
    return xy[0] * [clip.width, clip.height]


def test_realestate10k_round_trip(workspace: Workspace, clip: Clip, tmp_path: Path) -> None:
    export(workspace, "realestate10k", tmp_path / "out")
    there = read_cameras(tmp_path / "out" / "train" / f"{clip.id}.txt")
    assert there.url == clip.cameras.url
    assert np.array_equal(there.timestamps_us, clip.cameras.timestamps_us)
    assert abs(there.poses - clip.cameras.poses).max() <= 1e-9
    assert abs(there.intrinsics - clip.cameras.intrinsics).max() <= 1e-9
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["export.json", "test", "train"]


def test_realestate10k_hashes_its_frames(workspace: Workspace, clip: Clip, tmp_path: Path) -> None:
    export(workspace, "realestate10k", tmp_path / "out")
    found = read_frame_hashes(hashes_file(tmp_path / "out" / "train" / f"{clip.id}.txt"))
    assert found.box == (0.0, 0.0, 1.0, 1.0)
    assert np.array_equal(found.times_us, clip.cameras.timestamps_us)
    assert found.hashes.tolist() == [picture_hash(clip.frame(frame)) for frame in range(len(clip))]


def test_realestate10k_cameras_are_of_the_whole_picture_unless_frames_are_written(clip: Clip, tmp_path: Path) -> None:
    shot = {"crop_left": 0, "crop_top": 12, "crop_right": 64, "crop_bottom": 60, "camera_file": None}
    row = {"id": "barred", "split": "train", "width": 64, "height": 48}
    given = ExportClip(row, clip.cameras, None, None, clip, box_of(shot, 64, 72))
    write([given], tmp_path / "cameras", False)
    whole = read_cameras(tmp_path / "cameras/train/barred.txt")
    for frame in range(len(clip)):
        there, _ = project(whole.intrinsics[frame], transform(whole.poses[frame], POINT))
        assert there[0] * [64, 72] == pytest.approx(projected(clip, frame) + np.array([0, 12]))
    assert read_frame_hashes(tmp_path / "cameras/train/barred.hashes.json").box == (0, 12 / 72, 1, 60 / 72)
    write([replace(given, pictures=clip)], tmp_path / "frames", True)
    assert np.array_equal(read_cameras(tmp_path / "frames/train/barred.txt").intrinsics, clip.cameras.intrinsics)


def test_the_box_of_given_cameras_is_around_the_middle() -> None:
    shot = {"crop_left": 10, "crop_top": 0, "crop_right": 100, "crop_bottom": 45}
    assert box_of({**shot, "camera_file": None}, 100, 50) == (0.1, 0, 1, 0.9)
    assert box_of({**shot, "camera_file": "a.txt"}, 100, 50) == (0.1, 0.1, 0.9, 0.9)


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "pixelsplat"])
def test_no_frames_unless_asked_for(workspace: Workspace, tmp_path: Path, format: str) -> None:
    export(workspace, format, tmp_path / "out")
    for file in (tmp_path / "out").rglob("*"):
        assert file.suffix not in (".png", ".jpg")
        if file.is_file():
            assert b"\x89PNG" not in file.read_bytes()


def test_realestate10k_frames_are_named_by_time(workspace: Workspace, clip: Clip, tmp_path: Path) -> None:
    export(workspace, "realestate10k", tmp_path / "out", frames=True)
    found = sorted((tmp_path / "out" / "frames" / "train" / clip.id).iterdir(), key=lambda p: int(p.stem))
    assert [int(p.stem) for p in found] == clip.cameras.timestamps_us.tolist()
    assert found[2].read_bytes() == (clip.folder / "frames" / "000002.png").read_bytes()


@pytest.mark.parametrize("kind", ["binary", "text"])
def test_colmap(workspace: Workspace, clip: Clip, tmp_path: Path, kind: str) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    export(workspace, "colmap", tmp_path / "out", frames=True)
    folder = tmp_path / "out" / clip.id
    model = pycolmap.Reconstruction()
    getattr(model, f"read_{kind}")(folder / "sparse" / "0")
    assert model.num_reg_images() == 5
    image = model.find_image_with_name("000003.png")
    assert np.allclose(image.cam_from_world().matrix(), clip.cameras.poses[3], atol=1e-9)
    assert np.allclose(image.project_point(POINT[0]), projected(clip, 3), atol=1e-6)
    points = {tuple(np.round(p.xyz, 6)): p.color.tolist() for p in model.points3D.values()}
    assert points == {(1.0, -0.5, 4.0): [255, 0, 9], (0.0, 0.0, 6.0): [1, 2, 3]}
    assert (folder / "images" / "000003.png").is_file()
    assert json.loads((folder / "sources.json").read_text())["timestamps_us"]["000003.png"] == 120_000


def test_nerfstudio(workspace: Workspace, clip: Clip, tmp_path: Path) -> None:
    export(workspace, "nerfstudio", tmp_path / "out", frames=True)
    folder = tmp_path / "out" / clip.id
    found = json.loads((folder / "transforms.json").read_text())
    assert found["camera_model"] == "OPENCV"
    assert {"w", "h", "k1", "k2", "p1", "p2", "frames", "ply_file_path"} <= set(found)
    frame = found["frames"][3]
    assert (folder / frame["file_path"]).is_file()
    # Project as nerfstudio does: OpenGL camera, +x right, +y up, looking along -z.
    camera_from_world = np.linalg.inv(np.array(frame["transform_matrix"]))
    x, y, z = (camera_from_world @ [*POINT[0], 1])[:3]
    assert x > 0  # right of the axis
    assert z < 0  # in front
    pixel = [frame["cx"] + frame["fl_x"] * x / -z, frame["cy"] - frame["fl_y"] * y / -z]
    assert np.allclose(pixel, projected(clip, 3), atol=1e-6)
    ply = (folder / found["ply_file_path"]).read_bytes()
    assert b"element vertex 2\n" in ply
    assert len(ply.split(b"end_header\n")[1]) == 2 * 15


def test_pixelsplat_chunks(workspace: Workspace, clip: Clip, tmp_path: Path) -> None:
    torch, cv2 = pytest.importorskip("torch"), pytest.importorskip("cv2")
    export(workspace, "pixelsplat", tmp_path / "out", frames=True)
    index = json.loads((tmp_path / "out" / "train" / "index.json").read_text())
    assert index == {"clip0": "000000.torch", "clip1": "000000.torch"}
    chunk = torch.load(tmp_path / "out" / "train" / index[clip.id], weights_only=True)
    example = next(e for e in chunk if e["key"] == clip.id)
    assert example["url"] == clip.cameras.url
    assert example["timestamps"].dtype == torch.int64
    assert example["cameras"].dtype == torch.float32
    assert example["cameras"].shape == (5, 18)
    assert len(example["images"]) == 5
    picture = cv2.imdecode(example["images"][0].numpy(), cv2.IMREAD_COLOR)
    assert picture.shape == (360, 640, 3)
    # As their loader reads cameras: fx fy cx cy, two zeros, then world-to-camera.
    fx, fy, cx, cy = example["cameras"][2, :4].double().numpy()
    assert not example["cameras"][:, 4:6].any()
    pose = example["cameras"][2, 6:].reshape(3, 4).double().numpy()
    assert np.allclose(pose, clip.cameras.poses[2], atol=1e-6)
    x, y, z = transform(pose, POINT)[0]
    left, top, width, height = cover_box(clip.width, clip.height)
    expected = (projected(clip, 2) / [clip.width, clip.height] - [left, top]) / [width, height]
    assert np.allclose([fx * x / z + cx, fy * y / z + cy], expected, atol=1e-5)


def test_pixelsplat_pictures_lie_where_their_cameras_say() -> None:
    """A bright spot of a 4:3 frame, cropped and resized, is where the cropped intrinsics put it."""
    image = np.zeros((480, 640, 3), np.uint8)
    image[199:202, 499:502] = 255  # its middle is pixel (200, 500): (500.5, 200.5) from the corner
    out = fit(image)[..., 0].astype(float)
    rows, columns = np.mgrid[0:360, 0:640] + 0.5
    middle = np.array([(columns * out).sum(), (rows * out).sum()]) / out.sum() / [640, 360]
    box = cover_box(640, 480)
    assert box == (0.0, 0.125, 1.0, 0.75)
    moved = crop_intrinsics(
        np.array([1, 1, 500.5 / 640, 200.5 / 480]), left=box[0], top=box[1], width=box[2], height=box[3]
    )
    assert np.allclose(middle, moved[2:], atol=0.1 / 640)


def test_pixelsplat_needs_frames(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--frames"):
        export(workspace, "pixelsplat", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_webdataset(workspace: Workspace, clip: Clip, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    export(workspace, "webdataset", tmp_path / "out", frames=True)
    shards = json.loads((tmp_path / "out" / "shards.json").read_text())
    samples = list(webdataset.WebDataset(str(tmp_path / "out" / shards["train"]), shardshuffle=False))
    assert [s["__key__"] for s in samples] == ["clip0", "clip1"]
    sample = samples[0]
    assert sample["cameras.txt"] == (clip.folder / "cameras.txt").read_bytes()
    assert sample["000004.png"] == (clip.folder / "frames" / "000004.png").read_bytes()
    assert sample["disparity.npz"] == (clip.folder / "disparity.npz").read_bytes()
    assert json.loads(sample["json"])["frame_count"] == 5


def test_training_reads_the_shards(workspace: Workspace, clip: Clip, tmp_path: Path) -> None:
    from flythrough.train.data import shards

    export(workspace, "webdataset", tmp_path / "out", frames=True)
    found = shards.load_shards(tmp_path / "out", "*.tar", "train")
    assert [c.id for c in found] == ["clip0", "clip1"]
    assert np.array_equal(found[0].frame(3), clip.frame(3))
    assert np.array_equal(found[0].disparity(3), clip.disparity(3))
    assert np.array_equal(found[0].cameras.poses, clip.cameras.poses)


@pytest.mark.parametrize("frames", [False, True])
def test_huggingface(
    workspace: Workspace, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: bool
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    export(workspace, "huggingface", tmp_path / "out", frames=frames)
    found = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in found.items()} == {"train": 2, "test": 1}
    row = found["train"][0]
    assert row["id"] == clip.id
    assert np.array_equal(np.array(row["poses"]).reshape(-1, 3, 4), clip.cameras.poses)
    assert np.array_equal(row["intrinsics"], clip.cameras.intrinsics)
    assert ("frames" in row) == frames
    if frames:
        assert np.array_equal(np.asarray(row["frames"][2]), clip.frame(2))
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\n")
    assert "split: test" in card


def test_croissant(workspace: Workspace, clip: Clip, tmp_path: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    export(workspace, "huggingface", tmp_path / "out")
    found = mlcroissant.Dataset(tmp_path / "out" / "croissant.json")
    assert not found.metadata.ctx.issues.errors
    record = next(iter(found.records("train")))
    assert record["train/id"] in (clip.id, clip.id.encode())
    assert list(record["train/timestamps_us"]) == clip.cameras.timestamps_us.tolist()
    assert np.array_equal(np.array(record["train/poses"]).reshape(-1, 3, 4), clip.cameras.poses)
    assert np.array_equal(np.array(record["train/intrinsics"]), clip.cameras.intrinsics)


def test_the_same_clips_make_the_same_bytes(workspace: Workspace, tmp_path: Path) -> None:
    for format in FORMATS:
        export(workspace, format, tmp_path / format / "a", frames=True)
        export(workspace, format, tmp_path / format / "b", frames=True)
        assert sha256_of_folder(tmp_path / format / "a") == sha256_of_folder(tmp_path / format / "b"), format


def test_clips_without_frames_are_named(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cameras that were given (ACID) have no frames until sfm has run."""
    given = Workspace(tmp_path / "given")
    rows = workspace.rows("clips")
    for row in rows:
        (given / row["camera_file"]).parent.mkdir(parents=True)
        (given / row["camera_file"]).write_bytes((workspace / row["camera_file"]).read_bytes())
    given.write("clips", [{**row, "folder": None, "disparity": None} for row in rows])
    found = export(given, "realestate10k", tmp_path / "out", frames=True)
    export_command("realestate10k", given.root, frames=True)
    assert (given / "export" / "realestate10k").is_dir()
    assert "3 of them have no frames in the workspace: cameras only" in capsys.readouterr().out
    assert found.without_frames == ("clip0", "clip1", "clip2")
    assert json.loads((tmp_path / "out" / "export.json").read_text())["without_frames"] == ["clip0", "clip1", "clip2"]
    with pytest.raises(InputError, match="clip0 has no frames"):
        export(given, "pixelsplat", tmp_path / "chunks", frames=True)


def test_the_command_says_what_it_wrote(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export_command("colmap", workspace.root, tmp_path / "out")
    assert "(no frames: add --frames for them)" in capsys.readouterr().out
    export_command("colmap", workspace.root, tmp_path / "out", split=["test"], json_=True)
    told = json.loads(capsys.readouterr().out)
    assert told == {"folder": str(tmp_path / "out"), "clips": 1, "without_frames": []}


def test_splits_and_refusals(workspace: Workspace, tmp_path: Path) -> None:
    assert export(workspace, "realestate10k", tmp_path / "out", splits=("test",)).clips == 1
    assert export(workspace, "realestate10k", tmp_path / "out").clips == 3  # an earlier export is replaced
    with pytest.raises(InputError, match="no format 'kitti'"):
        export(workspace, "kitti", tmp_path / "other")
    with pytest.raises(InputError, match="no such clips"):
        export(workspace, "colmap", tmp_path / "other", splits=("validation",))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="not an export"):
        export(workspace, "colmap", tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").is_file()
    with pytest.raises(DiskError, match="another name"):
        export(workspace, "colmap", tmp_path / "mine" / "thesis.tex")


@pytest.mark.parametrize("inside", ["", "train"])
def test_the_current_folder_is_not_replaced(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    export(workspace, "realestate10k", tmp_path / "out")
    monkeypatch.chdir(tmp_path / "out" / inside)
    with pytest.raises(InputError, match="--out"):
        export(Workspace(workspace.root.absolute()), "realestate10k", Path(".." if inside else "."))
    assert list(Path().iterdir())


@pytest.mark.parametrize("format", ["webdataset", "huggingface"])
def test_files_are_closed_if_a_clip_fails(workspace: Workspace, tmp_path: Path, format: str) -> None:
    (tmp_path / "copy").mkdir()
    broken = Workspace(shutil.copytree(workspace.root, tmp_path / "copy" / "w"))
    load_clips(broken)[1].folder.joinpath("frames", "000000.png").unlink()
    with pytest.raises(FileNotFoundError) as error:
        export(broken, format, tmp_path / "out", frames=True)
    assert error.tb  # whose frames hold the writers
    assert [file.path for file in psutil.Process().open_files() if file.path.startswith(str(tmp_path))] == []


def test_points_are_seen_where_they_are(clip: Clip) -> None:
    """The known answer behind the tests above: the point is right of the first camera's axis."""
    x = transform(clip.cameras.poses[0], POINT)[0, 0]
    assert x > 0
    assert projected(clip, 0)[0] > clip.width / 2
    assert invert(clip.cameras.poses[0])[1, 3] < 0
