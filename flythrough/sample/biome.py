"""Landscapes of the sample world: how the land lies, what it is made of, and the air and light above it.

All are the same maps with other figures. A *folded* landscape has land on both sides of the line that is the coast
elsewhere, so a channel or a valley winds through it. Every biome but the coast also varies with the seed:
sun, haze, clouds, and the season of what grows.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

Color = tuple[float, float, float]
NEVER = 1e9  # height of a snow line that no hill reaches


class Relief(NamedTuple):
    """How the land lies, lengths in units.

    Attributes:
        folded: land on both sides of the coastline.
        rise: added to the distance from the shore, so that land begins farther out, or (below 0) farther in.
        cliffs: added to the noise by which a shore is beach (below 0) or cliff (above).
        hills: height of the highest hills.
        hills_from, hills_to: distance from the shore at which hills begin, and at which they are full.
        rolling: height of the low swell of the ground, and how much it varies.
    """

    folded: bool = False
    rise: float = 0.0
    cliffs: float = 0.0
    hills: float = 3.4
    hills_from: float = 1.2
    hills_to: float = 7.0
    rolling: tuple[float, float] = (0.22, 0.35)


class Cover(NamedTuple):
    """What the ground is made of; colours are reflectances, RGB in 0..1.

    Attributes:
        sand: of beaches, and of all ground without grass.
        grass, dry: of fresh grass, and what is added where it is dry.
        grassy: added to the noise by which grass grows; 9 for everywhere, -9 for nowhere.
        rock, warm: of cool rock, and what is added where it is warm.
        leaf: of trees.
        wooded: added to the noise by which woods grow; -9 for nowhere, not even bushes.
        snow: height above which snow lies, in units.
        sunlight: the sun's colour.
    """

    sand: Color = (0.62, 0.50, 0.33)
    grass: Color = (0.12, 0.20, 0.05)
    dry: Color = (0.17, 0.06, 0.05)
    grassy: float = 9.0
    rock: Color = (0.25, 0.22, 0.19)
    warm: Color = (0.13, 0.06, -0.01)
    leaf: Color = (0.075, 0.135, 0.035)
    wooded: float = 0.0
    snow: float = NEVER
    sunlight: Color = (1.0, 0.95, 0.84)


class Air(NamedTuple):
    """What lies between camera and ground, and the water, which mirrors it; colours gamma-encoded.

    Attributes:
        haze: its colour.
        density: of the haze, per unit of distance.
        horizon, zenith: of the sky, and what is added towards the zenith.
        clouds: added to the noise by which clouds form; -1 for none, 1 for an overcast sky.
        deep, medium, shallow: of deep water, and what is added as the ground comes near.
    """

    haze: Color = (0.74, 0.82, 0.89)
    density: float = 1.0 / 55.0
    horizon: Color = (0.76, 0.84, 0.91)
    zenith: Color = (-0.50, -0.36, -0.12)
    clouds: float = 0.0
    deep: Color = (0.03, 0.20, 0.33)
    medium: Color = (0.10, 0.28, 0.22)
    shallow: Color = (0.42, 0.20, 0.05)


class Biome(NamedTuple):
    """One kind of landscape."""

    relief: Relief = Relief()
    cover: Cover = Cover()
    air: Air = Air()

    def varied(self, rng: np.random.Generator, elevation: float) -> Biome:
        """As it is on one day of one year; ``elevation`` of the sun in radians."""
        low = max(0.0, 1.0 - elevation / math.radians(35))  # how near the sun is to setting
        season = rng.uniform(-1, 1)  # spring to autumn
        grass, leaf = (
            (r * (1 + 0.6 * max(season, 0.0)), g * (1 - 0.15 * abs(season)), b * (1 - 0.3 * max(season, 0.0)))
            for r, g, b in (self.cover.grass, self.cover.leaf)
        )
        cover = self.cover._replace(
            grass=grass,
            leaf=leaf,
            dry=_times(self.cover.dry, 1 + 0.5 * season),
            sunlight=(1.0, 0.95 - 0.25 * low, 0.84 - 0.45 * low),
        )
        air = self.air._replace(
            density=self.air.density * 2.0 ** rng.uniform(-1.0, 1.3),
            clouds=self.air.clouds + rng.uniform(-0.35, 0.35),
            haze=_mixed(self.air.haze, (0.86, 0.74, 0.62), 0.6 * low),
            horizon=_mixed(self.air.horizon, (0.93, 0.72, 0.52), 0.7 * low),
        )
        return self._replace(cover=cover, air=air)


def packed(figures: Relief | Cover | Air) -> np.ndarray:
    """The figures as an array of one record: parallel compiled code takes it, if the loop's body reads the record."""
    values = figures._asdict()
    kinds = [(name, np.float64, np.shape(value)) for name, value in values.items()]
    return np.array([tuple(values.values())], kinds)


