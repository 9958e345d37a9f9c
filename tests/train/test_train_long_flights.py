"""The benchmarks of flights: measures by step, invalid pictures are reported, and what a grid is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import long_flights
from benchmarks.train_flights import grid
from flythrough.train.model.native import save_checkpoint
from flythrough.train.model.network import InfiniteNature


def test_a_few_steps_are_measured_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    torch.manual_seed(0)
    save_checkpoint(tmp_path / "model", InfiniteNature(32, 64, base_width=2, style_size=8).eval(), {"step": 3})
    command = ["long_flights", "island-9000", "island-9002", "--steps", "3", "--checkpoint", str(tmp_path / "model")]
    monkeypatch.setattr(sys, "argv", [*command, "--out", str(tmp_path / "out")])
    assert long_flights.main() == 0
    said = json.loads((tmp_path / "out" / "long_flights.json").read_text())
    assert said["broken_at"] == {"island-9000": None, "island-9002": None}
    wanted = {name for names in long_flights.PANELS.values() for name in names}
    for rows in said["flights"].values():
        assert wanted == set(rows)
        assert {len(values) for values in rows.values()} == {4}
    assert (tmp_path / "out" / "drift.png").stat().st_size > 10_000
    assert (tmp_path / "out" / "strips.png").is_file()


def test_measures_are_of_the_right_thing() -> None:
    rgbd = np.zeros((4, 20, 40), np.float32)
    rgbd[0] = 0.6  # red only
    rgbd[3, 10:] = np.linspace(0.1, 0.9, 10)[:, None]  # the upper half is sky
    values = long_flights.measure(rgbd)
    assert (values["red"], values["green"], values["contrast"], values["sharpness"]) == (153, 0, 0, 0)
    assert values["saturation"] == 1
    assert values["sky"] == 0.5
    assert values["disparity_5"] == 0 < values["disparity_50"] < values["disparity_95"] < 0.9


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 1.1])
def test_a_flight_ends_where_it_is_not_sane(value: float) -> None:
    good = np.full((4, 8, 8), 0.5, np.float32)
    bad = good.copy()
    bad[3, 2, 2] = value
    rows, step = long_flights.watch(iter([good, good, bad, good]), [])
    assert step == 2
    assert len(rows["sky"]) == 3


def test_a_grid_is_what_bends_at_the_borders_of_blocks() -> None:
    noise = np.random.default_rng(0).integers(0, 100, (4, 96, 160, 3))
    assert grid(noise) == pytest.approx(1, abs=0.05)
    assert grid(noise + 50 * (np.arange(160) // 16 % 2)[:, None]) > 1.2
    assert grid(noise + 50 * ((np.arange(160) + 8) // 16 % 2)[:, None]) < 0.9  # its steps lie amid blocks
