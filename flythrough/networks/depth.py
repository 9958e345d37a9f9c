"""Depth networks of the ``transformers`` library: inverse depth of a picture, up to a scale and a shift."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from ..errors import FlythroughError, extras_named
from . import weights

NETWORKS = ("depth-anything-v2-small", "midas", "dpt-large")  # those of the weights table, preferred first


class DepthNetwork:
    """A network that takes a picture and returns its inverse depth.

    Args:
        source: a folder in the Hugging Face layout, or the name of a repository on the hub.
        device_name: as :func:`flythrough.networks.device.pick` takes it.
        revision: commit of the repository.

    Raises:
        MissingDependency: the extra ``depth`` is not installed.
        FlythroughError: ``source`` holds no depth network (kind "weights").
    """

    def __init__(self, source: str | Path, device_name: str = "auto", revision: str | None = None) -> None:
        with extras_named("A depth network"):
            from transformers import AutoImageProcessor, AutoModelForDepthEstimation

            from . import device

        self._device = device.pick(device_name)
        try:
            self._prepare: Any = AutoImageProcessor.from_pretrained(str(source), revision=revision)
            model: Any = AutoModelForDepthEstimation.from_pretrained(str(source), revision=revision)
        except (OSError, ValueError) as error:
            raise FlythroughError(
                f"No depth network could be loaded from {source} ({str(error).splitlines()[0]})",
                remedy=f"Name a folder or hub repository with one, or run: flythrough weights fetch {NETWORKS[0]}",
                kind="weights",
            ) from error
        self._model: Any = model.to(self._device).eval()

    def __call__(self, image: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w"]:
        """Inverse depth of an RGB picture at the picture's size, in the network's own scale and shift."""
        import torch

        inputs = self._prepare(images=image, return_tensors="pt").to(self._device)
        with torch.inference_mode():
            predicted = self._model(**inputs).predicted_depth[:, None].float()
            resized = torch.nn.functional.interpolate(predicted, image.shape[:2], mode="bicubic", align_corners=False)
        return resized[0, 0].cpu().numpy()


def load(name: str, device_name: str = "auto") -> DepthNetwork:
    """The network called ``name`` in the weights table.

    Raises:
        InputError: there is no entry of that name.
        MissingWeights: its weights are not on this machine.
        MissingDependency: the extra ``depth`` is not installed.
    """
    return loaded(str(weights.locate(name)), device_name)


@lru_cache(maxsize=1)
def loaded(source: str, device_name: str = "auto", revision: str | None = None) -> DepthNetwork:
    """The :class:`DepthNetwork` of these arguments; a process that asks for the same one again gets the one it has."""
    return DepthNetwork(source, device_name, revision)
