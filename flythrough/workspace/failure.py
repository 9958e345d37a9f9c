"""Why a task gave no result: what becomes a row of ``errors.parquet``."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import FlythroughError, missing_module

TIMEOUT_REMEDY = "Raise the stage's time limit in the config, then run again with --retry-errors"
CRASH_REMEDY = (
    "The process died (out of memory, or a crash in a library): run again with --retry-errors, fewer --workers"
)


@dataclass(frozen=True)
class Failure:
    """An error as users read it: kind, message and remedy, one line each."""

    kind: str
    message: str
    exception: str
    remedy: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """The failure that an exception stands for; an unexpected one is of kind "bug"."""
        if isinstance(error, ModuleNotFoundError):
            error = missing_module("This task", error) or error
        if isinstance(error, FlythroughError):
            return cls(error.kind, error.message, type(error).__name__, error.remedy)
        text = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, MemoryError):
            return cls("memory", text, "MemoryError", "Use fewer --workers, or a machine with more memory")
        return cls("bug", text, type(error).__name__, "See the item's log in the workspace; please report it")

    @classmethod
    def timeout(cls, message: str) -> Failure:
        """A task was stopped at its time limit."""
        return cls("timeout", message, "TimeoutError", TIMEOUT_REMEDY)

    @classmethod
    def crash(cls, message: str, exception: str) -> Failure:
        """The process that a task ran in died."""
        return cls("crash", message, exception, CRASH_REMEDY)
