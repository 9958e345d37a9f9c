"""Train the model on a workspace's clips, and fly it from a clip's first frame.

python examples/train_on_my_clips.py WORKSPACE [STEPS]
"""

import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np

import flythrough as ft


def main(workspace: str, steps: str = "400") -> None:
    train = [sys.executable, "-m", "flythrough", "train", "--workspace", workspace, "--set", f"train.steps={steps}"]
    subprocess.run(train, check=True)  # resumes a run that was stopped
    opened = ft.open(workspace)
    checkpoint = Path(workspace) / opened.checkpoints.path.iloc[-1]
    clip = opened.clip(opened.clips.id.iloc[0])
    start = Path(workspace) / "start.npz"
    rgbd = clip.rgbd(0, clip.height, clip.width)
    np.savez(start, rgbd=rgbd.transpose(1, 2, 0), intrinsics=clip.cameras.intrinsics[0])
    frames = ft.fly(start, checkpoint=checkpoint, steps=20)
    first = next(frames)
    out = Path(workspace) / "flight.mp4"
    video = imageio_ffmpeg.write_frames(str(out), first.shape[1::-1], fps=10)
    video.send(None)
    for frame in (first, *frames):
        video.send(np.ascontiguousarray(frame))
    video.close()
    print(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
