"""Random colour changes, the same for every frame of a flight, as from light, film or season."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

GAMMA, EXPOSURE, BALANCE, SATURATION = 0.35, 0.25, 0.15, 0.4  # largest changes, natural logarithms, at strength 1
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


@dataclass(frozen=True)
class Tint:
    """One change of colours.

    Attributes:
        gamma: exponent of the values in [0, 1].
        gain: factor on red, green and blue.
        saturation: factor on the distance from gray.
    """

    gamma: float
    gain: tuple[float, float, float]
    saturation: float

    @staticmethod
    def draw(random: np.random.Generator, strength: float) -> Tint:
        """A random change; ``strength`` 1 is the full range, 0 none."""
        gamma, exposure, *balance, saturation = random.uniform(-strength, strength, 6)
        red, green, blue = (math.exp(EXPOSURE * exposure + BALANCE * each) for each in balance)
        return Tint(math.exp(GAMMA * gamma), (red, green, blue), math.exp(SATURATION * saturation))

    def apply(self, rgb: Float[np.ndarray, "n 3 h w"]) -> Float[np.ndarray, "n 3 h w"]:
        """Changed colours, in [0, 1]."""
        changed = rgb**self.gamma * np.asarray(self.gain, np.float32)[:, None, None]
        gray = np.tensordot(LUMA, changed, (0, 1))[:, None]
        return np.clip(gray + self.saturation * (changed - gray), 0, 1).astype(rgb.dtype)
