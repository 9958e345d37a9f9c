"""Compiled loops of :mod:`.numba_mesh`. Arrays are numpy's, of one image; types are float32 or float64 throughout.

No fast math: the order and rounding of operations decide which of two near surfaces is seen (see :mod:`.render`).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .projection import MAX_DISPARITY, MIN_DISPARITY

NARROW = 8  # width of a triangle's box, in pixels, from which solving for the ends of each row is faster

compiled = njit(cache=True, nogil=True, error_model="numpy")


@compiled
def project(
    disparity: np.ndarray,
    intrinsics: np.ndarray,
    matrix: np.ndarray,
    start: int,
    end: int,
    clip: np.ndarray,
    reliable: np.ndarray,
    flat: float,
) -> None:
    """Vertices of pixel rows ``start`` to ``end``: clip-space position ``[hw, 4]`` and reliability ``[hw]``."""
    height, width = disparity.shape
    real = disparity.dtype.type
    half, one = real(0.5), real(1)
    low, high = real(MIN_DISPARITY), real(MAX_DISPARITY)
    for row in range(start, end):
        y = (real(row) + half) / real(height) - intrinsics[3]
        for column in range(width):
            x = (real(column) + half) / real(width) - intrinsics[2]
            depth = one / min(max(disparity[row, column], low), high)
            px, py = x * (depth / intrinsics[0]), y * (depth / intrinsics[1])
            vertex = row * width + column
            for k in range(4):
                total = matrix[k, 0] * px
                total = real(np.float64(matrix[k, 1]) * np.float64(py) + np.float64(total))
                total = real(np.float64(matrix[k, 2]) * np.float64(depth) + np.float64(total))
                clip[vertex, k] = total + matrix[k, 3]
            reliable[vertex] = _sobel(disparity, row, column) < flat


@compiled
def _sobel(disparity: np.ndarray, row: int, column: int) -> float:
    height, width = disparity.shape
    real = disparity.dtype.type
    low, high, two = real(1e-6), real(1e5), real(2)
    up, down = abs(row - 1), height - 1 - abs(height - 2 - row)
    left, right = abs(column - 1), width - 1 - abs(width - 2 - column)
    tl, tc, tr = disparity[up, left], disparity[up, column], disparity[up, right]
    cl, cr = disparity[row, left], disparity[row, right]
    bl, bc, br = disparity[down, left], disparity[down, column], disparity[down, right]
    tl, tc, tr = min(max(tl, low), high), min(max(tc, low), high), min(max(tr, low), high)
    cl, cr = min(max(cl, low), high), min(max(cr, low), high)
    bl, bc, br = min(max(bl, low), high), min(max(bc, low), high), min(max(br, low), high)
    gx = (tr - tl) + two * (cr - cl) + (br - bl)
    gy = (bl - tl) + two * (bc - tc) + (br - tr)
    return np.sqrt(gx * gx + gy * gy + low)


@compiled
def _cofactors(
    x0: float, x1: float, x2: float, y0: float, y1: float, y2: float, w0: float, w1: float, w2: float
) -> tuple[float, ...]:
    """The inverse of [x; y; w], row by row, times its determinant; and the determinant."""
    a0, b0, c0 = y1 * w2 - w1 * y2, x2 * w1 - w2 * x1, x1 * y2 - y1 * x2
    a1, b1, c1 = y2 * w0 - w2 * y0, x0 * w2 - w0 * x2, x2 * y0 - y2 * x0
    a2, b2, c2 = y0 * w1 - w0 * y1, x1 * w0 - w1 * x0, x0 * y1 - y0 * x1
    return a0, b0, c0, a1, b1, c1, a2, b2, c2, x0 * a0 + x1 * a1 + x2 * a2


@compiled
def _weights(
    x0: float,
    x1: float,
    x2: float,
    y0: float,
    y1: float,
    y2: float,
    w0: float,
    w1: float,
    w2: float,
    px: float,
    py: float,
) -> tuple[float, float, float]:
    """Weight of each corner at a pixel (perspective-correct barycentric coordinates)."""
    a0, b0, c0, a1, b1, c1, a2, b2, c2, _ = _cofactors(x0, x1, x2, y0, y1, y2, w0, w1, w2)
    u0, u1, u2 = a0 * px + b0 * py + c0, a1 * px + b1 * py + c1, a2 * px + b2 * py + c2
    total = u0 + u1 + u2
    return u0 / total, u1 / total, u2 / total


@compiled
def _corners(triangle: int, width: int) -> tuple[int, int, int]:
    quad = triangle // 2
    top_left = quad // (width - 1) * width + quad % (width - 1)
    if triangle % 2:
        return top_left + width + 1, top_left + 1, top_left + width
    return top_left, top_left + width, top_left + 1


@compiled
def _box(a: float, b: float, c: float, size: int) -> tuple[int, int]:
    """Half-open range of pixels that three coordinates (in pixels) span; empty for NaN."""
    low, high = math.floor(min(a, b, c)), math.ceil(max(a, b, c))
    first = int(low) if 0 < low < size else (0 if low <= 0 else size)
    last = int(high) if 0 < high < size else (size if high >= size else 0)
    return first, last


@compiled
def _narrow(
    a: float, b: float, c: float, py: float, tolerance: float, first: int, last: int, width: int
) -> tuple[int, int]:
    """Half-open range of columns of a row that holds all where an edge function is positive, and sometimes more."""
    slope = np.float64(a)
    slack = tolerance * (abs(slope) + abs(np.float64(b)) + abs(np.float64(c)))
    rest = np.float64(b) * np.float64(py) + np.float64(c) + slack
    if slope == 0:
        return (first, last) if rest >= 0 else (0, 0)
    column = (1 - rest / slope) * (0.5 * width) - 0.5
    if slope > 0:
        if column > first:
            first = int(min(column, width))
    elif column < last - 2:
        last = int(max(column, -2)) + 2
    return first, last


@compiled
def rasterise(
    clip: np.ndarray, columns: np.ndarray, rows: np.ndarray,
    start: int, end: int, nearest: np.ndarray, winner: np.ndarray,
) -> None:  # fmt: skip
    """Draw the triangles of quad rows ``start`` to ``end`` into a depth buffer and triangle numbers ``[h, w]``."""
    height, width = winner.shape
    real = clip.dtype.type
    zero, one = real(0), real(1)
    half_width, half_height = real(0.5 * width), real(0.5 * height)
    tolerance = 8.0 * np.finfo(clip.dtype).eps
    nearest[:] = one
    winner[:] = -1
    for triangle in range(2 * start * (width - 1), 2 * end * (width - 1)):
        v0, v1, v2 = _corners(triangle, width)
        x0, y0, w0 = clip[v0, 0], clip[v0, 1], clip[v0, 3]
        x1, y1, w1 = clip[v1, 0], clip[v1, 1], clip[v1, 3]
        x2, y2, w2 = clip[v2, 0], clip[v2, 1], clip[v2, 3]
        if w0 <= zero and w1 <= zero and w2 <= zero:
            continue
        if _beyond(x0, x1, x2, w0, w1, w2) or _beyond(y0, y1, y2, w0, w1, w2):
            continue
        left, right, top, bottom = 0, width, 0, height
        if w0 > zero and w1 > zero and w2 > zero:
            left, right = _box(
                (x0 / w0 + one) * half_width, (x1 / w1 + one) * half_width, (x2 / w2 + one) * half_width, width
            )
            top, bottom = _box(
                (y0 / w0 + one) * half_height, (y1 / w1 + one) * half_height, (y2 / w2 + one) * half_height, height
            )
            if left >= right or top >= bottom:
                continue
        a0, b0, c0, a1, b1, c1, a2, b2, c2, determinant = _cofactors(x0, x1, x2, y0, y1, y2, w0, w1, w2)
        if determinant < zero:
            a0, b0, c0, a1, b1, c1, a2, b2, c2 = -a0, -b0, -c0, -a1, -b1, -c1, -a2, -b2, -c2
        z0, z1, z2 = clip[v0, 2], clip[v1, 2], clip[v2, 2]
        for row in range(top, bottom):
            py = rows[row]
            first, last = left, right
            if right - left >= NARROW:
                first, last = _narrow(a0, b0, c0, py, tolerance, first, last, width)
                first, last = _narrow(a1, b1, c1, py, tolerance, first, last, width)
                first, last = _narrow(a2, b2, c2, py, tolerance, first, last, width)
            for column in range(first, last):
                px = columns[column]
                u0, u1, u2 = a0 * px + b0 * py + c0, a1 * px + b1 * py + c1, a2 * px + b2 * py + c2
                if not (u0 >= zero and u1 >= zero and u2 >= zero and (u0 > zero or u1 > zero or u2 > zero)):
                    continue
                total = u0 + u1 + u2
                t0, t1, t2 = u0 / total, u1 / total, u2 / total
                depth = (t0 * z0 + t1 * z1 + t2 * z2) / (t0 * w0 + t1 * w1 + t2 * w2)
                if not -one <= depth <= nearest[row, column]:
                    continue
                if depth == nearest[row, column] and _hidden(clip, triangle, winner[row, column], px, py, width):
                    continue
                nearest[row, column] = depth
                winner[row, column] = triangle


@compiled
def _beyond(a0: float, a1: float, a2: float, w0: float, w1: float, w2: float) -> bool:
    return (a0 > w0 and a1 > w1 and a2 > w2) or (a0 < -w0 and a1 < -w1 and a2 < -w2)


@compiled
def _hidden(clip: np.ndarray, later: int, earlier: int, px: float, py: float, width: int) -> bool:
    """Whether, of two triangles of equal rounded depth, double precision has the later farther by over an epsilon."""
    if earlier < 0:
        return False
    beyond = _depth(clip, later, px, py, width) - _depth(clip, earlier, px, py, width)
    return beyond > np.finfo(clip.dtype).eps


@compiled
def _depth(clip: np.ndarray, triangle: int, px: float, py: float, width: int) -> float:
    v0, v1, v2 = _corners(triangle, width)
    x0, y0, z0, w0 = np.float64(clip[v0, 0]), np.float64(clip[v0, 1]), np.float64(clip[v0, 2]), np.float64(clip[v0, 3])
    x1, y1, z1, w1 = np.float64(clip[v1, 0]), np.float64(clip[v1, 1]), np.float64(clip[v1, 2]), np.float64(clip[v1, 3])
    x2, y2, z2, w2 = np.float64(clip[v2, 0]), np.float64(clip[v2, 1]), np.float64(clip[v2, 2]), np.float64(clip[v2, 3])
    t0, t1, t2 = _weights(x0, x1, x2, y0, y1, y2, w0, w1, w2, np.float64(px), np.float64(py))
    return (t0 * z0 + t1 * z1 + t2 * z2) / (t0 * w0 + t1 * w1 + t2 * w2)


@compiled
def merge(
    clip: np.ndarray,
    columns: np.ndarray,
    rows: np.ndarray,
    nearest: np.ndarray,
    winner: np.ndarray,
    start: int,
    end: int,
) -> None:
    """Join the buffers ``[part, h, w]`` of consecutive parts into the first, for rows ``start`` to ``end``."""
    width = winner.shape[2]
    for part in range(1, len(winner)):
        for row in range(start, end):
            for column in range(width):
                triangle, depth = winner[part, row, column], nearest[part, row, column]
                if triangle < 0 or depth > nearest[0, row, column]:
                    continue
                if depth == nearest[0, row, column] and _hidden(
                    clip, triangle, winner[0, row, column], columns[column], rows[row], width
                ):
                    continue
                nearest[0, row, column] = depth
                winner[0, row, column] = triangle


@compiled
def shade(
    image: np.ndarray,
    clip: np.ndarray,
    reliable: np.ndarray,
    columns: np.ndarray,
    rows: np.ndarray,
    winner: np.ndarray,
    start: int,
    end: int,
    out: np.ndarray,
    mask: np.ndarray,
) -> None:
    """Interpolate what is seen in rows ``start`` to ``end``: image ``[4, h, w]``, squared coverage ``[h, w]``."""
    width = winner.shape[1]
    flat = image.reshape(4, -1)
    real = clip.dtype.type
    one, low, high = real(1), real(0.01), real(100)
    for row in range(start, end):
        py = rows[row]
        for column in range(width):
            triangle = winner[row, column]
            if triangle < 0:
                out[:, row, column] = real(0)
                mask[row, column] = real(0)
                continue
            v0, v1, v2 = _corners(triangle, width)
            x0, y0, w0 = clip[v0, 0], clip[v0, 1], clip[v0, 3]
            x1, y1, w1 = clip[v1, 0], clip[v1, 1], clip[v1, 3]
            x2, y2, w2 = clip[v2, 0], clip[v2, 1], clip[v2, 3]
            t0, t1, t2 = _weights(x0, x1, x2, y0, y1, y2, w0, w1, w2, columns[column], py)
            coverage = reliable[v0] * t0 + reliable[v1] * t1 + reliable[v2] * t2
            depth = w0 * t0 + w1 * t1 + w2 * t2
            for k in range(3):
                out[k, row, column] = (flat[k, v0] * t0 + flat[k, v1] * t1 + flat[k, v2] * t2) * coverage
            out[3, row, column] = one / min(max(depth, low), high) * coverage
            mask[row, column] = coverage * coverage


@compiled
def shade_backward(
    image: np.ndarray,
    clip: np.ndarray,
    reliable: np.ndarray,
    columns: np.ndarray,
    rows: np.ndarray,
    winner: np.ndarray,
    grad_out: np.ndarray,
    grad_mask: np.ndarray,
    start: int,
    end: int,
    grad: np.ndarray,
) -> None:
    """Add the gradients of rows ``start`` to ``end`` to ``grad [hw, 6]``: a vertex's r g b, and x y w in clip space."""
    width = winner.shape[1]
    flat = image.reshape(4, -1)
    real = clip.dtype.type
    two, low, high = real(2), real(0.01), real(100)
    for row in range(start, end):
        py = rows[row]
        for column in range(width):
            triangle = winner[row, column]
            if triangle < 0:
                continue
            px = columns[column]
            v0, v1, v2 = _corners(triangle, width)
            x0, y0, w0, m0 = clip[v0, 0], clip[v0, 1], clip[v0, 3], reliable[v0]
            x1, y1, w1, m1 = clip[v1, 0], clip[v1, 1], clip[v1, 3], reliable[v1]
            x2, y2, w2, m2 = clip[v2, 0], clip[v2, 1], clip[v2, 3], reliable[v2]
            t0, t1, t2 = _weights(x0, x1, x2, y0, y1, y2, w0, w1, w2, px, py)
            coverage = m0 * t0 + m1 * t1 + m2 * t2
            depth = w0 * t0 + w1 * t1 + w2 * t2

            to_disparity = grad_out[3, row, column]
            to_coverage = two * coverage * grad_mask[row, column] + to_disparity / min(max(depth, low), high)
            to_depth = -to_disparity * coverage / (depth * depth) if low <= depth <= high else real(0)
            to_t0, to_t1, to_t2 = real(0), real(0), real(0)
            for k in range(3):
                r0, r1, r2 = flat[k, v0], flat[k, v1], flat[k, v2]
                to_coverage += grad_out[k, row, column] * (r0 * t0 + r1 * t1 + r2 * t2)
                to_color = grad_out[k, row, column] * coverage
                to_t0, to_t1, to_t2 = to_t0 + to_color * r0, to_t1 + to_color * r1, to_t2 + to_color * r2
                grad[v0, k] += t0 * to_color
                grad[v1, k] += t1 * to_color
                grad[v2, k] += t2 * to_color
            to_t0 = to_t0 + to_coverage * m0 + to_depth * w0
            to_t1 = to_t1 + to_coverage * m1 + to_depth * w1
            to_t2 = to_t2 + to_coverage * m2 + to_depth * w2

            to_x, to_y, to_w, s0, s1, s2 = _weights_backward(
                x0, x1, x2, y0, y1, y2, w0, w1, w2, px, py, to_t0, to_t1, to_t2
            )
            for v, share, weight in ((v0, s0, t0), (v1, s1, t1), (v2, s2, t2)):
                grad[v, 3] += share * to_x
                grad[v, 4] += share * to_y
                grad[v, 5] += share * to_w + weight * to_depth


