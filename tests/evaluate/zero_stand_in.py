"""A stand-in of InfiniteNature-Zero's public code: its folders, modules, classes and argument names, and no network.

It really warps, by softmax splatting, so wrong cameras, units or axes show in the frames; in place of the generator it
fills holes from their rims. Written from the interface alone.
"""

from __future__ import annotations

from pathlib import Path

import torch

RENDER_MODEL = """
import glob
import os

import kornia
import numpy as np
from splatting import splatting_function
import torch


class Generator:
    def mean_latent(self, n_latent, device):
        return torch.randn(n_latent, 512, device=device).mean(0, keepdim=True)

    def style_encoder(self, x):
        assert tuple(x.shape) == (1, 4, 128, 128) and -1 <= x.min() < 0 < x.max() <= 1
        return x.mean((2, 3))


class RenderModel(torch.nn.Module):
    def __init__(self, opt, is_train):
        super().__init__()
        assert opt.local_rank == 0 and opt.crop_size == 128 and not is_train
        self.device = torch.device("cpu")
        found = sorted(glob.glob(os.path.join("./checkpoints", "*latest.tar")))[-1]
        held = torch.load(found, map_location="cpu")
        held["global_step"], held["epoch"]
        self.speckle = held["netG_ema"]["speckle"]
        self.generator = Generator()

    def render_forward_splat(self, src_imgs, src_depths, r_cam, t_cam, k_src, k_dst):
        batch, height, width, _ = src_imgs.shape
        assert tuple(src_depths.shape) == (batch, height, width) and (src_depths > 0).all()
        assert (tuple(r_cam.shape), tuple(t_cam.shape)) == ((batch, 3, 3), (batch, 3))
        assert tuple(k_src.shape) == tuple(k_dst.shape) == (batch, 3, 3)
        y, x = np.mgrid[:height, :width]
        pixels = torch.tensor(np.stack([x, y, np.ones_like(x)]).reshape(3, -1), dtype=torch.float32)
        points = r_cam[0] @ (src_depths.reshape(1, -1) * (k_src[0].inverse() @ pixels)) + t_cam[0][:, None]
        seen = k_dst[0] @ points
        nearness = (1 / seen[2]).reshape(1, 1, height, width)
        flow = (seen[:2] / seen[2].clamp(1e-8) - pixels[:2]).reshape(1, 2, height, width)
        values = torch.cat([src_imgs.permute(0, 3, 1, 2), nearness, torch.ones_like(nearness)], 1)
        drawn = splatting_function("softmax", values, flow, 20 * nearness / nearness.max() - 10)
        return drawn[:, :-2], drawn[:, -2:-1], drawn[:, -1:]

    def sobel_fg_alpha(self, disp, mode="sobel", beta=10.0):
        assert disp.dim() == 4 and disp.shape[1] == 1 and (mode, beta) == ("sobel", 4.0)
        return torch.ones_like(disp)

    def render_and_refine(self, cur_rgba, cur_disp, fwd_rot, fwd_t, k_ref, noise, global_code, mean_latent=None,
                          truncation=1, return_all=False, return_rast=False, use_ema=False):
        assert tuple(cur_rgba.shape) == (1, 4, 128, 128) and 0 <= cur_rgba.min() and cur_rgba.max() <= 1
        assert 0.01 <= cur_disp.min() + 1e-6 and cur_disp.max() <= 1
        assert isinstance(noise, list) and tuple(noise[0].shape) == tuple(mean_latent.shape) == (1, 512)
        rgba, disp, mask = self.render_forward_splat(
            cur_rgba.permute(0, 2, 3, 1), 1 / cur_disp, fwd_rot, fwd_t, k_src=k_ref, k_dst=k_ref
        )
        known, picture = (mask > 0.9).float(), torch.cat([rgba[:, :3], disp], 1)
        for _ in range(8):  # from the rim of a hole inwards
            share = torch.nn.functional.avg_pool2d(known, 3, 1, 1)
            near = torch.nn.functional.avg_pool2d(picture * known, 3, 1, 1) / share.clamp(1e-6)
            picture = torch.where(known > 0, picture, near)
            known = (share > 0).float()
        painted = (global_code[..., None, None] + 1) / 2 + self.speckle * noise[0][0, 0]
        return torch.where(known > 0, picture + self.speckle, painted).clamp(0, 1)
"""
SPLATTING = """
import torch


def splatting_function(splatting_type, frame, flow, importance_metric):
    assert splatting_type == "softmax" and frame.dim() == flow.dim() == importance_metric.dim() == 4
    height, width = frame.shape[-2:]
    weight = importance_metric.exp()
    values = torch.cat([frame * weight, weight], 1).flatten(2)[0]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    x, y = flow[0, 0] + x, flow[0, 1] + y
    drawn = torch.zeros(len(values), height * width)
    for across, down in ((0, 0), (0, 1), (1, 0), (1, 1)):
        column, row = x.floor() + across, y.floor() + down
        share = (1 - (x - column).abs()) * (1 - (y - row).abs())
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        where = (row * width + column)[inside].long()
        drawn.index_add_(1, where, values[:, inside.flatten()] * share[inside])
    drawn = drawn.reshape(1, -1, height, width)
    return drawn[:, :-1] / (drawn[:, -1:] + 1e-7)
"""
BASE_OPTIONS = """
import argparse


class BaseOptions:
    def parse(self):
        parser = argparse.ArgumentParser()
        parser.add_argument("--local_rank", type=int, default=0)
        parser.add_argument("--crop_size", type=int, default=128)
        opt = parser.parse_args()
        opt.is_train = False
        print("----------------- Options ---------------")
        return opt
"""
TEST_OPTIONS = "from .base_options import BaseOptions\n\n\nclass TestOptions(BaseOptions):\n    pass\n"
CODE = {
    "models/render_model.py": RENDER_MODEL,
    "options/base_options.py": BASE_OPTIONS,
    "options/test_options.py": TEST_OPTIONS,
}
PACKAGES = {"splatting.py": SPLATTING, "kornia.py": ""}  # what its environment has


def lay_out(code: Path, site: Path, speckle: float = 0.0) -> None:
    """Write its code with a checkpoint below ``code``, and the packages that it needs below ``site``."""
    for folder, files in ((code, CODE), (site, PACKAGES)):
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    (code / "checkpoints").mkdir()
    held = {"global_step": 7, "epoch": 1, "netG_ema": {"speckle": torch.tensor(speckle)}}
    torch.save(held, code / "checkpoints" / "zero_latest.tar")
