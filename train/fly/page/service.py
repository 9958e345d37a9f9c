"""The state that all sessions share: models, starts, films, one thread that flies, and limits."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from flythrough.errors import InputError

from ...model.network import InfiniteNature
from ..from_photo import Start, photo_start
from ..photo import Photo
from .commands import Command
from .film import Films
from .flight import SideBySide, SteeredFlight
from .gallery import gallery, read_still

KEPT_PHOTOS = 16  # uploads; the oldest is forgotten

Sized = dict[tuple[int, int], Start]  # one start at each model's height and width


@dataclass
class Service:
    """Loaded models, ready to fly.

    Attributes:
        models: by name, at least one, in evaluation mode, on their device; they fly side by side.
        depth: source of an upload's disparity; see :func:`flythrough.train.fly.depth.photo_disparity`.
        bf16: refine in bfloat16.
        max_sessions: number of sessions that can fly at a time; they take turns, one step each.
        idle_s: seconds without a command after which a session ends.
    """

    models: Mapping[str, InfiniteNature]
    depth: str = "auto"
    bf16: bool = False
    max_sessions: int = 4
    idle_s: float = 600.0
    sessions: int = 0
    photos: OrderedDict[str, Sized] = field(default_factory=OrderedDict)
    films: Films = field(default_factory=Films)
    pilot: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "fly"))  # first come, first served

    def add_photo(self, photo: Photo) -> tuple[str, str]:
        """Keep an upload; returns its name, and a note about it for the viewer."""
        starts = {size: photo_start(photo, *size, self.depth) for size in self._sizes()}
        name = f"photo-{secrets.token_hex(4)}"
        self.photos[name] = starts
        while len(self.photos) > KEPT_PHOTOS:
            self.photos.popitem(last=False)
        (model_height, model_width), start = next(iter(starts.items()))
        height, width = photo.image.shape[:2]
        lens = "lens from EXIF" if photo.focal else "a 64-degree lens assumed"
        crop = "" if abs(width / height * model_height / model_width - 1) < 0.01 else "cropped about its middle; "
        return name, f"{crop}disparity: {start.disparity_from}; {lens}"

    def check_start(self, name: object) -> str:
        """The name of a gallery picture or upload.

        Raises:
            InputError: there is none of that name.
        """
        if isinstance(name, str) and (name in self.photos or name in gallery()):
            return name
        raise _not_here()

    def take_off(self, name: str, seed: int = 0) -> SideBySide:
        """A new flight of each model from a start by its name.

        Raises:
            InputError: no start has that name.
        """
        starts = self._starts(name)
        return SideBySide(
            {
                label: SteeredFlight(model, starts[model.config.height, model.config.width], seed, bf16=self.bf16)
                for label, model in self.models.items()
            }
        )

    def warm_up(self) -> None:
        """Fly one step in advance, so that the first viewer does not wait for the compiler."""
        self.pilot.submit(lambda: self.take_off(next(iter(gallery()))).step(Command()))

    def fingerprint(self) -> str:
        """Eight digits that change with any model's weights or size: a link repeats a flight only on the same."""
        digest = hashlib.sha256()
        for model in self.models.values():
            digest.update(repr(model.config).encode())
            for value in model.state_dict().values():
                digest.update(value.detach().cpu().contiguous().numpy().data)
        return digest.hexdigest()[:8]

    def _sizes(self) -> list[tuple[int, int]]:
        return list(dict.fromkeys((model.config.height, model.config.width) for model in self.models.values()))

    def _starts(self, name: str) -> Sized:
        if name in gallery():
            return {size: read_still(name, *size) for size in self._sizes()}
        if (starts := self.photos.get(name)) is None:  # another thread may have forgotten it since it was checked
            raise _not_here()
        return starts


def _not_here() -> InputError:
    return InputError("That picture is not here (any more)", remedy="Choose one of the gallery, or upload it")
