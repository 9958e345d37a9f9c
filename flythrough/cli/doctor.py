"""Is this machine ready? Programs, libraries, device, weights, and what to install."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

from ..errors import FlythroughError


@dataclass(frozen=True)
class Check:
    """One finding; ``needed`` checks that are not ``ok`` make the doctor exit with 1."""

    name: str
    ok: bool
    finding: str
    remedy: str = ""
    needed: bool = True


EXTRAS = {"ray": "ray", "transformers": "depth", "tensorflow": "tf", "webdataset": "export"}


def checks() -> list[Check]:
    """Examine the machine; takes a few seconds (loads torch)."""
    return [_python(), _ffmpeg(), _deno(), _pycolmap(), _device(), _disk(), *_extras(), *_weights()]


def _python() -> Check:
    ok = sys.version_info >= (3, 11)
    return Check("python", ok, sys.version.split()[0], "Install Python 3.11 or newer")


def _ffmpeg() -> Check:
    from ..media.video_writer import ffmpeg_path

    try:
        path = ffmpeg_path()
        line = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (FlythroughError, OSError, subprocess.SubprocessError) as error:
        return Check("ffmpeg", False, str(error), "pip install imageio-ffmpeg, or install your system's ffmpeg")
    encoders = subprocess.run(
        [path, "-hide_banner", "-encoders"], capture_output=True, text=True, timeout=20, check=False
    )
    if "libx264" not in encoders.stdout:
        return Check(
            "ffmpeg", False, f"{path} has no libx264", "Install an ffmpeg with libx264, or remove it from PATH"
        )
    return Check("ffmpeg", True, f"{line.split()[2]} ({path})")


def _deno() -> Check:
    """yt-dlp needs a JavaScript runtime for YouTube; the package ``deno`` puts one beside the interpreter."""
    beside = os.path.join(os.path.dirname(sys.executable), "deno")
    path = shutil.which("deno") or (beside if os.path.exists(beside) else None)
    if path is None:
        return Check("deno", False, "not found: YouTube downloads will fail", "pip install deno")
    try:
        version = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return Check("deno", False, f"{path} does not run: {error}", "pip install --force-reinstall deno")
    return Check("deno", True, f"{version.split()[1]} ({path})")


def _pycolmap() -> Check:
    try:
        version = importlib.metadata.version("pycolmap")
    except importlib.metadata.PackageNotFoundError:
        return Check("pycolmap", False, "not installed", "pip install pycolmap")
    return Check("pycolmap", int(version.split(".")[0]) >= 4, version, "pip install -U pycolmap")


def _device() -> Check:
    import torch

    from ..networks.device import pick

    device = pick()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return Check("device", True, f"{name}, torch {torch.__version__}")


def _disk() -> Check:
    free_gb = shutil.disk_usage(".").free / 1e9
    return Check("disk", free_gb > 5, f"{free_gb:.0f} GB free here", "A workspace wants space; free some", needed=False)


def _extras() -> list[Check]:
    return [
        Check(
            module, found, "installed" if found else "not installed", f"pip install 'flythrough[{extra}]'", needed=False
        )
        for module, extra in EXTRAS.items()
        for found in [importlib.util.find_spec(module) is not None]
    ]


def _weights() -> list[Check]:
    from ..networks import weights

    return [
        Check(
            name, here, "here" if here else f"not here ({weight.use})", f"flythrough weights fetch {name}", needed=False
        )
        for name, weight in weights.WEIGHTS.items()
        for here in [not weights.missing_files(name)]
    ]
