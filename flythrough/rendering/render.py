"""Render an RGBD image from another camera: the differentiable mesh warp of Infinite Nature.

Every pixel becomes a vertex of a mesh; the mesh is rasterised in the target view with perspective-correct
interpolation; stretched parts are masked out (arXiv 2012.09855, section 4.1, and the authors' release). The order
of the floating-point operations is the release's, because its depth buffer (near 1e-5, far 1e4, float32) is so coarse
that rounding decides which of two surfaces is seen. Of equal depths the later triangle wins, as in the release, unless
double precision shows it to be farther by over an epsilon.

Two paths give the same picture: :mod:`.numba_mesh`, compiled for CPU, and :mod:`.torch_mesh`, any device.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from ..scene.geometry import Intrinsics, Pose
from .projection import MAX_SOBEL, clip_matrix

Path = Literal["auto", "numba", "torch"]


def render(
    rgbd: Float[Tensor, "batch 4 height width"],
    source_pose: Pose,
    source_intrinsics: Intrinsics,
    target_pose: Pose,
    target_intrinsics: Intrinsics,
    *,
    path: Path = "auto",
    max_sobel: float = MAX_SOBEL,
) -> tuple[Float[Tensor, "batch 4 height width"], Float[Tensor, "batch 1 height width"]]:
    """What a camera at ``target_pose`` sees of ``rgbd``, and how reliable each pixel is.

    Args:
        rgbd: RGB in [0, 1] and disparity (1 / depth in scene units, clamped to [0.01, 1]); float32 or float64.
        source_pose: cam_from_world ``[batch, 3, 4]`` of ``rgbd``; likewise ``target_pose``.
        source_intrinsics: fx fy cx cy ``[batch, 4]``, normalised; likewise ``target_intrinsics``.
        path: which implementation; ``auto`` is numba on CPU and torch elsewhere.
        max_sobel: Sobel gradient of disparity, per pixel, from which a surface counts as stretched. The release's value
            is for 160 rows; in a smaller picture all near ground would exceed it (see
            :func:`.projection.max_sobel_at`).

    Returns:
        The image, multiplied by the coverage, and the squared coverage in [0, 1]: 0 where nothing or only a
        stretched surface is seen. Gradients flow from both to RGB and, through the vertices, to disparity; visibility
        is not differentiated.

    Raises:
        InputError: wrong shapes or types, or a camera that is not finite.
    """
    if path not in ("auto", "numba", "torch"):
        raise InputError(f"There is no render path {path!r}", remedy="Use auto, numba or torch")
    _check_image(rgbd)
    batch = rgbd.shape[0]
    poses = [_camera(p, (batch, 3, 4), rgbd, name) for p, name in ((source_pose, "source"), (target_pose, "target"))]
    intrinsics = [
        _camera(k, (batch, 4), rgbd, name) for k, name in ((source_intrinsics, "source"), (target_intrinsics, "target"))
    ]
    if path == "numba" and rgbd.device.type != "cpu":
        raise InputError(f"The numba path cannot render on {rgbd.device}", remedy="Use path='torch'")
    with torch.autocast(rgbd.device.type, enabled=False):
        clip_from_camera = clip_matrix(poses[0], poses[1], intrinsics[1])
        if path == "torch" or rgbd.device.type != "cpu":
            from .torch_mesh import render_mesh
        else:
            from .numba_mesh import render_mesh
        return render_mesh(rgbd, intrinsics[0], clip_from_camera, max_sobel)


def _check_image(rgbd: object) -> None:
    if not isinstance(rgbd, Tensor) or rgbd.dtype not in (torch.float32, torch.float64):
        kind = rgbd.dtype if isinstance(rgbd, Tensor) else type(rgbd).__name__
        raise InputError(f"rgbd is {kind}", remedy="Give a float32 or float64 tensor with values in [0, 1]")
    if rgbd.ndim != 4 or rgbd.shape[1] != 4 or min(rgbd.shape[2:]) < 2 or not len(rgbd):
        raise InputError(f"rgbd has shape {list(rgbd.shape)}", remedy="Give [batch, 4, height, width], 2 x 2 or larger")


def _camera(values: object, shape: tuple[int, ...], like: Tensor, name: str) -> Tensor:
    """A pose or intrinsics as a finite tensor like ``like``; one camera serves a whole batch."""
    what = f"{name} {'pose' if len(shape) == 3 else 'intrinsics'}"
    camera = torch.as_tensor(values).detach()
    if camera.shape == shape[1:]:
        camera = camera.expand(shape)
    if camera.shape != shape:
        raise InputError(f"{what} has shape {list(camera.shape)}", remedy=f"Give {list(shape)}")
    if not bool(torch.isfinite(camera).all()):
        raise InputError(f"{what} is not finite", remedy="Check the camera that was given, or the flight that made it")
    if len(shape) == 2 and not bool((camera[:, :2] > 0).all()):
        raise InputError(f"{what} has a focal length that is not positive", remedy="fx and fy are in image sizes, > 0")
    return camera.to(like)
