"""What all sessions share: the model, the starts, one thread that flies, and the limits."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from flythrough.errors import InputError

from ...model.network import InfiniteNature
from ..from_photo import Start, photo_start
from ..photo import Photo
from .flight import Command, SteeredFlight
from .gallery import SEEDS, island_name, read_island

KEPT_PHOTOS = 16  # uploads; the oldest is forgotten


@dataclass
class Service:
    """A loaded model, ready to fly.

    Attributes:
        model: in evaluation mode, on its device.
        depth: who gives an upload's disparity; see :func:`flythrough.train.fly.depth.photo_disparity`.
        bf16: refine in bfloat16.
        max_sessions: how many can fly at a time; they take turns, a step each.
        idle_s: a session ends after so many seconds without a command.
    """

    model: InfiniteNature
    depth: str = "auto"
    bf16: bool = False
    max_sessions: int = 4
    idle_s: float = 600.0
    sessions: int = 0
    photos: OrderedDict[str, Start] = field(default_factory=OrderedDict)
    pilot: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "fly"))  # first come, first served

    def add_photo(self, photo: Photo) -> tuple[str, str]:
        """Keep an upload; returns its name, and what is to be said about it."""
        height, width = photo.image.shape[:2]
        start = photo_start(photo, self.model.config.height, self.model.config.width, self.depth)
        name = f"photo-{secrets.token_hex(4)}"
        self.photos[name] = start
        while len(self.photos) > KEPT_PHOTOS:
            self.photos.popitem(last=False)
        lens = "lens from EXIF" if photo.focal else "a 64-degree lens assumed"
        wanted = self.model.config.width / self.model.config.height
        crop = "" if abs(width / height / wanted - 1) < 0.01 else "cropped about its middle; "
        return name, f"{crop}disparity: {start.disparity_from}; {lens}"

    def start(self, name: object) -> Start:
        """A gallery picture or upload by its name.

        Raises:
            InputError: there is none.
        """
        for seed in SEEDS:
            if name == island_name(seed):
                return read_island(seed, self.model.config.height, self.model.config.width)
        if not isinstance(name, str) or name not in self.photos:
            raise InputError("That picture is not here (any more)", remedy="Choose one of the gallery, or upload it")
        return self.photos[name]

    def take_off(self, name: object, seed: int = 0) -> SteeredFlight:
        """A new flight from a start by its name."""
        return SteeredFlight(self.model, self.start(name), seed, bf16=self.bf16)

    def warm_up(self) -> None:
        """Fly one step for nobody, so that the first one asked for does not wait for the compiler."""
        self.pilot.submit(lambda: self.take_off(island_name(SEEDS[0])).step(Command()))
