"""The mesh renderer in plain torch operations: runs on any device, differentiated by autograd."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from .projection import MAX_DISPARITY, MIN_DISPARITY, fused_product

CANDIDATES = 1 << 22  # (triangle, pixel) pairs tested at a time; bounds the memory


def render_mesh(
    rgbd: Float[Tensor, "b 4 h w"],
    intrinsics: Float[Tensor, "b 4"],
    clip_from_camera: Float[Tensor, "b 4 4"],
    max_sobel: float,
) -> tuple[Float[Tensor, "b 4 h w"], Float[Tensor, "b 1 h w"]]:
    """The image and its squared coverage; see :func:`.render.render`."""
    batch, _, height, width = rgbd.shape
    reliable = _reliable(rgbd[:, 3].detach(), max_sobel)
    vertices = fused_product(_camera_points(rgbd[:, 3], intrinsics), clip_from_camera.mT)
    with torch.no_grad():
        winner = _visible_triangles(vertices.detach(), height, width)
    seen = torch.nonzero(winner >= 0)[:, 0]  # flat index of image and pixel
    image, pixel = seen // (height * width), seen % (height * width)
    corner = _corners(winner[seen], width) + (image * height * width)[:, None]

    columns, rows = _pixel_centers(height, width, rgbd)
    x, y, w = (vertices[..., k].flatten()[corner] for k in (0, 1, 3))
    weight = _Weights.apply(x, y, w, columns[pixel % width], rows[pixel // width])
    attributes = torch.cat([rgbd[:, :3].flatten(2), reliable.flatten(1)[:, None]], 1).mT.flatten(0, 1)
    color = (attributes[corner] * weight[..., None]).sum(1)
    depth = (w * weight).sum(1)
    coverage = color[:, 3:]
    shaded = torch.cat([torch.cat([color[:, :3], 1 / depth.clamp(0.01, 100)[:, None]], 1) * coverage, coverage**2], 1)

    out = rgbd.new_zeros(batch * height * width, 5).index_put((seen,), shaded)
    out = out.view(batch, height, width, 5).permute(0, 3, 1, 2)
    return out[:, :4].contiguous(), out[:, 4:].contiguous()


def _reliable(disparity: Float[Tensor, "b h w"], max_sobel: float) -> Float[Tensor, "b h w"]:
    """1 where the Sobel gradient of disparity is small, 0 where the mesh is stretched."""
    padded = F.pad(disparity.clamp(1e-6, 1e5)[:, None], (1, 1, 1, 1), mode="reflect")[:, 0]
    right, left = padded[:, :, 2:], padded[:, :, :-2]
    across = right - left
    gx = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
    down = padded[:, 2:] - padded[:, :-2]
    gy = down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]
    return (torch.sqrt(gx * gx + gy * gy + 1e-6) < max_sobel).to(disparity)


def _pixel_centers(height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Of columns and rows, in -1..1, rounded from double as the release does."""
    columns = (torch.arange(width, dtype=torch.float64) + 0.5) / (0.5 * width) - 1
    rows = (torch.arange(height, dtype=torch.float64) + 0.5) / (0.5 * height) - 1
    return columns.to(like), rows.to(like)


def _camera_points(disparity: Float[Tensor, "b h w"], intrinsics: Float[Tensor, "b 4"]) -> Float[Tensor, "b hw 4"]:
    """Homogeneous vertices, one per pixel centre."""
    _, height, width = disparity.shape
    fx, fy, cx, cy = intrinsics[:, :, None, None].unbind(1)
    depth = 1 / disparity.clamp(MIN_DISPARITY, MAX_DISPARITY)
    column = (torch.arange(width, device=disparity.device, dtype=disparity.dtype) + 0.5) / width
    row = (torch.arange(height, device=disparity.device, dtype=disparity.dtype) + 0.5) / height
    x, y = (column - cx) * (depth / fx), (row[:, None] - cy) * (depth / fy)
    return torch.stack([x, y, depth, torch.ones_like(depth)], -1).flatten(1, 2)


def _corners(triangle: Int[Tensor, "n"], width: int) -> Int[Tensor, "n 3"]:
    """Vertex numbers of triangles, within their image: two a quad, quads row by row."""
    quad, second = triangle // 2, triangle % 2
    top_left = quad // (width - 1) * width + quad % (width - 1)
    first = torch.stack([top_left, top_left + width, top_left + 1], -1)
    return torch.where(second[:, None] == 1, torch.stack([first[:, 1] + 1, first[:, 2], first[:, 1]], -1), first)


