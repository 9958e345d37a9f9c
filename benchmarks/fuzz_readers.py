"""Broken files of every kind that is read: each is read, or refused with a remedy; nothing crashes or hangs.

    python -m benchmarks.fuzz_readers --mutants 2000 -o docs/data/fuzz.json

A valid file of each kind is cut short, has bits flipped, pieces repeated, swapped, removed or filled with one byte, and
numbers in its text made extreme, by seed. Each kind is read in a process of its own with at most 12 GiB of addresses.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flythrough.errors import FlythroughError

LIMIT_S = 30  # of processor time, for one file; none takes a second
ADDRESSES = 12 << 30
EXTREMES = (b"-1", b"0", b"1e308", b"-1e-308", b"NaN", b"Infinity", b"9223372036854775808", b"1" * 5000, b'"1"', b"[]")


@dataclass(frozen=True)
class Reader:
    """A kind of file: how a valid one is made, which of its files is broken, and what reads it."""

    make: Callable[[Path], Path]  # in a folder; returns the file to break
    read: Callable[[Path], object]  # given that file


def _clip(folder: Path) -> Path:
    from tests.clip_factory import make_workspace

    return make_workspace(folder / "W", clips=1, frames=3, height=32, width=64).root / "sfm" / "clip0"


def _read_clip(file: Path) -> None:
    from flythrough.scene.library import load_clip

    folder = file.parent if file.parent.name == "clip0" else file.parents[1]
    clip = load_clip(folder)
    clip.frame(0), clip.disparity(0), clip.cameras  # read


def _read_cameras(file: Path) -> None:
    from flythrough.scene.cameras import read_cameras

    read_cameras(file)


def _config(folder: Path) -> Path:
    from flythrough.workspace.config import describe, load_config

    file = folder / "flythrough.toml"
    file.write_text(describe(load_config()), encoding="utf-8")
    return file


def _read_config(file: Path) -> None:
    from flythrough.workspace.config import load_config

    load_config(file)


def _protocol(folder: Path) -> Path:
    from flythrough.evaluate.protocols.protocol import load_protocol, save_protocol

    return save_protocol(load_protocol("sample-v1"), folder)


def _read_protocol(file: Path) -> None:
    from flythrough.evaluate.protocols.protocol import load_protocol

    load_protocol(str(file.with_suffix(".toml")))


def _spec(folder: Path) -> Path:
    file = folder / "mine.toml"
    file.write_text('name = "mine"\ncitation = "https://a.example"\ncommand = ["fly", "{request}", "{frames}"]\n')
    return file


def _read_spec(file: Path) -> None:
    from flythrough.evaluate.methods.registry import read_spec

    read_spec(file)


def _result(folder: Path) -> Path:
    values = [{"metric": "psnr", "step": 5, "value": 20.0, "low": 19.0, "high": 21.0, "n": 2, "ranked": True}]
    record = {"status": "scored", "protocol": {"name": "p-v1", "hash": "ab" * 32}, "method": {"name": "m"}}
    file = folder / "results.json"
    file.write_text(json.dumps({**record, "values": values, "curves": {"psnr": [[1, 2.0], [5, 3.0]]}}))
    return file


def _read_result(file: Path) -> None:
    from flythrough.results.schema import read_result

    read_result(file)


def _table(folder: Path) -> Path:
    from tests.clip_factory import make_workspace

    return make_workspace(folder / "W", clips=2, frames=2, height=32, width=64).table_file("clips")


def _read_table(file: Path) -> None:
    from flythrough.workspace.catalog import Workspace

    Workspace(file.parent).rows("clips")


def _checkpoint(folder: Path) -> Path:
    from flythrough.train.model.native import save_checkpoint
    from flythrough.train.model.network import InfiniteNature

    save_checkpoint(folder / "model", InfiniteNature(32, 64, base_width=2, style_size=8), {})
    return folder / "model"


def _read_checkpoint(file: Path) -> None:
    from flythrough.train.model.native import load_checkpoint

    load_checkpoint(file.parent)


def _photo(folder: Path, name: str) -> Path:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    exif = Image.Exif()
    exif[274], exif[272] = 6, "lens"
    Image.fromarray(pixels).save(folder / name, exif=exif.tobytes())
    return folder / name


def _read_photo(file: Path) -> None:
    from flythrough.train.fly.photo import read_photo

    read_photo(file)


def _video(folder: Path, name: str) -> Path:
    from tests.acquire.acquire_world import make_video

    return make_video(folder / name, frames=12, size=(64, 48))


def _read_video(file: Path) -> None:
    from flythrough.acquire.config import Verify
    from flythrough.acquire.verify.integrity import verify

    verify(file, file.name, Verify())


def _labels(folder: Path) -> Path:
    file = folder / "labels.csv"
    file.write_text("video,start,end,verdict,reason,confidence\na.mp4,0,1.5,keep,,high\nb.mp4,,,drop,still,low\n")
    return file


def _read_labels(file: Path) -> None:
    from flythrough.curate.score.labels import read_labels

    read_labels(file)


READERS = {
    "clip cameras.txt": Reader(lambda f: _clip(f) / "cameras.txt", _read_clip),
    "clip disparity.npz": Reader(lambda f: _clip(f) / "disparity.npz", _read_clip),
    "clip frame.png": Reader(lambda f: _clip(f) / "frames" / "000000.png", _read_clip),
    "RealEstate10K cameras": Reader(lambda f: _clip(f) / "cameras.txt", _read_cameras),
    "flythrough.toml": Reader(_config, _read_config),
    "protocol.toml": Reader(_protocol, _read_protocol),
    "protocol.json": Reader(lambda f: _protocol(f).with_suffix(".json"), _read_protocol),
    "method spec": Reader(_spec, _read_spec),
    "results.json": Reader(_result, _read_result),
    "Parquet table": Reader(_table, _read_table),
    "model.safetensors": Reader(lambda f: _checkpoint(f) / "model.safetensors", _read_checkpoint),
    "model.json": Reader(lambda f: _checkpoint(f) / "model.json", _read_checkpoint),
    "photo.jpg": Reader(lambda f: _photo(f, "photo.jpg"), _read_photo),
    "photo.png": Reader(lambda f: _photo(f, "photo.png"), _read_photo),
    "photo.webp": Reader(lambda f: _photo(f, "photo.webp"), _read_photo),
    "photo.tiff": Reader(lambda f: _photo(f, "photo.tiff"), _read_photo),
    "labels.csv": Reader(_labels, _read_labels),
    "video.mp4": Reader(lambda f: _video(f, "video.mp4"), _read_video),
    "video.mkv": Reader(lambda f: _video(f, "video.mkv"), _read_video),
}


def mutants(whole: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Broken copies of a file, the same for the same arguments."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        data = bytearray(whole)
        for _ in range(int(random.integers(1, 4))):
            data = _broken(data, random)
        yield bytes(data)


def _broken(data: bytearray, random: np.random.Generator) -> bytearray:
    if not data:
        return data
    start = int(random.integers(len(data)))
    length = int(min(len(data) - start, random.integers(1, max(2, len(data) // 4))))
    piece = data[start : start + length]
    kind = int(random.integers(8))
    if kind == 0:
        return data[:start]
    if kind == 1:
        for place in random.integers(len(data), size=int(random.integers(1, 9))):
            data[place] ^= 1 << int(random.integers(8))
        return data
    if kind == 2:
        return data[:start] + piece + data[start:]
    if kind == 3:
        return data[:start] + data[start + length :]
    if kind == 4:
        return data[:start] + bytes([int(random.choice([0, 255, 10, 34]))]) * length + data[start + length :]
    if kind == 5:
        return data[:start] + random.bytes(min(length, 64)) + data[start:]
    if kind == 6:  # four bytes of a length or an offset
        return (
            data[:start]
            + bytearray(random.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"]))
            + data[start + 4 :]
        )
    numbers = list(re.finditer(rb"-?\d+(\.\d+)?", bytes(data[:100_000])))
    if not numbers:
        return data[:start]
    found = numbers[int(random.integers(len(numbers)))]
    return data[: found.start()] + EXTREMES[int(random.integers(len(EXTREMES)))] + data[found.end() :]


def campaign(name: str, count: int, seed: int) -> dict[str, object]:
    """Break one kind of file ``count`` times, in this process; returns the outcomes of reading."""
    reader, became, wrong = READERS[name], Counter[str](), []
    with tempfile.TemporaryDirectory() as folder:
        file = reader.make(Path(folder))
        reader.read(file)
        whole = file.read_bytes()
        for number, data in enumerate(mutants(whole, count, seed)):
            file.write_bytes(data)
            signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
            try:
                reader.read(file)
                became["read"] += 1
            except FlythroughError as error:
                became["refused" if error.remedy else "refused without a remedy"] += 1
            except Exception as error:
                wrong.append(f"mutant {number}: {type(error).__name__}: {' '.join(str(error).split())[:200]}")
                keep = Path(tempfile.gettempdir()) / "flythrough-fuzz" / name.replace(" ", "-")
                keep.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, keep / f"{number}{file.suffix}")
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
    return {"read": became.pop("read", 0), "refused": became.pop("refused", 0), "wrong": wrong, **became}


def apart(name: str, count: int, seed: int = 0) -> dict[str, object]:
    """:func:`campaign` in a process of its own, so that a crash is a finding and not the end."""
    command = [sys.executable, __file__, "--only", name, "--mutants", str(count), "--seed", str(seed)]
    known = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}  # the tests' makers of clips and videos
    done = subprocess.run(command, capture_output=True, text=True, env=known)
    if done.returncode:
        return {"read": 0, "refused": 0, "wrong": [f"exit code {done.returncode}: {done.stderr[-500:]}"]}
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=READERS)
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    if options.only:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
        print(json.dumps(campaign(options.only, options.mutants, options.seed)))
        return
    found = {}
    for name in READERS:
        found[name] = apart(name, options.mutants, options.seed)
        print(f"{name:22}", *(f"{key} {value if key != 'wrong' else len(value)}" for key, value in found[name].items()))
    if options.out:
        options.out.write_text(json.dumps({"mutants": options.mutants, "seed": options.seed, "files": found}, indent=1))
    sys.exit(any(len(each) > 3 or each["wrong"] for each in found.values()))


if __name__ == "__main__":
    main()
