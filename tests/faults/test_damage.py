"""Damaged videos: every stage lets the same ones through."""

from __future__ import annotations

from pathlib import Path

import pytest

from flythrough.acquire.config import Verify
from flythrough.acquire.failures import FetchError
from flythrough.acquire.verify.integrity import verify
from flythrough.curate.decode import glimpses
from flythrough.errors import InputError
from flythrough.media.video_reader import MAX_CORRUPT_FRACTION, frame_times, frames
from tests.acquire.acquire_world import ffmpeg

COUNT = 1200


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("film")
    source = ["-f", "lavfi", "-i", f"testsrc=size=64x48:rate=30:duration={COUNT / 30}"]
    ffmpeg(folder, *source, "-c:v", "libx264", "-g", "1", "-pix_fmt", "yuv420p", "a.mov")
    return (folder / "a.mov").read_bytes()


def damaged(film: bytes, path: Path, places: int) -> Path:
    """The film with the beginnings of so many packets overwritten, far from each other."""
    import av

    path.write_bytes(film)
    with av.open(str(path)) as container:
        starts = [packet.pos for packet in container.demux(video=0) if packet.size]
    data = bytearray(film)
    for place in range(1, places + 1):
        start = starts[len(starts) * place // (places + 1)]
        data[start : start + 4] = b"\xff" * 4  # no length that a unit of H.264 can have
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("places", [1, 5])
def test_acquire_and_curate_agree_on_damaged_frames(film: bytes, tmp_path: Path, places: int) -> None:
    assert MAX_CORRUPT_FRACTION * COUNT >= 1
    file = damaged(film, tmp_path / "a.mov", places)
    if places > MAX_CORRUPT_FRACTION * COUNT:
        with pytest.raises(FetchError, match="damaged"):
            verify(file, "a", Verify())
        with pytest.raises(InputError, match="damaged"):
            list(glimpses(file, longest=64, sample_every_s=1))
        return
    facts = verify(file, "a", Verify())
    assert facts.corrupt_frames == 1
    seen = list(glimpses(file, longest=64, sample_every_s=1))
    assert len(seen) == facts.frame_count
    assert len(list(frames(file, width=64, height=48))) == facts.frame_count
    assert len(frame_times(file)[0]) >= facts.frame_count