@compiled
def _weights_backward(
    x0: float, x1: float, x2: float, y0: float, y1: float, y2: float, w0: float, w1: float, w2: float,
    px: float, py: float, to_t0: float, to_t1: float, to_t2: float,
) -> tuple[float, float, float, float, float, float]:  # fmt: skip
    """The gradient of :func:`_weights`: (x, y, w), and the share of it that each corner gets.

    With M = [x; y; w], weights t = u / sum(u), u = adj(M) (px, py, 1), and h = d loss / d t, the gradient of
    corner i's (x, y, w) is -t_i inv(M)^T (h - h.t). Written in differences of corners, which keep precision.
    """
    t0_x, t0_y = py * (w1 - w2) - (y1 - y2), (x1 - x2) - px * (w1 - w2)
    t1_x, t1_y = py * (w2 - w0) - (y2 - y0), (x2 - x0) - px * (w2 - w0)
    t0_w, t1_w = px * (y1 - y2) - py * (x1 - x2), px * (y2 - y0) - py * (x2 - x0)
    t2_x, t2_y, t2_w = -(t0_x + t1_x), -(t0_y + t1_y), -(t0_w + t1_w)
    u0 = x2 * t0_x + y2 * t0_y + w2 * t0_w
    u1 = x2 * t1_x + y2 * t1_y + w2 * t1_w
    u2 = x1 * t2_x + y1 * t2_y + w1 * t2_w
    total = u0 + u1 + u2
    square = total * total
    if square == 0:  # seen edge-on: its position in the picture has no derivative
        return square, square, square, square, square, square
    to_x = to_t0 * t0_x + to_t1 * t1_x + to_t2 * t2_x
    to_y = to_t0 * t0_y + to_t1 * t1_y + to_t2 * t2_y
    to_w = to_t0 * t0_w + to_t1 * t1_w + to_t2 * t2_w
    return to_x, to_y, to_w, u0 / square, u1 / square, u2 / square