def _cofactors(x: Tensor, y: Tensor, w: Tensor) -> list[tuple[Tensor, ...]]:
    """The rows of the inverse of [x; y; w] but for the determinant: an edge function each."""
    out: list[tuple[Tensor, ...]] = []
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        out.append(
            (
                y[..., j] * w[..., k] - w[..., j] * y[..., k],
                x[..., k] * w[..., j] - w[..., k] * x[..., j],
                x[..., j] * y[..., k] - y[..., j] * x[..., k],
            )
        )
    return out


def _edges(cofactors: list[tuple[Tensor, ...]], px: Tensor, py: Tensor) -> list[Tensor]:
    return [a * px + b * py + c for a, b, c in cofactors]


class _Weights(torch.autograd.Function):
    """Weight of each corner ``[n, 3]`` at a pixel: perspective-correct barycentric coordinates.

    With M = [x; y; w], weights t = u / sum(u), u = adj(M) (px, py, 1), and h = d loss / d t, the gradient of
    corner i's (x, y, w) is -t_i inv(M)^T (h - h.t). It is written in differences of corners, which keep
    the precision that autograd would lose.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, w: Tensor, px: Tensor, py: Tensor) -> Tensor:
        ctx.save_for_backward(x, y, w, px, py)
        u0, u1, u2 = _edges(_cofactors(x, y, w), px, py)
        total = u0 + u1 + u2
        return torch.stack([u0 / total, u1 / total, u2 / total], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_weight: Tensor) -> tuple[Tensor | None, ...]:
        x, y, w, px, py = ctx.saved_tensors
        px, py = px[:, None], py[:, None]
        dx, dy, dw = (v.roll(-1, 1) - v.roll(-2, 1) for v in (x, y, w))  # of the two other corners
        by_x, by_y, by_w = py * dw - dy, dx - px * dw, px * dy - py * dx  # d u / d x, up to the corner
        for by in (by_x, by_y, by_w):
            by[:, 2] = -(by[:, 0] + by[:, 1])
        other = torch.tensor([2, 2, 1], device=x.device)
        u = x[:, other] * by_x + y[:, other] * by_y + w[:, other] * by_w
        square = (u[:, 0] + u[:, 1] + u[:, 2])[:, None] ** 2
        share = torch.where(square == 0, 0, u / square)  # 0: seen edge-on, its position has no derivative
        return *(share * (to_weight * by).sum(1, keepdim=True) for by in (by_x, by_y, by_w)), None, None


def _visible_triangles(vertices: Float[Tensor, "b hw 4"], height: int, width: int) -> Int[Tensor, "bhw"]:
    """The nearest triangle at every pixel, -1 where there is none.

    Of equal rounded depths the later is seen, unless it is farther in double precision by over an epsilon.
    """
    grid = vertices.unflatten(1, (height, width))
    tl, tr, bl, br = grid[:, :-1, :-1], grid[:, :-1, 1:], grid[:, 1:, :-1], grid[:, 1:, 1:]
    mesh = torch.stack([torch.stack([tl, bl, tr], -2), torch.stack([br, tr, bl], -2)], 3).flatten(1, 3)
    per_image = mesh.shape[1]
    mesh = mesh.flatten(0, 1)
    x, y, z, w = mesh.unbind(-1)
    left, right, top, bottom = _boxes(x, y, w, height, width)
    kept = torch.nonzero(_in_view(x, y, w) & (right > left) & (bottom > top))[:, 0]
    x, y, z, w = x[kept], y[kept], z[kept], w[kept]
    left, right, top, bottom = left[kept], right[kept], top[kept], bottom[kept]
    edges = _cofactors(x, y, w)
    determinant = x[:, 0] * edges[0][0] + x[:, 1] * edges[1][0] + x[:, 2] * edges[2][0]
    sign = torch.where(determinant < 0, -1, 1).to(x)
    edges = [(a * sign, b * sign, c * sign) for a, b, c in edges]
    columns, rows = _pixel_centers(height, width, x)

    nearest = x.new_full((len(vertices) * height * width,), 1.0)
    exact = torch.full_like(nearest, torch.inf, dtype=torch.float64)
    winner = torch.full_like(nearest, -1, dtype=torch.long)
    for part, line in _expand(bottom - top):
        line = line + top[part]
        first, last = _spans(
            [tuple(v[part] for v in edge) for edge in edges], rows[line], left[part], right[part], width
        )
        for row, column in _expand((last - first).clamp(min=0)):
            column, triangle = column + first[row], part[row]
            inside, depth = _test(
                [tuple(v[triangle] for v in edge) for edge in edges],
                z[triangle],
                w[triangle],
                columns[column],
                rows[line[row]],
            )
            triangle, depth, column, row = triangle[inside], depth[inside], column[inside], line[row][inside]
            number = kept[triangle]
            pixel = (number // per_image * height + row) * width + column
            _lower(nearest, pixel, depth, (exact, torch.inf), (winner, -1))
            tied = depth == nearest[pixel]
            triangle, pixel, column, row = triangle[tied], pixel[tied], column[tied], row[tied]
            depth = _exact_depth(x[triangle], y[triangle], z[triangle], w[triangle], columns[column], rows[row])
            _lower(exact, pixel, depth, (winner, -1))
            last = depth <= exact[pixel] + torch.finfo(x.dtype).eps
            winner.scatter_reduce_(0, pixel[last], kept[triangle[last]] % per_image, "amax")
    return winner


def _lower(buffer: Tensor, pixel: Tensor, value: Tensor, *below: tuple[Tensor, float]) -> None:
    """Keep the least value of each pixel; where it decreased, reset the buffers ``below`` to their start values."""
    before = buffer.clone()
    buffer.scatter_reduce_(0, pixel, value, "amin")
    for other, start in below:
        other[buffer < before] = start


def _exact_depth(x: Tensor, y: Tensor, z: Tensor, w: Tensor, px: Tensor, py: Tensor) -> Tensor:
    """Depth of triangles ``[n, 3]`` at pixels, in double precision; decides between equal depths."""
    x, y, z, w, px, py = (v.double() for v in (x, y, z, w, px, py))
    u0, u1, u2 = _edges(_cofactors(x, y, w), px, py)
    total = u0 + u1 + u2
    t0, t1, t2 = u0 / total, u1 / total, u2 / total
    return (t0 * z[:, 0] + t1 * z[:, 1] + t2 * z[:, 2]) / (t0 * w[:, 0] + t1 * w[:, 1] + t2 * w[:, 2])


def _boxes(x: Tensor, y: Tensor, w: Tensor, height: int, width: int) -> list[Tensor]:
    """Pixel boxes (left, right, top, bottom; half-open) of triangles; the whole picture for those not all in front."""
    boxes = []
    in_front = (w > 0).all(-1)
    for coordinate, size in ((x, width), (y, height)):
        place = ((coordinate / w + 1) * (0.5 * size)).nan_to_num(0.0)
        low = place.amin(-1).floor().clamp(0, size).long()
        high = place.amax(-1).ceil().clamp(0, size).long()
        boxes += [torch.where(in_front, low, 0), torch.where(in_front, high, size)]
    return boxes


def _in_view(x: Tensor, y: Tensor, w: Tensor) -> Bool[Tensor, "n"]:
    """False for triangles wholly beyond one side of the view frustum."""
    out = (w <= 0).all(-1)
    for side in (x, y):
        out |= (side > w).all(-1) | (side < -w).all(-1)
    return ~out


def _spans(
    edges: list[tuple[Tensor, ...]], py: Tensor, left: Tensor, right: Tensor, width: int
) -> tuple[Int[Tensor, "n"], Int[Tensor, "n"]]:
    """Half-open range of columns of a row that holds all where every edge function is positive, and sometimes more."""
    tolerance = 8 * torch.finfo(py.dtype).eps
    for edge in edges:
        a, b, c = (v.double() for v in edge)
        rest = b * py.double() + c + tolerance * (a.abs() + b.abs() + c.abs())
        column = ((1 - rest / a) * (0.5 * width) - 0.5).nan_to_num(0.0).clamp(-2, width).long()
        left = torch.where(a > 0, torch.maximum(left, column), left)
        right = torch.where(a < 0, torch.minimum(right, column + 2), right)
        right = torch.where((a == 0) & (rest < 0), left, right)
    return left, right


def _test(
    edges: list[tuple[Tensor, ...]], z: Tensor, w: Tensor, px: Tensor, py: Tensor
) -> tuple[Bool[Tensor, "n"], Tensor]:
    """Whether pixels lie in triangles (edges included), and the triangles' depth there."""
    u0, u1, u2 = _edges(edges, px, py)
    inside = (u0 >= 0) & (u1 >= 0) & (u2 >= 0) & ((u0 > 0) | (u1 > 0) | (u2 > 0))
    total = u0 + u1 + u2
    b0, b1, b2 = u0 / total, u1 / total, u2 / total
    depth = (b0 * z[:, 0] + b1 * z[:, 1] + b2 * z[:, 2]) / (b0 * w[:, 0] + b1 * w[:, 1] + b2 * w[:, 2])
    return inside & (depth >= -1) & (depth <= 1), depth


def _expand(counts: Int[Tensor, "n"]) -> Iterator[tuple[Int[Tensor, "m"], Int[Tensor, "m"]]]:
    """Each owner's index repeated ``counts`` times, and the position within; in parts of bounded size."""
    ends = counts.cumsum(0)
    total = int(ends[-1]) if len(ends) else 0
    for start in range(0, total, CANDIDATES):
        index = torch.arange(start, min(start + CANDIDATES, total), device=counts.device)
        owner = torch.searchsorted(ends, index, right=True)
        yield owner, index - (ends - counts)[owner]
