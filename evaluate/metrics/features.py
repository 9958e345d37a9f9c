"""Feature networks (Inception and EfficientNet-Lite0) and running them over many images in constant memory."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, UInt8

from flythrough.errors import InputError
from flythrough.workspace.files import sha256_of

Image = UInt8[np.ndarray, "h w 3"]
NETWORKS = ("inception", "lite0")


@dataclass(frozen=True)
class Extractor:
    """A feature network.

    Attributes:
        name: inception or lite0.
        dimension: length of a feature vector.
        weights_sha256: of its weight file.
        resize: how images are resized to its input size.
        forward: uint8 torch images ``[b, 3, h, w]`` to float32 features ``[b, d]``.
    """

    name: str
    dimension: int
    weights_sha256: str
    resize: str
    forward: Callable[[Any], Any]

    def __call__(self, images: UInt8[np.ndarray, "b h w 3"]) -> Float[np.ndarray, "b d"]:
        """Features of a batch.

        Raises:
            ValueError: the images are not uint8 ``[b, h, w, 3]``.
        """
        import torch

        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise ValueError(f"images must be uint8 [b, h, w, 3], not {images.dtype} {images.shape}")
        with torch.inference_mode():
            found = self.forward(torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2))
        return np.ascontiguousarray(found.float().cpu().numpy())


def load_extractor(name: str, device: str = "cpu", weights: Path | None = None) -> Extractor:
    """The network called ``name``.

    Args:
        name: inception or lite0.
        device: to compute on.
        weights: a weight file to use in place of the known one (inception).

    Raises:
        MissingWeights: its weights are not on this machine.
    """
    if name == "inception":
        from flythrough.networks.weights import locate

        from .inception import RESIZE, load

        file = weights or locate("inception")
        return Extractor(name, 2048, sha256_of(file), RESIZE, load(file, device))
    if name == "lite0":
        from flythrough.networks import lite0

        from . import lite

        return Extractor(name, lite0.FEATURES, sha256_of(lite0.weights_file()), lite0.RESIZE, lite.load(device))
    raise InputError(f"There is no feature network {name!r}", remedy=f"Use one of: {', '.join(NETWORKS)}")


def extract(
    extractor: Extractor, load: Callable[[int], Image], count: int, batch_size: int = 32
) -> Iterator[Float[np.ndarray, "b d"]]:
    """Features of images ``load(0) .. load(count - 1)``, a batch at a time; decoding runs ahead in a thread.

    Neither the batch size nor the images before an image change its features beyond rounding.
    """
    for batch in prefetch(_batches(load, count, batch_size)):
        yield extractor(batch)


def _batches(load: Callable[[int], Image], count: int, batch_size: int) -> Iterator[UInt8[np.ndarray, "b h w 3"]]:
    for first in range(0, count, batch_size):
        yield np.stack([load(index) for index in range(first, min(first + batch_size, count))])


T = TypeVar("T")


def prefetch(items: Iterator[T], ahead: int = 2) -> Iterator[T]:
    """The same items, made up to ``ahead`` in advance by a thread, whose errors are raised here."""
    ready: queue.Queue[tuple[str, Any]] = queue.Queue(ahead)
    stop = threading.Event()

    def put(kind: str, value: object) -> bool:
        while not stop.is_set():
            try:
                ready.put((kind, value), timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put("item", item):
                    return
            put("end", None)
        except BaseException as error:
            put("error", error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            kind, value = ready.get()
            if kind == "error":
                raise value
            if kind == "end":
                return
            yield value
    finally:
        stop.set()
        thread.join()
