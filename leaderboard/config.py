"""Settings of this stage: ``[leaderboard]`` in ``flythrough.toml``."""

from __future__ import annotations

from pydantic import Field

from flythrough.workspace.stage import Section


class LeaderboardConfig(Section):
    """The leaderboard page."""

    title: str = Field(default="Flythrough leaderboard", description="heading of the page")
    pictures: int = Field(default=2, ge=0, description="starts whose flights are shown frame by frame; 0: none")
    video: bool = Field(default=True, description="also as one video with all methods side by side")
    picture_width: int = Field(default=192, ge=32, description="pixels of a frame on the page")
    base_url: str = Field(default="", description="address of the published page, for the feed; empty: relative links")
