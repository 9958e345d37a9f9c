"""Flies InfiniteNature-Zero (Li et al., ECCV 2022) over a request folder of flythrough evaluate.

    python fly.py [--resize] [--no-sky] CODE REQUEST FRAMES

It runs in that method's own environment (environment.yml, Python 3.8) and imports nothing of flythrough. CODE is the
folder ``infinite_nature_zero`` of google-research with ``checkpoints/`` in it. Its own script flies its own autopilot
only, so this one drives the class below that script, ``models.render_model.RenderModel``, along the poses it is given.

Cameras need no change: both sides use cam_from_world with x right, y down, z forward. Normalised intrinsics become its
matrices of pixels (pixel centres are whole numbers there). Its disparity is ours times a factor per start, which brings
the 97th percentile to the 0.8 that its loader aims at; all distances are divided by the same factor. Its loader also
subtracts the 1st percentile, which bends space and so has no place where cameras are given.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
from pathlib import Path

INSTALL = "see install.sh beside this script"
try:
    import cv2
    import numpy as np
    import torch
    from torch.nn import functional as F
except ImportError as error:
    sys.exit(f"{error}: run this with the Python of the method's environment; {INSTALL}")

WEIGHTS = "https://storage.googleapis.com/gresearch/infinite_nature_zero/infinite_nature_zero_ckpts_data.zip"
SIZE = 128  # of its networks, pixels
NEAR, FARTHEST = 0.8, 0.01  # its disparity at the 97th percentile, and the least it ever has
TRUNCATION, LATENTS, BETA = 0.7, 50_000, 4.0  # as its own script sets them
START_SKY = 0.05  # of the request's disparity: less is sky (its own script asks DeepLab)
SKY, COVERED = 0.08, 0.9  # of its disparity: less may be sky; coverage of a warped pixel that counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resize", action="store_true", help="stretch pictures of another size to 128 x 128 and back")
    parser.add_argument("--no-sky", action="store_true", help="without its sky correction")
    for name in ("code", "request", "frames"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args()
    request, frames = options.request.resolve(), options.frames.resolve()
    asked = json.loads((request / "request.json").read_text(encoding="utf-8"))
    size = asked["setting"]["width"], asked["setting"]["height"]
    if size != (SIZE, SIZE) and not options.resize:
        sys.exit(
            f"InfiniteNature-Zero makes frames of {SIZE} x {SIZE}, not {size[0]} x {size[1]}: score it on a protocol "
            "of that size (acid-v1, or evaluate.height and evaluate.width), or add --resize to the spec's command"
        )
    torch.set_grad_enabled(False)
    model = load(options.code.resolve())
    for flight in asked["flights"]:
        if not (frames / flight["id"]).is_dir():  # else done before an interruption
            fly_one(model, flight, request, frames, size, not options.no_sky)


def load(code: Path) -> torch.nn.Module:
    """Its model with its weights. If code, environment, weights or GPU are missing, the program ends and says which."""
    import os

    if not (code / "models" / "render_model.py").is_file():
        sys.exit(f"{code} is not the folder infinite_nature_zero of google-research: {INSTALL}")
    if not list((code / "checkpoints").glob("*latest.tar")):
        sys.exit(f"No checkpoint {code}/checkpoints/*latest.tar: unpack {WEIGHTS} in {code}")
    sys.path.insert(0, str(code))
    os.chdir(str(code))  # it looks for ./checkpoints
    sys.argv = sys.argv[:1]  # its options would parse ours
    try:
        from models.render_model import RenderModel
        from options.test_options import TestOptions
    except ImportError as error:
        sys.exit(f"{error}: the environment of InfiniteNature-Zero is incomplete, {INSTALL}")
    try:
        return RenderModel(TestOptions().parse(), is_train=False)
    except (AssertionError, RuntimeError, KeyError) as error:
        said = " ".join(str(error).split())[:200]
        sys.exit(f"Its model does not load ({said}): it needs an NVIDIA GPU, and the checkpoint of {WEIGHTS}")


def fly_one(model, flight: dict, request: Path, frames: Path, size: tuple, sky: bool) -> None:
    """Write the frames of one flight of the request; the folder appears when all are there."""
    with np.load(str(request / flight["start"])) as archive:
        rgbd = archive["rgbd"].astype(np.float32).transpose(1, 2, 0)
    if size != (SIZE, SIZE):
        rgbd = cv2.resize(rgbd, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    poses = np.array(flight["poses"], np.float64).reshape(-1, 3, 4)
    scratch = frames / ".partial" / flight["id"]
    shutil.rmtree(str(scratch), ignore_errors=True)
    scratch.mkdir(parents=True)
    for step, frame in enumerate(fly(model, rgbd, flight["intrinsics"], poses, flight["seed"], sky), start=1):
        if frame.shape != (SIZE, SIZE, 3) or not np.isfinite(frame).all():
            sys.exit(f"{flight['id']}: step {step}: its model made {list(frame.shape)}, or values that are not finite")
        if size != (SIZE, SIZE):
            frame = cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC)
        picture = (255 * frame.clip(0, 1)).round().astype(np.uint8)
        cv2.imwrite(str(scratch / f"{step:06d}.png"), picture[..., ::-1])
    (frames / flight["id"]).parent.mkdir(parents=True, exist_ok=True)
    scratch.rename(frames / flight["id"])


def fly(model, rgbd, intrinsics: list, poses, seed: int, sky: bool):
    """Render, refine, repeat: yields RGB ``[128, 128, 3]`` in [0, 1], one per pose after the first.

    ``rgbd`` is the start ``[128, 128, 4]`` with disparity of the request, ``poses`` ``[n, 3, 4]`` are cam_from_world.
    """
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)
    factor = disparity_factor(rgbd[..., 3])
    start = torch.from_numpy(np.ascontiguousarray(rgbd.transpose(2, 0, 1)))[None].to(model.device)
    was_sky = (start[:, 3:] < START_SKY).float()
    start = torch.cat([start[:, :3], (start[:, 3:] * factor).clamp(FARTHEST, 1)], 1)
    camera = pixels(intrinsics).to(model.device)
    mean_latent = model.generator.mean_latent(LATENTS, model.device)
    style = model.generator.style_encoder(2 * start - 1)
    noise = [torch.randn(1, 512).to(model.device)]
    seen, disparity = start[:, :3], start[:, 3:]
    alpha = model.sobel_fg_alpha(disparity, mode="sobel", beta=BETA)
    for here, there in zip(poses[:-1], poses[1:]):  # noqa: B905, RUF007  Python 3.8 has neither
        rotation, translation = moved(there, here, factor, model.device)
        refined = model.render_and_refine(
            torch.cat([seen, alpha], 1).clamp(0, 1), disparity[:, 0].clamp(FARTHEST, 1), rotation, translation, camera,
            noise, style, mean_latent=mean_latent, truncation=TRUNCATION, use_ema=True,
        )  # fmt: skip
        yield refined[0, :3].permute(1, 2, 0).cpu().numpy()
        seen, disparity = refined[:, :3], refined[:, 3:4]
        alpha = model.sobel_fg_alpha(disparity, mode="sobel", beta=BETA)
        if sky and was_sky.any():
            turned, _ = moved(there, poses[0], factor, model.device)
            seen, disparity = keep_sky(model, refined, start, was_sky, turned, camera)
        disparity = disparity.clamp(0, 1)


def disparity_factor(disparity) -> float:
    """What the request's disparity ``[h, w]`` is multiplied by, and distances are divided by; 1 if all is far."""
    near = float(np.percentile(disparity, 97))
    return NEAR / near if near > FARTHEST else 1.0


