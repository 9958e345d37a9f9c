"""``flythrough fly --export-web``: a static folder that flies in the browser, without Python and without a server."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from flythrough.errors import InputError
from flythrough.workspace.files import read_json, sha256_of, write_json

from ..model.network import InfiniteNature
from .onnx_model import GENERATOR, export_onnx
from .page.gallery import described, gallery, picture_file, read_still

STATIC = Path(__file__).parent / "page" / "static"
FORMAT = "flythrough web 1"
TESTED = "1.30.0"  # version of onnxruntime-web
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm", "ort.webgpu.min.mjs",
           "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm")  # fmt: skip
_OWN = ("controls.js", "depth_guess.js", "film.js", "flight.js", "gallery.js", "map.js", "memory.js", "mesh.js",
        "networks.js", "page.js", "photo.js", "pilot.js", "share.js", "sky.js", "steering.js", "style.css",
        "view.js", "web_worker.js")  # fmt: skip
_CREDITS = """{pictures}
Model: {name}, see flythrough; Apache-2.0 for the package's own.
ort/: onnxruntime-web {version}, Microsoft Corporation, MIT licence.
"""


def export_web(model: InfiniteNature, folder: Path, name: str, runtime: Path) -> list[Path]:
    """Write the page, the model as ONNX, the gallery with its disparity, and onnxruntime-web's files.

    Args:
        model: in evaluation mode, on the CPU, at the size to fly at.
        folder: new, empty, or an earlier export, which is written over.
        name: of the model.
        runtime: the folder of onnxruntime-web as npm installed it.

    Raises:
        InputError: ``runtime`` is not that; ``folder`` holds something else.
        MissingDependency: ``onnx`` is not installed.
    """
    version = _check_runtime(runtime)
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not _is_export(folder))):
        raise InputError(f"{folder} is not empty and not an earlier export", remedy="Give a new or an empty folder")
    (folder / "ort").mkdir(parents=True, exist_ok=True)
    (folder / "start").mkdir(exist_ok=True)
    write_json(folder / "gallery.json", {"format": FORMAT})  # marks the folder as ours
    export_onnx(model, folder, name, half=True)
    for file in RUNTIME:
        shutil.copyfile(runtime / "dist" / file, folder / "ort" / file)
    for file in _OWN:
        shutil.copyfile(STATIC / file, folder / file)
    shutil.copyfile(STATIC / "web_link.js", folder / "link.js")
    pictures = "\n".join(f"start/{still.start}.jpg: {still.credit}." for still in gallery().values())
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    (folder / "index.html").write_text(page.replace("/static/", "").replace("TOKEN", ""), encoding="utf-8")
    (folder / "CREDITS.txt").write_text(
        _CREDITS.format(pictures=pictures, name=name, version=version), encoding="utf-8"
    )
    about = {
        "format": FORMAT,
        "models": [name],
        "fingerprint": sha256_of(folder / GENERATOR)[:12],
        "width": model.config.width,
        "height": model.config.height,
        "maxSobel": model.config.max_sobel,
        "sky": model.config.sky,
        "keyframeEvery": model.config.keyframe_every,
        "mirror": model.config.mirror,
        "pictures": [row | {"intrinsics": _write_start(row["start"], model, folder)} for row in described()],
    }
    write_json(folder / "gallery.json", about)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _write_start(name: str, model: InfiniteNature, folder: Path) -> list[float]:
    """Write a start's picture, and its RGB and disparity at the model's size as planes of 16 bits, little endian.

    Returns its intrinsics, normalised: fx fy cx cy.
    """
    start = read_still(name, model.config.height, model.config.width)
    shutil.copyfile(picture_file(name), folder / "start" / f"{name}.jpg")
    (folder / "start" / f"{name}.bin").write_bytes(np.round(start.rgbd * 65535).astype("<u2").tobytes())
    return [float(value) for value in start.intrinsics]


def _check_runtime(runtime: Path) -> str:
    """The version of an installed onnxruntime-web."""
    missing = [file for file in RUNTIME if not (runtime / "dist" / file).is_file()]
    if missing:
        raise InputError(
            f"{runtime} is not onnxruntime-web as npm installs it: no dist/{missing[0]}",
            remedy=f"Run: npm install onnxruntime-web@{TESTED}, or name its folder with --onnxruntime-web",
        )
    return str(read_json(runtime / "package.json")["version"])


def _is_export(folder: Path) -> bool:
    try:
        return bool(read_json(folder / "gallery.json")["format"] == FORMAT)
    except (OSError, ValueError, LookupError, TypeError):  # none, or somebody else's
        return False
