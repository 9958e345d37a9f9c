"""Check this machine: programs, libraries, device, weights, and what to install."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

from ..errors import EXTRAS, MissingDependency


@dataclass(frozen=True)
class Check:
    """One finding. If a ``needed`` check is not ``ok``, ``flythrough doctor`` exits with 1."""

    name: str
    ok: bool
    finding: str
    remedy: str = ""
    needed: bool = True


def checks() -> list[Check]:
    """Examine the machine; takes a few seconds where torch is installed (loads it)."""
    return [_python(), _ffmpeg(), _deno(), _pycolmap(), _device(), _disk(), *_extras(), *_weights()]


def _python() -> Check:
    ok = sys.version_info >= (3, 11)
    return Check("python", ok, sys.version.split()[0], "Install Python 3.11 or newer")


def _ffmpeg() -> Check:
    from ..media.video_writer import ffmpeg_path

    try:
        path = ffmpeg_path()
    except MissingDependency as error:
        return Check("ffmpeg", False, error.message, error.remedy, needed="FLYTHROUGH_FFMPEG" in os.environ)
    try:
        line, encoders = (
            subprocess.run([path, *asked], capture_output=True, text=True, timeout=20, check=True).stdout
            for asked in (["-version"], ["-hide_banner", "-encoders"])
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Check("ffmpeg", False, str(error), "pip install 'flythrough[video]', or install your system's ffmpeg")
    if "libx264" not in encoders:
        return Check(
            "ffmpeg", False, f"{path} has no libx264", "Install an ffmpeg with libx264, or remove it from PATH"
        )
    return Check("ffmpeg", True, f"{line.split()[2]} ({path})")


def _deno() -> Check:
    """yt-dlp needs a JavaScript runtime for YouTube; the package ``deno`` puts one beside the interpreter."""
    beside = os.path.join(os.path.dirname(sys.executable), "deno")
    path = shutil.which("deno") or (beside if os.path.exists(beside) else None)
    if path is None:
        remedy = "pip install 'flythrough[youtube]'"
        return Check("deno", False, "not found: YouTube downloads will fail", remedy, needed=False)
    try:
        version = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return Check("deno", False, f"{path} does not run: {error}", "pip install --force-reinstall deno")
    return Check("deno", True, f"{version.split()[1]} ({path})")


def _pycolmap() -> Check:
    try:
        version = importlib.metadata.version("pycolmap")
    except importlib.metadata.PackageNotFoundError:
        return Check("pycolmap", False, "not installed", "pip install 'flythrough[sfm]'", needed=False)
    return Check("pycolmap", int(version.split(".")[0]) >= 4, version, "pip install -U pycolmap")


def _device() -> Check:
    if importlib.util.find_spec("torch") is None:
        remedy = "pip install 'flythrough[train]', or [evaluate]"
        return Check("device", False, "torch is not installed", remedy, needed=False)
    import torch

    from ..networks.device import pick

    device = pick()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return Check("device", True, f"{name}, torch {torch.__version__}")


def _disk() -> Check:
    free_gb = shutil.disk_usage(".").free / 1e9
    return Check("disk", free_gb > 5, f"{free_gb:.0f} GB free here", "Free some space for the workspace", needed=False)


def _extras() -> list[Check]:
    found = []
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        finding = f"not installed: {', '.join(missing)}" if missing else "installed"
        found.append(Check(f"[{extra}]", not missing, finding, f"pip install 'flythrough[{extra}]'", needed=False))
    return found


def _weights() -> list[Check]:
    from ..networks import weights

    return [
        Check(
            name, here, "here" if here else f"not here ({weight.use})", f"flythrough weights fetch {name}", needed=False
        )
        for name, weight in weights.WEIGHTS.items()
        for here in [not weights.missing_files(name)]
    ]
