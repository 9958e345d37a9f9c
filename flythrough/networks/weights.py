"""Every external weight file: its source, its licence, and whether it is present.

Files live in ``$FLYTHROUGH_WEIGHTS`` (copy them there on an air-gapped machine) or in the user's cache folder.
Nothing falls back to random weights: :func:`locate` raises with the command that fetches what is missing, or if a
file is not the published one.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import FlythroughError, InputError, MissingWeights
from ..workspace.files import disk_errors, read_json, sha256_of, write_json
from .weights_download import REVISION, download

_RECORD = "sha256.json"


@dataclass(frozen=True)
class File:
    """One file to download.

    Attributes:
        url: where it is published.
        name: file name below the weight's folder.
        size: bytes, where known.
        sha256: hex, or the leading part that the publisher states; empty if none is stated: then the hash of the first
            download is recorded, and ``verify`` compares later reads with it.
    """

    url: str
    name: str
    size: int | None = None
    sha256: str = ""


@dataclass(frozen=True)
class Weight:
    """A named set of files; :func:`locate` returns ``path`` below its folder ("" = the folder)."""

    name: str
    use: str
    licence: str
    files: tuple[File, ...]
    path: str = ""


def _torchvision(name: str, use: str, file: str, size: int) -> Weight:
    digest = file.rsplit("-", 1)[1].removesuffix(".pth")
    source = File(f"https://download.pytorch.org/models/{file}", file, size, digest)
    return Weight(name, use, "BSD-3-Clause (trained on ImageNet)", (source,), file)


def _hugging_face(name: str, use: str, repository: str, licence: str, weights: str, revision: str = "main") -> Weight:
    base = f"https://huggingface.co/{repository}/resolve/{revision}"
    names = ("config.json", "preprocessor_config.json", weights)
    return Weight(name, use, licence, tuple(File(f"{base}/{n}", n) for n in names))


WEIGHTS: dict[str, Weight] = {
    weight.name: weight
    for weight in (
        Weight(
            "inception",
            "evaluate: FID and KID (TF1 Inception, 2015-12-05)",
            "Apache-2.0",
            (
                File(
                    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
                    "weights-inception-2015-12-05-6726825d.pth",
                    95_628_359,
                    "6726825d",
                ),
            ),
            "weights-inception-2015-12-05-6726825d.pth",
        ),
        _torchvision("lpips-alex", "evaluate: trunk of LPIPS (alex)", "alexnet-owt-7be5be79.pth", 244_408_911),
        _torchvision("lpips-vgg", "evaluate: trunk of LPIPS (vgg)", "vgg16-397923af.pth", 553_433_881),
        _torchvision("vgg19", "train: perceptual loss; evaluate: style distance", "vgg19-dcbb9e9d.pth", 574_673_361),
        _hugging_face("midas", "sfm: disparity (MiDaS)", "Intel/dpt-hybrid-midas", "Apache-2.0", "pytorch_model.bin"),
        _hugging_face("dpt-large", "sfm: disparity (DPT large)", "Intel/dpt-large", "Apache-2.0", "model.safetensors",
                      "e93beec"),
        _hugging_face(
            "depth-anything-v2-small",
            "sfm: disparity (Depth Anything V2 small)",
            "depth-anything/Depth-Anything-V2-Small-hf",
            "Apache-2.0",
            "model.safetensors",
        ),
        Weight(
            "infinite-nature",
            "train: the authors' checkpoint (TensorFlow; import needs the extra tf)",
            "Apache-2.0",
            (File("https://storage.googleapis.com/gresearch/infinite_nature_public/ckpt.tar.gz", "ckpt.tar.gz"),),
        ),
    )
}  # fmt: skip


def folder() -> Path:
    """The folder of weights on this machine."""
    if chosen := os.environ.get("FLYTHROUGH_WEIGHTS"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flythrough" / "weights"


def known(name: str) -> Weight:
    """The entry called ``name``.

    Raises:
        InputError: there is none.
    """
    if name not in WEIGHTS:
        raise InputError(f"There are no weights called {name!r}", remedy=f"Use one of: {', '.join(WEIGHTS)}")
    return WEIGHTS[name]


def missing_files(name: str) -> list[Path]:
    """The entry's files that are not on this machine."""
    return [path for file in known(name).files if not (path := folder() / name / file.name).is_file()]


def locate(name: str) -> Path:
    """Path of a weight file (or folder, for models of several files), after checking its hash.

    It is checked once per process, and again if the files change.

    Raises:
        MissingWeights: it is not on this machine; the remedy is the command that fetches it.
        FlythroughError: a file does not match its hash.
    """
    if missing := missing_files(name):
        raise _missing(name, missing[0])
    stats = [(folder() / name / file.name).stat() for file in known(name).files]
    _verified_once(name, folder(), tuple((stat.st_size, stat.st_mtime_ns) for stat in stats))
    return folder() / name / known(name).path


@cache
def _verified_once(name: str, where: Path, state: tuple[tuple[int, int], ...]) -> None:
    verify(name)


def verify(name: str) -> str:
    """Check an entry's files against the known or first-seen hashes; returns "verified" or "recorded".

    Raises:
        MissingWeights: a file is not on this machine.
        FlythroughError: a file does not match its hash.
    """
    if missing := missing_files(name):
        raise _missing(name, missing[0])
    record_file = folder() / name / _RECORD
    seen = read_json(record_file) if record_file.is_file() else {}
    record = dict(seen)
    verdict = "verified"
    for file in known(name).files:
        path = folder() / name / file.name
        digest = sha256_of(path)
        expected = file.sha256 or record.get(file.name, "")
        if (file.size and path.stat().st_size != file.size) or not digest.startswith(expected):
            raise FlythroughError(
                f"{path} is not the published file (SHA-256 {digest[:16]}..., {path.stat().st_size} bytes)",
                remedy=f"Run: flythrough weights fetch {name} --force",
                kind="weights",
            )
        if not expected:
            verdict = "recorded"
        record[file.name] = digest
    if record != seen and os.access(record_file.parent, os.W_OK):  # shared weights may be read-only
        write_json(record_file, record)
    return verdict


def _missing(name: str, path: Path) -> MissingWeights:
    return MissingWeights(
        f"The weights {name!r} are not on this machine ({path} is missing)",
        remedy=f"Run: flythrough weights fetch {name} (air-gapped: copy it there, or set FLYTHROUGH_WEIGHTS)",
    )


def fetch(name: str, *, force: bool = False) -> Path:
    """Download an entry's files (resuming a partial one), verify them, unpack archives; returns the path.

    Files of a Hugging Face repository all come from one commit: the one that the first file was at.

    Raises:
        FlythroughError: the download failed (kind "network") or the file is wrong (kind "weights").
    """
    target = folder() / name
    if force and target.exists():
        shutil.rmtree(target)
    record_file = target / _RECORD
    for file in known(name).files:
        if not (target / file.name).is_file():
            record = read_json(record_file) if record_file.is_file() else {}
            url = file.url.replace("/resolve/main/", f"/resolve/{record.get(REVISION, 'main')}/")
            stated = download(url, target / file.name)
            write_json(record_file, {**record, **stated.record(file.name)})
    try:
        verify(name)
    except FlythroughError:
        for file in known(name).files:
            (target / file.name).unlink(missing_ok=True)
        record_file.unlink(missing_ok=True)
        raise
    for file in known(name).files:
        if file.name.endswith(".tar.gz"):
            with tarfile.open(target / file.name) as archive, disk_errors(target):
                archive.extractall(target, filter="data")
    return locate(name)
