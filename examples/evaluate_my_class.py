"""Score a method of your own that is a Python class.

python examples/evaluate_my_class.py WORKSPACE
"""

import sys

import numpy as np

import flythrough as ft


class Shift:
    """Moves the start frame sideways, one pixel per step: replace it with your model."""

    def setup(self, setting):
        self.steps = setting.steps  # also: height, width, device, checkpoint

    def generate(self, start_rgbd, intrinsics, flight, seed):
        """Yield uint8 frames [h, w, 3] forever; ask the flight for each pose with the disparity that you see."""
        frame = np.round(255 * start_rgbd[:3]).astype(np.uint8).transpose(1, 2, 0)
        for step in range(1, self.steps + 1):
            flight.next_pose(start_rgbd[3])
            yield np.roll(frame, step, axis=1)


def main(workspace: str) -> None:
    results = ft.evaluate([Shift, "static", "zoom"], workspace=workspace, steps=4, sfm_flights=0)
    scores = results.table[results.table.metric.isin(["fd_lite0", "follow_correlation"])]
    print(scores.pivot_table(index="method", columns="metric", values="value").to_string())
    results.save(f"{workspace}/scores")  # then: flythrough leaderboard --workspace WORKSPACE/scores
    differences = ft.compare(results).differences  # who is better, flight by flight: the same starts for all
    print(differences[["metric", "step", "method", "other", "difference", "low", "high", "verdict"]].to_string())


if __name__ == "__main__":
    main(*sys.argv[1:])
