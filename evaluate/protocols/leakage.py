"""Refuses checkpoints that were trained on a protocol's starts: scores there would measure memory."""

from __future__ import annotations

from pathlib import Path

from flythrough.scene.trained_on import read_trained_on

from ..methods.registry import MethodFailure
from .source import Source


def refuse_trained_on(source: Source, checkpoint: Path) -> None:
    """Refuse a checkpoint that has seen a start of a protocol whose starts are held out.

    The checkpoint's own record counts, not the splits in today's table, which may have changed since.

    Raises:
        MethodFailure: it was trained on a start; names the starts.
    """
    history = read_trained_on(checkpoint)
    if history is None or not source.protocol.header.held_out:
        return
    seen = {}
    for start in source.protocol.starts:
        clip = source.clip_of(start)
        if why := history.seen(clip.id, source.clip_sha256(start.clip), clip.video_id, clip.island):
            seen[start.clip] = why
    if seen:
        first, why = next(iter(seen.items()))
        raise MethodFailure(
            f"the checkpoint was trained on {len(seen)} of {source.protocol.name}'s clips: {first}: {why}",
            remedy="Train again on today's split with: flythrough train; or score on clips it has not seen",
        )
