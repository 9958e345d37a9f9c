"""Progress bars with rate and time left; silent when standard error is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


@contextmanager
def bar(description: str, total: float | None = None, unit: str = "it") -> Iterator[Callable[..., None]]:
    """Show a bar; yields ``advance(n=1, note="")``, where ``note`` is shown at the end of the line."""
    if not sys.stderr.isatty():
        yield lambda n=1, note="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=False) as progress:
        task = progress.add_task(description, total=total, note="", rate="")

        def advance(n: float = 1, note: str = "") -> None:
            speed = progress.tasks[0].finished_speed or progress.tasks[0].speed
            progress.update(task, advance=n, rate=f"{speed:.3g} {unit}/s" if speed else "")
            if note:
                progress.update(task, note=note)

        yield advance


def track(items: Iterable[Item], description: str, total: float | None = None, unit: str = "it") -> Iterator[Item]:
    """Iterate under a bar."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with bar(description, total, unit) as advance:
        for item in items:
            yield item
            advance()
