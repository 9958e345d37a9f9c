"""How far renderer, network and autopilot are from the official release's outputs, which tests/golden holds.

    python benchmarks/release_agreement.py docs/data/release_agreement.json

Writes the largest differences, in float32, that the table in docs/model.md shows. The tests require bounds of them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from flythrough.rendering.render import render
from flythrough.scene.autopilot import Autopilot
from flythrough.train.model.network import InfiniteNature
from flythrough.train.model.release import assemble
from tests.golden import recipe

LENS = torch.from_numpy(recipe.INTRINSICS)[None]
PATHS = ("numba", "torch")


def rendering() -> dict[str, float]:
    """The largest difference of any pixel, and of the gradient to colours and disparity."""
    golden, off = recipe.golden("render"), []
    for seed, path in ((seed, path) for seed in range(3) for path in PATHS):
        poses = [recipe.camera(golden[f"pose{k}_{seed}"]) for k in (0, 1)]
        image, mask = render(recipe.tensor(recipe.rgbd(seed)), poses[0], LENS, poses[1], LENS, path=path)
        off += [np.abs(recipe.array(image) - golden[f"rgbd_{seed}"]).max(),
                np.abs(recipe.array(mask) - golden[f"mask_{seed}"]).max()]  # fmt: skip
    golden, grads = recipe.golden("render_grad"), []
    for path in PATHS:
        rgbd = recipe.tensor(recipe.rgbd(0)).requires_grad_()
        image, _ = render(rgbd, recipe.camera(golden["pose0"]), LENS, recipe.camera(golden["pose1"]), LENS, path=path)
        (image * recipe.tensor(recipe.noise(7, (1, 160, 256, 4)))).sum().backward()
        assert rgbd.grad is not None
        grads.append(rgbd.grad[0].permute(1, 2, 0).numpy() - golden["grad"])
    length = np.linalg.norm(golden["grad"])
    return {"render": max(off), "gradient to colours": max(np.abs(each[..., :3]).max() for each in grads),
            "gradient to disparity": max(np.abs(each[..., 3]).max() for each in grads),
            "greatest gradient to disparity": np.abs(golden["grad"][..., 3]).max(),
            "gradient, of its length": max(np.linalg.norm(each) for each in grads) / length}  # fmt: skip


@torch.inference_mode()
def network() -> dict[str, float]:
    """Encoder, refinement, four steps, and a step in bfloat16."""
    shapes, golden = recipe.variables(), recipe.golden("network")
    model = assemble(shapes, lambda name: recipe.weight(name, shapes[name]), "the recipe")[0]
    assert isinstance(model, InfiniteNature)
    rgbd = recipe.tensor(recipe.rgbd(0))
    mean, log_variance = model.encode(rgbd)
    mask = (recipe.noise(12, (1, 160, 256, 1)) > -1).astype(np.float32)
    style = torch.from_numpy(recipe.noise(11, (1, 256)))
    refined = model.refine(recipe.tensor(recipe.rgbd(1)[None] * mask), recipe.tensor(mask), style)
    poses = [recipe.camera(pose) for pose in golden["rollout_poses"]]
    off, kernels, here = [], model.normalise(), rgbd
    for k, theirs in enumerate(golden["rollout"]):
        here = model.step(here, poses[k], poses[k + 1], LENS, mean, kernels)
        off.append(np.abs(recipe.array(here) - theirs))
    exact = model.step(rgbd, poses[0], poses[1], LENS, mean)
    with torch.autocast("cpu", torch.bfloat16):
        quick = model.step(rgbd, poses[0], poses[1], LENS, mean)
    return {"mu, logvar": max(np.abs(mean.numpy() - golden["mu"]).max(),
                              np.abs(log_variance.numpy() - golden["logvar"]).max()),
            "refined": np.abs(recipe.array(refined) - golden["refined"]).max(),
            "rollout, step 1": off[0].max(), "rollout, mean over 4 steps": np.mean(off),
            "bf16 step, dB": float(10 * torch.log10(1 / (quick - exact).square().mean()))}  # fmt: skip


def autopilot() -> float:
    golden, pilot = recipe.golden("fly"), Autopilot(recipe.INTRINSICS)
    return max(np.abs(pilot.next_pose(recipe.rgbd(seed)[..., 3]) - pose).max()
               for seed, pose in zip(golden["seeds"], golden["poses"], strict=True))  # fmt: skip


if __name__ == "__main__":
    found = {**rendering(), **network(), "autopilot": autopilot()}
    text = json.dumps({name: float(f"{value:.3g}") for name, value in found.items()}, indent=1) + "\n"
    Path(sys.argv[1]).write_text(text, encoding="utf-8")
    print(text)
