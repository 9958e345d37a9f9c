"""Look through a workspace with pandas: what was kept, what was dropped and why, and one clip's pictures.

python examples/look_through_a_catalog.py WORKSPACE
"""

import sys

import numpy as np

import flythrough as ft


def main(path: str) -> None:
    workspace = ft.open(path)
    print(workspace.clips.groupby("split").agg(clips=("id", "size"), frames=("frame_count", "sum")).to_string())
    if len(workspace.drops):
        print(workspace.drops.groupby(["stage", "reason"]).size().sort_values(ascending=False).to_string())
    for row in workspace.clips.itertuples():
        clip = workspace.clip(row.id)
        centers = -np.einsum("nij,ni->nj", clip.cameras.poses[:, :, :3], clip.cameras.poses[:, :, 3])
        path_length = np.linalg.norm(np.diff(centers, axis=0), axis=1).sum()
        near = np.percentile(clip.disparity(0), 99)
        print(f"{clip.id}: {len(clip)} frames, path {path_length:.2f} units, nearest ground at {1 / near:.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
