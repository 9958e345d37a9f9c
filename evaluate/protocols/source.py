"""A protocol's starts and real frames, found in a workspace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from flythrough.errors import InputError
from flythrough.scene.clips import Clip, load_clips
from flythrough.workspace.catalog import Workspace

from .protocol import Protocol, Start, as_pose
from .real_frames import RealFrame, split_real


class Source:
    """Reads what a protocol names.

    Args:
        protocol: the protocol.
        workspace: the workspace with its clips.

    Raises:
        InputError: clips are missing, or are not the ones that were frozen; names them.
    """

    def __init__(self, protocol: Protocol, workspace: Workspace) -> None:
        self.protocol = protocol
        self.height, self.width = protocol.header.height, protocol.header.width
        rows = {row["id"]: row for row in workspace.rows("clips")}
        self._clips = {clip.id: clip for clip in load_clips(workspace)}
        for row in rows.values():  # a given clip is also known by its camera file's name
            if row["id"] in self._clips:
                self._clips.setdefault(Path(row["camera_file"]).stem, self._clips[row["id"]])
        wanted = {start.clip: start.sha256 for start in protocol.starts}
        if missing := sorted(set(wanted) - set(self._clips)):
            raise InputError(
                f"{protocol.name} needs {len(wanted)} clips, {len(missing)} are not in {workspace.root}: "
                f"{', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}",
                remedy="Get them (acquire, sfm), or freeze what there is with: flythrough evaluate protocol build",
            )
        changed = [c for c, sha256 in wanted.items() if sha256 and rows[self._clips[c].id]["sha256"] != sha256]
        if changed:
            raise InputError(
                f"{protocol.name} was frozen from other versions of {', '.join(changed[:5])}",
                remedy="Bring the clips back, or freeze a new protocol under a new name",
            )
        self._hashes = {key: rows[clip.id]["sha256"] for key, clip in self._clips.items()}

    def clip_of(self, start: Start) -> Clip:
        """The clip that a start is a frame of."""
        return self._clips[start.clip]

    def clip_sha256(self, clip: str) -> str:
        """Hash of a clip's folder, by the clip's id."""
        return str(self._hashes[clip])

    def rgbd(self, start: Start) -> Float[np.ndarray, "4 h w"]:
        """The start frame's RGB and disparity in [0, 1]."""
        assert start.frame is not None
        return self.clip_of(start).rgbd(start.frame, self.height, self.width)

    def start_frame(self, start: Start) -> UInt8[np.ndarray, "h w 3"]:
        """The start frame at the protocol's size, as a method is given it."""
        return np.round(self.rgbd(start)[:3].transpose(1, 2, 0) * 255).astype(np.uint8)

    def intrinsics(self, start: Start) -> Float[np.ndarray, 4]:
        """fx fy cx cy of a start frame, normalised."""
        if start.intrinsics is not None:
            return np.array(start.intrinsics)
        return self.clip_of(start).cameras.intrinsics[start.frame]

    def recorded(self, start: Start) -> list[int]:
        """Frames at step 1, 2, ... along the recorded path; fewer than asked for if the clip ends before."""
        assert start.frame is not None
        if start.recorded is not None:
            return list(start.recorded)
        clip = self.clip_of(start)
        longest = self.protocol.header.view_synthesis.longest
        return list(range(start.frame + clip.steps, len(clip), clip.steps)[:longest])

    def poses(self, start: Start) -> Float[np.ndarray, "n 3 4"]:
        """Poses at the start and the recorded frames."""
        if start.poses is not None:
            return np.stack([as_pose(values) for values in start.poses])
        assert start.frame is not None
        return self.clip_of(start).cameras.poses[[start.frame, *self.recorded(start)]]

    def out_and_back(self, start: Start) -> Float[np.ndarray, "n 3 4"] | None:
        """Poses of the flight that comes back to the start; None if the protocol has none from here."""
        steps = self.protocol.header.view_synthesis.revisit
        poses = self.poses(start)
        if not steps or len(poses) <= steps:
            return None
        return np.concatenate([poses[: steps + 1], poses[:steps][::-1]])

    def frame(self, real: RealFrame) -> UInt8[np.ndarray, "h w 3"]:
        """A recorded frame at the protocol's size."""
        import cv2

        image = self._clips[real.clip].frame(real.frame)
        if image.shape[:2] == (self.height, self.width):
            return image
        return cv2.resize(image, (self.width, self.height), interpolation=cv2.INTER_AREA)

    def real_sets(self) -> tuple[list[RealFrame], list[RealFrame]]:
        """The real side of set distances, and the other real frames of the floor."""
        index = self.protocol.index
        chosen = index.reference, index.floor
        if chosen[0] is None or chosen[1] is None:
            clips = {start.clip: self.clip_of(start) for start in self.protocol.starts}
            lengths = {name: len(clip) for name, clip in clips.items()}
            videos = {name: clip.video_id for name, clip in clips.items()}
            chosen = split_real(lengths, videos, self.protocol.header)
        reference, floor = ([RealFrame(c, f) for c, frames in part.items() for f in frames] for part in chosen)  # type: ignore[union-attr]
        return reference, floor