@compiled
def project_backward(
    disparity: np.ndarray,
    intrinsics: np.ndarray,
    matrix: np.ndarray,
    grads: np.ndarray,
    start: int,
    end: int,
    out: np.ndarray,
) -> None:
    """From vertex gradients ``[part, hw, 6]`` to the image's ``[4, h, w]``, for rows ``start`` to ``end``."""
    height, width = disparity.shape
    real = disparity.dtype.type
    low, high = real(MIN_DISPARITY), real(MAX_DISPARITY)
    total = np.empty(6)
    for row in range(start, end):
        y = ((row + 0.5) / height - intrinsics[3]) / intrinsics[1]
        for column in range(width):
            x = ((column + 0.5) / width - intrinsics[2]) / intrinsics[0]
            total[:] = 0
            for part in range(len(grads)):
                for k in range(6):
                    total[k] += grads[part, row * width + column, k]
            for k in range(3):
                out[k, row, column] = total[k]
            value = disparity[row, column]
            to_depth = 0.0
            if low <= value <= high:
                for k in range(3):
                    line = k if k < 2 else 3
                    to_depth += total[3 + k] * (matrix[line, 0] * x + matrix[line, 1] * y + matrix[line, 2])
                to_depth /= -(np.float64(value) * np.float64(value))
            out[3, row, column] = to_depth
