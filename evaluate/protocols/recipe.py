"""How the sample world is filmed for a protocol, in numbers that are the same on every machine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flythrough.workspace.stage import Section


class Recipe(Section):
    """One take per island. Poses and pictures are computed from it, so the protocol holds no computed values."""

    first_island: int = Field(ge=0, description="seed of the first island; the others follow")
    islands: int = Field(ge=1, description="how many, one clip each")
    frames: int = Field(ge=2, description="frames a clip")
    fps: int = Field(default=8, ge=1, description="frames per second; the camera moves 1.5 units per second")
    height: int = Field(default=200, ge=32, description="pixels of a filmed frame")
    width: int = Field(default=320, ge=32, description="pixels of a filmed frame")
    kinds: tuple[Literal["forward", "orbit", "sideways"], ...] = Field(
        default=("forward", "orbit", "sideways"), min_length=1, description="how the camera moves, island by island"
    )

    def takes(self) -> list[tuple[str, int, str]]:
        """(clip, island, kind of flight) of every take, in order."""
        seeds = range(self.first_island, self.first_island + self.islands)
        return [(f"island_{seed}", seed, self.kinds[place % len(self.kinds)]) for place, seed in enumerate(seeds)]
