"""Image against image: PSNR, SSIM, MSE and LPIPS of one frame and the real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

Image = UInt8[np.ndarray, "h w 3"]
Seen = Bool[np.ndarray, "h w"]


def mse(frame: Image, real: Image, seen: Seen | None = None) -> float:
    """Mean squared error of RGB in [0, 1]; of the pixels that ``seen`` marks, where it is given."""
    frame, real = _checked(frame, real)
    error = ((frame.astype(np.float64) - real) / 255) ** 2
    return float(error.mean() if seen is None else error[seen].mean())


def psnr(frame: Image, real: Image, seen: Seen | None = None) -> float:
    """Peak signal-to-noise ratio in dB; infinite for equal images. Average it over images, never the MSE in it."""
    error = mse(frame, real, seen)
    return float(-10 * np.log10(error)) if error > 0 else float("inf")


def ssim(frame: Image, real: Image, seen: Seen | None = None) -> float:
    """Structural similarity as published: Gaussian window of sigma 1.5, population covariance, data range 1."""
    from skimage.metrics import structural_similarity

    frame, real = _checked(frame, real)
    value, whole = structural_similarity(
        frame.astype(np.float64) / 255, real.astype(np.float64) / 255, channel_axis=2, data_range=1.0,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True,
    )  # fmt: skip
    return float(value if seen is None else whole[seen].mean())


def seen_from_start(
    rgbd: Float[np.ndarray, "4 h w"],
    start: Float[np.ndarray, "3 4"],
    pose: Float[np.ndarray, "3 4"],
    intrinsics: Float[np.ndarray, 4],
) -> Seen:
    """Pixels of a view from ``pose`` that the start frame shows: where its warped mesh covers them."""
    import torch

    from flythrough.rendering.projection import max_sobel_at
    from flythrough.rendering.render import render

    image, here, there, camera = (torch.as_tensor(np.asarray(a, np.float32)) for a in (rgbd, start, pose, intrinsics))
    with torch.inference_mode():
        _, coverage = render(image[None], here, camera, there, camera, max_sobel=max_sobel_at(rgbd.shape[1]))
    return (coverage[0, 0] >= 0.5).numpy()


class Lpips:
    """Learned perceptual distance (package lpips, version 0.1 of the linear heads).

    Args:
        net: ``"alex"`` or ``"vgg"``.
        trunk: torchvision's weights of the trunk (see ``flythrough weights``).
    """

    def __init__(self, net: str, trunk: Path) -> None:
        import torch

        state = torch.load(trunk, weights_only=True, map_location="cpu")
        self.model = lpips_model(net)
        own = self.model.net.state_dict()
        self.model.net.load_state_dict({name: state[f"features.{name.split('.', 1)[1]}"] for name in own})

    def __call__(self, frame: Image, real: Image) -> float:
        return lpips_distance(self.model, frame, real)


def lpips_model(net: str) -> Any:
    """The network with its linear heads loaded; its trunk is still random and must be loaded before use."""
    import contextlib
    import io

    import lpips

    with contextlib.redirect_stdout(io.StringIO()):  # the package prints
        return lpips.LPIPS(net=net, pnet_rand=True, verbose=False).eval().requires_grad_(False)


def lpips_distance(model: Any, frame: Image, real: Image) -> float:
    """The distance of two uint8 images (the network takes them in [-1, 1])."""
    import torch

    frame, real = _checked(frame, real)
    pair = torch.from_numpy(np.stack([frame, real]).transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1)
    with torch.inference_mode():
        return float(model(pair[:1], pair[1:]))


def _checked(frame: np.ndarray, real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    for image in (frame, real):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"images must be uint8 [h, w, 3], not {image.dtype} {image.shape}")
    if frame.shape != real.shape:
        raise ValueError(f"images differ in size: {frame.shape} and {real.shape}")
    return frame, real
