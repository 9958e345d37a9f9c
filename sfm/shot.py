"""A shot in progress: whether its pictures are usable, and publishing its posed pieces."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from flythrough.workspace.catalog import Row, to_json
from flythrough.workspace.stage import Job, Outcome

from .config import SfmConfig
from .decide import BY_RULE
from .pieces import PIECES, Piece, read_pieces, write_pieces
from .poses.footage import MIN_COLUMNS, MIN_ROWS, Footage

logger = logging.getLogger(__name__)


def drop(job: Job, reason: str, **values: object) -> Outcome:
    """Drop the shot, with the reason."""
    logger.info("dropped: %s %s", reason, values)
    return Outcome(drops=[{"id": job.task.id, "reason": reason, "values": values}])


def too_poor(footage: Footage, config: SfmConfig) -> str | None:
    """Reason why the pictures are not usable for a clip, or None."""
    height, width = footage.color.shape[1:3]
    if len(footage) < config.frames.min_frames:
        return "too_few_frames"
    return "too_small" if height < MIN_ROWS or width < MIN_COLUMNS else None


@dataclass(frozen=True)
class Context:
    """A shot in progress: its origin and the figures so far."""

    job: Job
    footage: Footage
    video_id: str
    url: str
    figures: Row

    def publish_known(self, config: SfmConfig, clip_id: str | None = None) -> Outcome | None:
        """Publish the pieces that an earlier run of this task posed; None if there are none."""
        found = read_pieces(self.job.workspace / self.job.published)
        if found is None:
            return None
        figures, pieces = found
        self.figures.update(figures)
        logger.info("posed before: %d pieces of %s", len(pieces), PIECES)
        return self.publish(pieces, config, clip_id)

    def publish(self, pieces: list[Piece], config: SfmConfig, clip_id: str | None = None) -> Outcome:
        """Judge every posed piece; write the clips of those that pass, and the poses of all.

        Args:
            pieces: scenes, with the figures known of each.
            config: the stage's settings.
            clip_id: the clip's id, if it is given; by default made from the shot's.
        """
        from .clip import publish_clip
        from .poses.rolling import readout
        from .poses.trajectory import measure_quality, smooth

        job, outcome = self.job, Outcome()
        registered = round(sum(len(scene.frames) for scene, _ in pieces) / len(self.footage), 4)
        figures = {**self.figures, "registered": registered}
        if not pieces:
            return drop(job, "few_frames_posed", **figures)
        pieces = write_pieces(job.folder, self.figures, pieces)
        if reason := config.quality.judge(figures, partial=True).reason:
            return drop(job, reason, **figures, **{BY_RULE: True})
        for number, (scene, known) in enumerate(pieces):
            id = clip_id or (job.task.id if len(pieces) == 1 else f"{job.task.id}-{number}")
            smoothed = smooth(scene.poses, self.footage.times_us[scene.frames])
            measures = figures | known | measure_quality(scene, smoothed, film=self.footage.film).figures()
            if reason := config.quality.judge(measures, partial=True).reason:
                logger.info("%s dropped: %s", id, reason)
                outcome.drops.append({"id": id, "reason": reason, "values": measures | {BY_RULE: True}})
                continue
            if self.footage.film and (found := readout(scene, self.footage.times_us[scene.frames])):
                measures |= found.figures()
            row = publish_clip(job, id, self.footage, scene, smoothed, self.url, config)
            measures |= row.pop("measures")
            row |= {"shot_id": job.task.id, "video_id": self.video_id, "measures": to_json(measures)}
            outcome.rows.append(row)
        return outcome
