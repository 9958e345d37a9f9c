"""Settings of the stage: ``[acquire]`` in ``flythrough.toml``."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from flythrough.workspace.stage import Section

from .rules import Rules

# The paper found its 765 videos by searching for words like these (ACID, supplement).
SEARCH_WORDS = ("aerial coastal footage", "drone coast 4k", "aerial beach cliffs drone", "coastline aerial footage")


class Source(Section):
    """One place that videos come from: a ``[[acquire.sources]]`` table."""

    kind: Literal["search", "channel", "playlist", "list", "url", "path"] = Field(
        description="a YouTube search; a channel or playlist; a list (.txt, .csv) of URLs; one URL; a file or folder"
    )
    location: str = Field(default="", description="the URL or the path; not used by a search")
    words: tuple[str, ...] = Field(default=SEARCH_WORDS, description="what to search for: one search each")
    count: int = Field(default=50, ge=0, description="most entries of a search, channel or playlist; 0: all")

    @model_validator(mode="after")
    def _complete(self) -> Source:
        if self.kind != "search" and not self.location:
            raise ValueError(f"a source of kind {self.kind} needs a location")
        return self


class Download(Section):
    """How to fetch."""

    max_height_px: int = Field(default=1080, ge=1, description="tallest format to take from a platform")
    attempts: int = Field(default=6, ge=1, description="tries in a row that bring no 64 kB before it has failed")
    backoff_s: float = Field(default=1.0, ge=0, description="longest wait before the second try; then doubling")
    backoff_max_s: float = Field(default=120.0, ge=0, description="longest wait, also where a server asks for it")
    connect_timeout_s: float = Field(default=15.0, gt=0, description="longest wait for a connection")
    stall_timeout_s: float = Field(default=30.0, gt=0, description="longest silence of a server while it sends")
    min_bytes_per_s: float = Field(default=1000, ge=0, description="slower for a stall timeout is a stall")
    time_limit_s: float = Field(default=21600, gt=0, description="longest time for one video, all tries together")
    private_hosts: tuple[str, ...] = Field(
        default=(), description="hosts on this machine or a private network that may be fetched from all the same"
    )
    per_host: int = Field(default=4, ge=1, description="connections to one host, over all workers here")
    requests_per_s: float = Field(default=0, ge=0, description="requests to one host a second; 0: no limit")
    bytes_per_s: float = Field(default=0, ge=0, description="speed limit of one download; 0: none")
    cookies: Path | None = Field(default=None, description="cookies.txt (Netscape format); only read")
    cookies_from_browser: str | None = Field(
        default=None, description="browser to take cookies from: firefox, or chrome:PROFILE"
    )
    proxy: str | None = Field(default=None, description="proxy URL; by default the environment's")


class Budget(Section):
    """Stop downloading when the workspace holds this much; the rest is dropped with the reason ``budget``."""

    gigabytes: float | None = Field(default=None, gt=0, description="most 10^9 bytes to fetch")
    videos: int | None = Field(default=None, ge=1, description="most videos to fetch")
    hours: float | None = Field(default=None, gt=0, description="most hours of video to fetch")


class Verify(Section):
    """How thoroughly a file is checked before it counts as a video."""

    unkeyed: ClassVar[frozenset[str]] = frozenset({"duplicate_bits"})  # compared again in every run

    full_decode_max_s: float = Field(
        default=180,
        ge=0,
        description="decode all frames of videos up to this long; else key frames",
    )
    hdr: Literal["refuse", "tonemap"] = Field(
        default="refuse", description="HDR video (PQ, HLG): drop it, or convert it to SDR H.264"
    )
    duplicate_bits: float = Field(
        default=10, ge=0, le=32, description="re-uploads differ by at most this many of 64 hash bits"
    )


class Frames(Section):
    """Frames extracted for camera files (``--camera-files``)."""

    extract: bool = Field(default=True, description="write frames/CLIP/TIMESTAMP.png beside the video")
    height_px: int = Field(default=360, ge=16, description="height of those frames; never enlarged")
    format: Literal["png", "jpg"] = Field(default="png", description="png is exact; jpg takes a quarter of the space")


class AcquireConfig(Section):
    """Download videos, and record exactly which failed and why."""

    inputs: tuple[str, ...] = Field(default=(), description="files, folders, URLs, lists, ytsearchN:WORDS")
    link_inputs: bool = Field(
        default=False,
        description="hard-link local files instead of copying them: saves the space, but edits in place reach them",
    )
    camera_files: Path | None = Field(default=None, description="folder of RealEstate10K / ACID camera files")
    sources: tuple[Source, ...] = Field(default=(), description="further places that videos come from")
    rules: Rules = Rules()
    download: Download = Download()
    budget: Budget = Budget()
    verify: Verify = Verify()
    frames: Frames = Frames()
