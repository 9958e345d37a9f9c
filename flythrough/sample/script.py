"""The script of a sample video: good takes, and what a real channel puts between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8

MAIN_S = 4.4  # least length of a video's good take, where the video is that long
MIX_S = 0.5  # length of a dissolve or of a fade
BAR = 0.125  # share of the height that each letterbox bar covers

# Why a piece of each kind is of no use for a dataset of moving aerial shots. Bars and logos can be cropped.
PROBLEMS = {
    "title": ("title_card",),
    "static": ("static",),
    "rotation": ("rotation_only",),
    "zoom": ("zoom_only",),
    "sea": ("no_land",),
}
CURABLE = frozenset({"letterbox", "logo"})


@dataclass(frozen=True)
class Piece:
    """One shot of a video.

    Attributes:
        kind: one of :data:`.paths.KINDS`, or ``title``.
        frames: frames that show this piece alone.
        extras: ``letterbox``, ``logo``, ``shaky``.
        ends: how the next piece begins: ``cut``, ``dissolve`` or ``fade`` (through black); ``end`` if none does.
        mix: frames of that transition; 0 for a cut.
    """

    kind: str
    frames: int
    extras: tuple[str, ...] = ()
    ends: str = "cut"
    mix: int = 0

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the piece, by the reasons that curate gives; empty where it is usable."""
        return PROBLEMS.get(self.kind, ()) + self.extras

    @property
    def usable(self) -> bool:
        """Whether a clip can be made of it."""
        return set(self.problems) <= CURABLE


# (kind, extras, how it ends); "main" is the good take, whose kind rotates through _MAINS.
_PATTERNS: tuple[tuple[tuple[str, tuple[str, ...], str], ...], ...] = (
    (("title", (), "cut"), ("main", (), "dissolve"), ("static", (), "cut")),
    (("main", (), "cut"), ("forward", ("letterbox",), "cut"), ("rotation", (), "cut")),
    (("zoom", (), "cut"), ("main", (), "fade"), ("title", (), "cut")),
    (("sea", (), "dissolve"), ("main", (), "cut"), ("sideways", ("logo",), "cut")),
    (("forward", ("shaky",), "cut"), ("main", (), "dissolve"), ("title", (), "cut")),
)
_MAINS = ("forward", "orbit", "sideways")


def script(index: int, frame_count: int, fps: float) -> list[Piece]:
    """The pieces of the video of this index, which together make ``frame_count`` frames."""
    sections = max(round(frame_count / fps / 8), 1)
    bounds = np.linspace(0, frame_count, sections + 1).round().astype(int)
    found: list[Piece] = []
    for number, length in enumerate(np.diff(bounds)):
        found += _section(index + number, int(length), fps)
    return [*found[:-1], replace(found[-1], ends="end", mix=0)]


def _section(number: int, length: int, fps: float) -> list[Piece]:
    main = _MAINS[number % len(_MAINS)]
    mix = round(MIX_S * fps)
    pattern = _PATTERNS[number % len(_PATTERNS)]
    spare = length - max(round(MAIN_S * fps), round(0.55 * length))
    spare -= sum(mix for _, _, ends in pattern if ends != "cut")
    others = len(pattern) - 1
    if spare < others * round(0.7 * fps):  # too short a video for more than one take
        return [Piece(main, length)]
    parts = [spare // others + (k < spare % others) for k in range(others)]
    pieces = []
    for kind, extras, ends in pattern:
        frames = length - spare - sum(mix for _, _, e in pattern if e != "cut") if kind == "main" else parts.pop()
        pieces.append(Piece(main if kind == "main" else kind, frames, extras, ends, 0 if ends == "cut" else mix))
    return pieces


def title_card(text: str, frames: int, width: int, height: int) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """A channel's title, fading in on a dark ground."""
    import cv2

    ground = np.linspace(26, 58, height)[:, None, None] * np.array([0.7, 0.85, 1.2])
    card = np.broadcast_to(ground, (height, width, 3)).astype(np.uint8).copy()
    lettered = card.copy()
    scale = width / 640
    for line, size, down in ((text, 1.5, 0.46), ("an aerial film", 0.7, 0.60)):
        thickness = max(round(2 * scale * size), 1)
        (across, _), _ = cv2.getTextSize(line, cv2.FONT_HERSHEY_DUPLEX, size * scale, thickness)
        place = ((width - across) // 2, round(down * height))
        cv2.putText(
            lettered, line, place, cv2.FONT_HERSHEY_DUPLEX, size * scale, (240, 236, 228), thickness, cv2.LINE_AA
        )
    for k in range(frames):
        share = min((k + 1) / max(0.4 * frames, 1), 1.0)
        yield blend(card, lettered, share)


def blend(a: UInt8[np.ndarray, "h w 3"], b: UInt8[np.ndarray, "h w 3"], share: float) -> UInt8[np.ndarray, "h w 3"]:
    """Mix ``share`` (0 to 1) of image b into image a, rounded."""
    return np.rint(a + share * (b.astype(np.float32) - a)).astype(np.uint8)


def picture_box(extras: tuple[str, ...], width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (exclusive) of the picture, without bars."""
    bar = round(BAR * height / 2) * 2 if "letterbox" in extras else 0
    return 0, bar, width, height - bar


def dress(image: UInt8[np.ndarray, "h w 3"], extras: tuple[str, ...]) -> UInt8[np.ndarray, "h w 3"]:
    """Draw a piece's bars and logo into a frame, in place."""
    import cv2

    height, width = image.shape[:2]
    if "letterbox" in extras:
        _, top, _, bottom = picture_box(extras, width, height)
        image[:top], image[bottom:] = 0, 0
    if "logo" in extras:
        size = width / 640
        place = (round(0.80 * width), round(0.10 * height))
        cv2.putText(image, "AEROFILM", place, cv2.FONT_HERSHEY_DUPLEX, 0.6 * size, (250, 250, 250), 1, cv2.LINE_AA)
    return image