def pixels(intrinsics: list):
    """Its intrinsics ``[1, 3, 3]`` from fx fy cx cy as shares of the picture: pixel 0 is centred at 0, ours at 0.5."""
    fx, fy, cx, cy = (SIZE * value for value in intrinsics)
    return torch.tensor([[[fx, 0, cx - 0.5], [0, fy, cy - 0.5], [0, 0, 1]]], dtype=torch.float32)


def moved(there, here, factor: float, device):
    """Rotation ``[1, 3, 3]`` and translation ``[1, 3]``, in its units, from one pose ``[3, 4]`` to another."""
    rotation = there[:, :3] @ here[:, :3].T
    translation = (there[:, 3] - rotation @ here[:, 3]) / factor
    return tuple(torch.as_tensor(part[None], dtype=torch.float32, device=device) for part in (rotation, translation))


def keep_sky(model, refined, start, was_sky, turned, camera):
    """Its sky correction: the start's sky, turned as the camera is, where both show sky: RGB and disparity.

    Its own script has a start that was outpainted to 1.5 times its size. Here the start ends at its edges, so sky
    beyond them stays the model's. Its script also gives up flights with too little or too much sky.
    """
    warped, disparity, coverage = model.render_forward_splat(
        torch.cat([start[:, :3], was_sky], 1).permute(0, 2, 3, 1), 1 / start[:, 3], turned,
        torch.zeros(1, 3, device=start.device), k_src=camera, k_dst=camera,
    )  # fmt: skip
    covered = (coverage > COVERED).float()
    sky = (warped[:, 3:] > COVERED).float() * covered
    inner = -F.max_pool2d(-sky, 7, stride=1, padding=3)
    weight = blur((refined[:, 3:4] < SKY).float() * inner) * covered
    seen = refined[:, :3] * (1 - weight) + warped[:, :3] * weight
    return seen, refined[:, 3:4] * (1 - weight) + disparity * weight


def blur(mask, sigma: float = 1.5):
    """A Gaussian of 5 x 5 over ``[b, 1, h, w]``."""
    line = torch.exp(-((torch.arange(5, device=mask.device) - 2.0) ** 2) / (2 * sigma**2))
    window = torch.outer(line, line) / line.sum() ** 2
    return F.conv2d(F.pad(mask, (2, 2, 2, 2), mode="reflect"), window[None, None])


if __name__ == "__main__":
    main()
