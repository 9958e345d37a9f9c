"""Errors a user can act on: one line of what is wrong, one of what to do."""

from __future__ import annotations


class FlythroughError(Exception):
    """Something went wrong that a user can mend.

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


class ConfigError(FlythroughError):
    """A setting is unknown, of the wrong type, or impossible."""

    kind = "config"


class DiskError(FlythroughError):
    """The disk is full, read-only, or not ours to write to."""

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
