"""sample-v2: frozen from a recipe, filmed anywhere, with a floor from other islands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flythrough.evaluate.protocols.build import SAMPLE_V2, build_from_recipe
from flythrough.evaluate.protocols.protocol import load_protocol
from flythrough.evaluate.protocols.recipe import Recipe
from flythrough.evaluate.protocols.sample_clips import film_recipe
from flythrough.evaluate.protocols.source import Source
from flythrough.evaluate.stage import EvaluateConfig, tasks
from flythrough.sample.film import film
from flythrough.workspace.catalog import Workspace


def test_the_shipped_protocol_is_what_its_recipe_makes() -> None:
    """Nothing in it was computed with floating point, so the hash is the same on every machine."""
    shipped = load_protocol("sample-v2")
    assert shipped.hash == build_from_recipe(SAMPLE_V2, "sample-v2").hash
    assert len(shipped.generation_starts()) >= 20
    assert shipped.header.generation.steps == 100
    assert all(start.poses is start.intrinsics is start.plan is start.sha256 is None for start in shipped.starts)
    reference, floor = shipped.index.reference, shipped.index.floor
    assert reference is not None
    assert floor is not None
    assert not set(reference) & set(floor)
    assert {start.clip for start in shipped.starts} == set(reference) | set(floor)


def test_its_islands_are_no_training_islands() -> None:
    from flythrough.train.data.islands import FIRST_SEED

    assert all(island < FIRST_SEED for _, island, _ in SAMPLE_V2.takes())


def test_another_recipe_is_another_protocol() -> None:
    changed = SAMPLE_V2.model_copy(update={"fps": 10})
    assert build_from_recipe(changed, "sample-v2").hash != load_protocol("sample-v2").hash


def test_a_filmed_recipe_is_the_protocols_source(tmp_path: Path) -> None:
    recipe = Recipe(first_island=90_000, islands=1, frames=11, height=64, width=96)
    workspace = Workspace(tmp_path)
    (row,) = film_recipe(workspace, recipe)
    source = Source(build_from_recipe(recipe, "small-v1"), workspace)
    (start,) = source.protocol.starts
    take = film(90_000, "forward", 11 / 8, width=96, height=64, fps=8)
    np.testing.assert_allclose(source.poses(start), take.poses, atol=1e-8)
    np.testing.assert_array_equal(source.clip_of(start).frame(10), take.images[10])
    assert source.clip_of(start).island == 90_000
    assert row["split"] == "test"
    speed = np.linalg.norm(np.diff([-p[:, :3].T @ p[:, 3] for p in source.poses(start)], axis=0), axis=1)
    assert speed == pytest.approx(1.5 / 8, rel=0.3)


def test_settings_that_a_frozen_protocol_states_itself_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = EvaluateConfig(protocol="sample-v1", methods=("static",), steps=5, sfm_flights=0)
    [task] = tasks(Workspace(tmp_path), config)
    assert "sample-v1 has its own steps, sfm_flights: the settings have no effect" in caplog.text
    caplog.clear()
    [plain] = tasks(Workspace(tmp_path), EvaluateConfig(protocol="sample-v1", methods=("static",)))
    assert (task.id, task.inputs) == (plain.id, plain.inputs)
    assert caplog.text == ""
