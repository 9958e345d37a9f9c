"""Every external weight file: where it comes from, under which licence, and whether it is here.

Files live in ``$FLYTHROUGH_WEIGHTS`` (copy them there on an air-gapped machine) or in the user's cache folder.
Nothing falls back to random weights: :func:`locate` raises with the command that fetches what is missing.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from ..errors import FlythroughError, InputError, MissingWeights
from ..workspace.files import disk_errors, publish, read_json, sha256_of, write_json


@dataclass(frozen=True)
class File:
    """One file to download.

    Attributes:
        url: where it is published.
        name: what it is called here, below the weight's folder.
        size: bytes, where known.
        sha256: hex, or the leading part of it that the publisher states; empty where nobody does. What
            was fetched first is then written down, and ``verify`` holds later reads to it.
    """

    url: str
    name: str
    size: int | None = None
    sha256: str = ""


@dataclass(frozen=True)
class Weight:
    """A named set of files; ``path`` is what :func:`locate` returns below its folder ("" = the folder)."""

    name: str
    use: str
    licence: str
    files: tuple[File, ...]
    path: str = ""


def _torchvision(name: str, use: str, file: str, size: int) -> Weight:
    digest = file.rsplit("-", 1)[1].removesuffix(".pth")
    source = File(f"https://download.pytorch.org/models/{file}", file, size, digest)
    return Weight(name, use, "BSD-3-Clause (trained on ImageNet)", (source,), file)


def _hugging_face(name: str, use: str, repository: str, licence: str, weights: str) -> Weight:
    base = f"https://huggingface.co/{repository}/resolve/main"
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
        _hugging_face("dpt-large", "sfm: disparity (DPT large)", "Intel/dpt-large", "Apache-2.0", "model.safetensors"),
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
    """Where weights are kept on this machine."""
    if chosen := os.environ.get("FLYTHROUGH_WEIGHTS"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flythrough" / "weights"


def known(name: str) -> Weight:
    """The entry called ``name``."""
    if name not in WEIGHTS:
        raise InputError(f"There are no weights called {name!r}", remedy=f"Use one of: {', '.join(WEIGHTS)}")
    return WEIGHTS[name]


def missing_files(name: str) -> list[Path]:
    """The entry's files that are not on this machine."""
    return [path for file in known(name).files if not (path := folder() / name / file.name).is_file()]


def locate(name: str) -> Path:
    """Path of a weight file (or folder, for models of several files).

    Raises:
        MissingWeights: it is not here; the remedy is the command that fetches it.
    """
    if missing := missing_files(name):
        raise MissingWeights(
            f"The weights {name!r} are not on this machine ({missing[0]} is missing)",
            remedy=f"Run: flythrough weights fetch {name} (air-gapped: copy it there, or set FLYTHROUGH_WEIGHTS)",
        )
    return folder() / name / known(name).path


def verify(name: str) -> str:
    """Check an entry's files against the known or first-seen hashes; returns "verified" or "recorded".

    Raises:
        MissingWeights: not here.
        FlythroughError: a file is not what it should be.
    """
    locate(name)
    record_file = folder() / name / "sha256.json"
    record = read_json(record_file) if record_file.is_file() else {}
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
    write_json(record_file, record)
    return verdict


def fetch(name: str, *, force: bool = False) -> Path:
    """Download an entry's files (resuming a partial one), verify them, unpack archives; returns the path.

    Raises:
        FlythroughError: the download failed (kind "network") or the file is wrong (kind "weights").
    """
    target = folder() / name
    if force and target.exists():
        shutil.rmtree(target)
    for file in known(name).files:
        if not (target / file.name).is_file():
            _download(file, target / file.name)
    try:
        verify(name)
    except FlythroughError:
        for file in known(name).files:
            (target / file.name).unlink(missing_ok=True)
        raise
    for file in known(name).files:
        if file.name.endswith(".tar.gz"):
            with tarfile.open(target / file.name) as archive, disk_errors(target):
                archive.extractall(target, filter="data")
    return locate(name)


def _download(file: File, path: Path) -> None:
    import httpx

    from ..workspace.progress import bar

    partial = path.with_name(f".{path.name}.part")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        start = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    try:
        with httpx.stream("GET", file.url, headers=headers, follow_redirects=True, timeout=30) as response:
            response.raise_for_status()
            resumed = response.status_code == 206
            length = int(response.headers.get("Content-Length", 0)) + (start if resumed else 0)
            with (
                disk_errors(path),
                open(partial, "ab" if resumed else "wb") as out,
                bar(file.name, length, "B") as advance,
            ):
                advance(start if resumed else 0)
                for chunk in response.iter_bytes(1 << 20):
                    out.write(chunk)
                    advance(len(chunk))
    except httpx.HTTPError as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise FlythroughError(
            f"Could not download {file.url}: {reason}",
            remedy=f"Check the network and run the command again, or copy the file to {path}",
            kind="network",
        ) from error
    with publish(path) as scratch:
        partial.replace(scratch)
