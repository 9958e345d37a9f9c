"""Training sequences: the same draw everywhere, mirrored correctly, from folders and from shards alike."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from flythrough.errors import InputError
from flythrough.rendering.render import render
from flythrough.scene.cameras import Cameras, read_cameras, write_cameras
from flythrough.scene.clips import Clip, load_clips
from flythrough.train.data.sequences import FrameCache, Loader, Pick, Sequences
from flythrough.train.data.shards import load_shards
from flythrough.workspace.catalog import Workspace
from tests.clip_factory import make_workspace, write_clip

SIZE = {"height": 32, "width": 64}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("clips"), clips=3, frames=9, steps=2, **SIZE)


@pytest.fixture(scope="module")
def clips(workspace: Workspace) -> list[Clip]:
    return load_clips(workspace, "train")


def sequences(clips: list[Clip], **options: object) -> Sequences:
    return Sequences(clips, **({"unroll": 2, **SIZE} | options))  # type: ignore[arg-type]


def test_a_mirrored_sequence_renders_to_the_mirror_of_what_the_sequence_renders_to(clips: list[Clip]) -> None:
    drawn = sequences(clips)

    def view(rgbd: np.ndarray, poses: np.ndarray, intrinsics: np.ndarray) -> torch.Tensor:
        image, pose, lens = torch.from_numpy(rgbd[:1]), torch.from_numpy(poses), torch.from_numpy(intrinsics)
        return render(image, pose[:1], lens[:1], pose[2:], lens[2:], max_sobel=1.0)[0]

    straight, mirrored = (drawn.load(Pick(0, 1, 2, flipped), 2)[:3] for flipped in (False, True))
    wanted = view(*straight).flip(-1)
    # Not zero: quads are cut into triangles along the other diagonal.
    right = (view(*mirrored) - wanted).abs().mean()
    for wrong in (
        (mirrored[0], straight[1], mirrored[2]),
        (mirrored[0], mirrored[1], straight[2]),
        (straight[0], mirrored[1], mirrored[2]),
    ):
        assert (view(*wrong) - wanted).abs().mean() > 1.5 * right
    assert right < 0.02


def test_frames_are_taken_at_the_training_speed_and_poses_are_relative_to_the_first(clips: list[Clip]) -> None:
    drawn = sequences(clips)
    rgbd, poses, _, _ = drawn.load(Pick(0, 3, 2, False), 2)
    np.testing.assert_allclose(rgbd[1], clips[0].rgbd(5, **SIZE), atol=1e-3)
    np.testing.assert_allclose(poses[0], np.eye(3, 4), atol=1e-6)
    center = -poses[2, :, :3].T @ poses[2, :, 3]
    assert 0.35 < np.linalg.norm(center) < 0.45  # two steps of 0.2
    assert center[2] > 0.3  # forward


def test_colours_and_disparity_are_those_recorded(clips: list[Clip]) -> None:
    rgbd, _, _, _ = sequences(clips).load(Pick(1, 0, 2, False), 1)
    np.testing.assert_allclose(rgbd[0, :3].transpose(1, 2, 0) * 255, clips[1].frame(0), atol=0.2)
    assert 0 <= rgbd[:, 3].min() < 0.01 < 0.6 < rgbd[:, 3].max() <= 1


def test_two_processes_together_see_the_batch_of_one(clips: list[Clip]) -> None:
    drawn = sequences(clips, seed=5)
    whole = next(iter(Loader(drawn, batch=4, unroll_at=lambda step: 2).batches(7, 8)))
    halves = [next(iter(Loader(drawn, batch=2, unroll_at=lambda step: 2, rank=r).batches(7, 8))) for r in (0, 1)]
    assert whole.picks == halves[0].picks + halves[1].picks
    assert torch.equal(whole.rgbd, torch.cat([half.rgbd for half in halves]))
    assert len(set(whole.picks)) > 1


def test_going_on_at_a_step_gives_the_batches_of_a_run_that_never_stopped(clips: list[Clip]) -> None:
    whole = list(Loader(sequences(clips), batch=2, unroll_at=lambda step: 1 + step // 3, workers=3).batches(0, 6))
    rest = list(Loader(sequences(clips, cache_mb=0), batch=2, unroll_at=lambda step: 1 + step // 3).batches(4, 6))
    assert [batch.rgbd.shape[1] for batch in whole] == [2, 2, 2, 3, 3, 3]
    for a, b in zip(whole[4:], rest, strict=True):
        assert a.picks == b.picks
        assert torch.equal(a.rgbd, b.rgbd)
        assert torch.equal(a.poses, b.poses)


def test_every_start_of_every_clip_comes_up_and_half_are_mirrored(clips: list[Clip]) -> None:
    drawn = sequences(clips)
    picks = [drawn.pick(step, place) for step in range(100) for place in range(4)]
    assert {(p.clip, p.start) for p in picks} == {(clip, start) for clip in (0, 1) for start in range(5)}
    assert 0.4 < np.mean([p.flipped for p in picks]) < 0.6
    assert not any(sequences(clips, flip=False).pick(step, 0).flipped for step in range(50))


def test_a_clip_too_short_for_its_speed_is_flown_more_slowly_and_one_shorter_still_is_left_out(
    tmp_path: Path, clips: list[Clip]
) -> None:
    row = write_clip(tmp_path, "brief", frames=3, height=32, width=64, seed=1, steps=2)
    brief = Clip(tmp_path / row["folder"], row)
    drawn = sequences([*clips, brief], unroll=6)
    assert drawn.strides == [1, 1]  # nine frames hold six steps at every frame only
    assert drawn.short == ("brief",)
    with pytest.raises(InputError, match=r"clip0, clip1"):
        sequences(clips, unroll=9)
    with pytest.raises(InputError, match="empty"):
        sequences([])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.poses.__setitem__((1, 0, 3), np.nan), "not finite"),
        (lambda c: c.poses.__imul__(1.5), "are not rotations"),
        (lambda c: c.intrinsics.__setitem__((0, 0), 0.0), "focal"),
    ],
)
def test_cameras_that_are_no_cameras_are_refused_by_name(tmp_path: Path, change: object, message: str) -> None:
    row = write_clip(tmp_path, "odd", frames=4, height=32, width=64, seed=1)
    file = tmp_path / row["camera_file"]
    cameras = read_cameras(file)
    change(cameras)  # type: ignore[operator]
    write_cameras(file, Cameras(cameras.url, cameras.timestamps_us, cameras.intrinsics, cameras.poses))
    with pytest.raises(InputError, match=message) as caught:
        sequences([Clip(tmp_path / row["folder"], row)])
    assert "odd" in str(caught.value)


def test_the_cache_keeps_to_its_bytes() -> None:
    cache = FrameCache(limit=1000)
    frames = {(0, i): np.full(100, i, np.float32) for i in range(6)}  # 400 bytes each
    for _ in range(2):
        for key, frame in frames.items():
            assert cache.get(key, lambda frame=frame: frame)[0] == key[1]
            assert cache.bytes <= 1000


def write_shard(path: Path, workspace: Workspace) -> None:
    """What ``flythrough export --format webdataset`` writes."""
    with tarfile.open(path, "w") as tar:

        def add(name: str, data: bytes) -> None:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

        for row in workspace.rows("clips"):
            folder = workspace / row["folder"]
            add(f"{row['id']}.json", json.dumps(row).encode())
            add(f"{row['id']}.cameras.txt", (folder / "cameras.txt").read_bytes())
            add(f"{row['id']}.disparity.npz", (folder / "disparity.npz").read_bytes())
            for frame in sorted((folder / "frames").iterdir()):
                add(f"{row['id']}.{frame.name}", frame.read_bytes())


def test_shards_give_the_same_sequences_as_the_workspace(
    tmp_path: Path, workspace: Workspace, clips: list[Clip]
) -> None:
    write_shard(tmp_path / "clips-000000.tar", workspace)
    shards = load_shards(tmp_path, "*.tar", "train")
    assert [clip.id for clip in shards] == [clip.id for clip in clips]
    a, b = (
        list(Loader(sequences(each), batch=3, unroll_at=lambda step: 2).batches(0, 2)) for each in (clips, list(shards))
    )
    for one, other in zip(a, b, strict=True):
        assert torch.equal(one.rgbd, other.rgbd)
        assert torch.equal(one.poses, other.poses)


def test_shards_that_are_not_there_or_broken_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No shard"):
        load_shards(tmp_path, "*.tar")
    (tmp_path / "a.tar").write_bytes(b"no tar" * 200)
    for pattern in ("*.tar", str(tmp_path / "*.tar")):
        with pytest.raises(InputError, match="plain tar"):
            load_shards(tmp_path, pattern)
    for text in (b"{", b"[]", b"{}", b"\xff"):
        with tarfile.open(tmp_path / "a.tar", "w") as tar:
            member = tarfile.TarInfo("x.json")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
        with pytest.raises(InputError, match=r"x\.json is not a clip's row"):
            load_shards(tmp_path, "*.tar")


def test_a_shards_damaged_disparity_is_an_error(tmp_path: Path, workspace: Workspace) -> None:
    write_shard(tmp_path / "a.tar", workspace)
    whole = (tmp_path / "a.tar").read_bytes()
    with tarfile.open(tmp_path / "a.tar") as tar:
        member = next(member for member in tar if member.name.endswith(".disparity.npz"))
    for compression in (b"\x0c\x00", b"\xff\xff"):  # neither is one that the archive has
        damaged, at = bytearray(whole), whole.index(b"PK\x01\x02", member.offset_data)
        damaged[at + 10 : at + 12] = compression
        (tmp_path / "a.tar").write_bytes(damaged)
        with pytest.raises(InputError, match="Export the shards again"):
            load_shards(tmp_path, "a.tar")[0].disparity(0)