def _times(color: Color, factor: float) -> Color:
    return color[0] * factor, color[1] * factor, color[2] * factor


def _mixed(a: Color, b: Color, share: float) -> Color:
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), a[2] + share * (b[2] - a[2])


BIOMES = {
    "coast": Biome(),
    "fjord": Biome(
        Relief(folded=True, rise=-1.3, cliffs=0.15, hills_from=0.1, hills_to=2.2),
        Cover(sand=(0.34, 0.32, 0.29), rock=(0.22, 0.22, 0.22), warm=(0.05, 0.02, 0.0), wooded=0.1, snow=1.9),
        Air(
            deep=(0.02, 0.11, 0.18), medium=(0.04, 0.16, 0.14), shallow=(0.22, 0.16, 0.08),
            haze=(0.78, 0.82, 0.86), clouds=0.2,
        ),
    ),
    "canyon": Biome(
        Relief(folded=True, rise=0.35, cliffs=-0.1, hills=2.8, hills_from=1.1, hills_to=2.4),
        Cover(
            sand=(0.44, 0.27, 0.16), grass=(0.22, 0.22, 0.09), grassy=-0.2, rock=(0.34, 0.18, 0.10),
            warm=(0.12, 0.04, 0.01), wooded=-0.35,
        ),
        Air(haze=(0.82, 0.80, 0.78), horizon=(0.80, 0.83, 0.86), clouds=-0.2),
    ),
    "hills": Biome(
        Relief(rise=9.0, cliffs=-1.0, hills_from=2.0, hills_to=14.0, rolling=(0.4, 0.55)),
        Cover(sand=(0.40, 0.33, 0.20), grass=(0.10, 0.21, 0.05), wooded=0.12),
    ),
    "desert": Biome(
        Relief(rise=9.0, cliffs=-1.0, hills=2.2, hills_from=6.0, hills_to=16.0, rolling=(0.6, 0.75)),
        Cover(
            sand=(0.46, 0.31, 0.18), grassy=-9.0, rock=(0.38, 0.26, 0.18), warm=(0.12, 0.04, 0.0), wooded=-9.0,
        ),
        Air(haze=(0.86, 0.80, 0.72), horizon=(0.84, 0.82, 0.78), clouds=-0.4),
    ),
    "snow": Biome(
        Relief(hills_from=0.6, hills_to=4.0),
        Cover(sand=(0.45, 0.43, 0.40), rock=(0.20, 0.20, 0.21), warm=(0.04, 0.02, 0.0), wooded=-0.1, snow=0.12),
        Air(haze=(0.84, 0.87, 0.91), deep=(0.02, 0.14, 0.22), clouds=0.15),
    ),
    "lake": Biome(
        Relief(folded=True, rise=-2.2, cliffs=-0.5, hills=2.4, hills_from=0.8, hills_to=5.0),
        Cover(sand=(0.42, 0.36, 0.25), wooded=0.15),
        Air(deep=(0.02, 0.13, 0.16), medium=(0.06, 0.16, 0.12), shallow=(0.25, 0.17, 0.05)),
    ),
}  # fmt: skip
