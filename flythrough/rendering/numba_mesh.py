"""The mesh renderer compiled for CPU: the same picture as :mod:`.torch_mesh`, with hand-written gradients.

Work is divided by the batch size alone, so results do not depend on the number of threads. The kernels release the
GIL and run in this module's threads, as many as torch uses.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from . import kernels

PARTS = 4  # least number of pieces that a batch is divided into


def render_mesh(
    rgbd: Float[Tensor, "b 4 h w"],
    intrinsics: Float[Tensor, "b 4"],
    clip_from_camera: Float[Tensor, "b 4 4"],
    max_sobel: float,
) -> tuple[Float[Tensor, "b 4 h w"], Float[Tensor, "b 1 h w"]]:
    """The image and its squared coverage; see :func:`.render.render`."""
    rendered, mask = _RenderMesh.apply(rgbd, intrinsics, clip_from_camera, max_sobel)
    return rendered, mask


class _RenderMesh(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, rgbd: Tensor, intrinsics: Tensor, clip_from_camera: Tensor, max_sobel: float
    ) -> tuple[Tensor, Tensor]:
        image = rgbd.contiguous().numpy()
        k, matrix = intrinsics.contiguous().numpy(), clip_from_camera.contiguous().numpy()
        flat = image.dtype.type(max_sobel)
        batch, _, height, width = image.shape
        parts = -(-PARTS // batch)
        columns, rows = _pixel_centers(width, image.dtype), _pixel_centers(height, image.dtype)
        clip = np.empty((batch, height * width, 4), image.dtype)
        reliable = np.empty((batch, height * width), image.dtype)
        nearest = np.empty((batch, parts, height, width), image.dtype)
        winner = np.empty((batch, parts, height, width), np.int32)
        out, mask = np.empty_like(image), np.empty((batch, 1, height, width), image.dtype)

        def project(b: int, part: int, start: int, end: int) -> None:
            kernels.project(image[b, 3], k[b], matrix[b], start, end, clip[b], reliable[b], flat)

        def rasterise(b: int, part: int, start: int, end: int) -> None:
            kernels.rasterise(clip[b], columns, rows, start, end, nearest[b, part], winner[b, part])

        def shade(b: int, part: int, start: int, end: int) -> None:
            kernels.merge(clip[b], columns, rows, nearest[b], winner[b], start, end)
            kernels.shade(image[b], clip[b], reliable[b], columns, rows, winner[b, 0], start, end, out[b], mask[b, 0])

        _run(project, _bands(batch, parts, height))
        _run(rasterise, _bands(batch, parts, height - 1))
        _run(shade, _bands(batch, parts, height))
        ctx.save_for_backward(rgbd, intrinsics, clip_from_camera)
        ctx.scratch = (clip, reliable, winner[:, 0].copy()) if rgbd.requires_grad else None
        return torch.from_numpy(out), torch.from_numpy(mask)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_rendered: Tensor, grad_mask: Tensor) -> tuple[Tensor, None, None, None]:
        image, k, matrix = (tensor.contiguous().numpy() for tensor in ctx.saved_tensors)
        to_out, to_mask = grad_rendered.contiguous().numpy(), grad_mask.contiguous().numpy()
        clip, reliable, winner = ctx.scratch
        batch, _, height, width = image.shape
        parts = -(-PARTS // batch)
        columns, rows = _pixel_centers(width, image.dtype), _pixel_centers(height, image.dtype)
        vertices = np.zeros((batch, parts, height * width, 6), image.dtype)
        out = np.empty_like(image)

        def shade(b: int, part: int, start: int, end: int) -> None:
            inputs = image[b], clip[b], reliable[b], columns, rows, winner[b]
            kernels.shade_backward(*inputs, to_out[b], to_mask[b, 0], start, end, vertices[b, part])

        def project(b: int, part: int, start: int, end: int) -> None:
            kernels.project_backward(image[b, 3], k[b], matrix[b], vertices[b], start, end, out[b])

        _run(shade, _bands(batch, parts, height))
        _run(project, _bands(batch, parts, height))
        return torch.from_numpy(out), None, None, None


@cache
def _pixel_centers(size: int, dtype: np.dtype) -> np.ndarray:
    """Of columns or rows, in -1..1."""
    return ((np.arange(size) + 0.5) / (0.5 * size) - 1).astype(dtype)


def _bands(batch: int, parts: int, rows: int) -> Iterator[tuple[int, int, int, int]]:
    """Image, part and rows (half-open) of every piece of work."""
    for item in range(batch):
        for part in range(parts):
            yield item, part, rows * part // parts, rows * (part + 1) // parts


def _run(work: Callable[[int, int, int, int], None], bands: Iterator[tuple[int, int, int, int]]) -> None:
    threads = torch.get_num_threads()
    if threads == 1:
        for band in bands:
            work(*band)
        return
    for done in [_pool(os.getpid(), threads).submit(work, *band) for band in bands]:
        done.result()


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """This process's threads; a forked process needs its own."""
    return ThreadPoolExecutor(threads, thread_name_prefix="render")
