"""Drift: statistics of natural scenes against closed forms, and flights that fade, blur or stay as they are."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from flythrough.evaluate.following.stated import Commanded
from flythrough.evaluate.metrics.naturalness import Naturalness, fit_generalised_gaussian, patch_features
from flythrough.evaluate.metrics.picture import saturation, sharpness
from flythrough.evaluate.metrics.windows import ends
from flythrough.evaluate.protocols.build import Choices, build_from_workspace
from flythrough.evaluate.protocols.source import Source
from flythrough.evaluate.scoring.drift import measure_drift
from flythrough.evaluate.scoring.per_flight import Flight, Load
from flythrough.evaluate.scoring.tally import Settings, Tally
from tests.clip_factory import make_workspace

STEPS = 6
Change = Callable[[np.ndarray, int], np.ndarray]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    workspace = make_workspace(tmp_path_factory.mktemp("drift") / "w", clips=2, frames=12, splits=("test",))
    choices = Choices(steps=STEPS, view_steps=(2,), starts_per_clip=1, sfm_flights=0)
    return Source(build_from_workspace(workspace, choices), workspace)


def flights(source: Source, change: Change) -> list[Load]:
    """The start frame at every step, changed by how far the flight is."""

    def load(start) -> Flight:  # type: ignore[no-untyped-def]
        first = source.clip_of(start).frame(start.frame)
        return Flight(start, [first, *(change(first, step) for step in range(1, STEPS + 1))], Commanded(None))

    return [lambda start=start: load(start) for start in source.protocol.generation_starts()]  # type: ignore[misc]


def measured(source: Source, change: Change) -> Tally:
    tally = Tally(Settings(replicates=20))
    measure_drift(source, flights(source, change), tally)
    return tally


def blurred(image: np.ndarray, step: int) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), 0.4 * step)


def gray(image: np.ndarray, step: int) -> np.ndarray:
    """Half as saturated in the last three steps; value and grain nearly as they were."""
    top = image.max(2, keepdims=True).astype(float)
    return np.round(top - (top - image) * (0.5 if step > 3 else 1.0)).astype(np.uint8)


def test_generalised_gaussians_are_found_again() -> None:
    random = np.random.default_rng(0)
    rows = np.stack([3 * random.normal(size=200_000), random.laplace(size=200_000), random.uniform(-1, 1, 200_000)])
    left, right, shape = fit_generalised_gaussian(rows)
    assert shape[:2] == pytest.approx([2, 1], rel=0.02)
    assert shape[2] > 8  # a box is the limit
    assert left[:2] == pytest.approx([3 * np.sqrt(2), 1], rel=0.02)  # density exp(-|x / scale|^shape)
    assert right[:2] == pytest.approx(left[:2], rel=0.02)
    skewed = np.where(rows[:1] > 0, 2 * rows[:1], rows[:1])
    left, right, _ = fit_generalised_gaussian(skewed)
    assert right / left == pytest.approx([2], rel=0.02)
    assert [each[0] for each in fit_generalised_gaussian(np.zeros((1, 9)))] == [0, 0, 0.2]


def test_the_distance_is_that_of_means_in_units_of_the_average_covariance() -> None:
    gap = np.array([3.0, 0, 4.0])
    one, other = Naturalness(gap, 2 * np.eye(3)), Naturalness(np.zeros(3), 6 * np.eye(3))
    assert one.distance(other) == pytest.approx(5 / 2)
    assert one.distance(one) == 0
    with pytest.raises(ValueError, match="2 patches"):
        Naturalness.of(np.zeros((1, 36)))


def test_blur_noise_and_black_are_less_natural_than_other_real_frames(source: Source) -> None:
    frames = [source.frame(real) for real in source.real_sets()[0]]
    others = [source.frame(real) for real in source.real_sets()[1]]
    random = np.random.default_rng(0)

    def away(images: list[np.ndarray]) -> float:
        return real.distance(Naturalness.of(np.concatenate([patch_features(image) for image in images])))

    real = Naturalness.of(np.concatenate([patch_features(image) for image in frames]))
    noisy = [np.clip(image + random.normal(scale=20, size=image.shape), 0, 255).astype(np.uint8) for image in others]
    for changed in ([blurred(image, 5) for image in others], noisy, [np.zeros_like(image) for image in others]):
        assert away(changed) > 3 * away(others)
    with pytest.raises(ValueError, match="at least 32 pixels"):
        patch_features(np.zeros((16, 64, 3), np.uint8))


def test_a_frame_is_as_sharp_and_as_saturated_as_the_definition_says() -> None:
    stripes = np.zeros((8, 8, 3), np.uint8)
    stripes[:, ::2] = 10  # the Laplacian is -20 on a stripe and +20 between
    assert sharpness(stripes) == pytest.approx(400)
    assert saturation(np.array([[[200, 100, 50], [0, 0, 0]]], np.uint8)) == pytest.approx(0.75 / 2)


def test_the_ends_of_a_flight_never_overlap() -> None:
    assert ends(100, 20) == (slice(0, 20), slice(80, 100))
    assert ends(30, 20) == (slice(0, 15), slice(15, 30))
    assert ends(2, 20) == (slice(0, 1), slice(1, 2))


def test_a_flight_that_blurs_fades_or_stays_is_told_apart(source: Source) -> None:
    def value(tally: Tally, name: str) -> float:
        found = tally.value_of(name)
        assert found is not None
        return found

    still, soft, pale = (measured(source, change) for change in (lambda image, step: image, blurred, gray))
    assert (value(still, "nss_drift"), value(still, "sharpness_kept"), value(still, "saturation_kept")) == (0, 1, 1)
    assert value(soft, "nss_drift") > 1
    assert value(soft, "sharpness_kept") < 0.3
    assert value(pale, "saturation_kept") == pytest.approx(0.5, abs=0.02)
    sharp = [of_step for _, of_step in soft.curves["sharpness"]]
    assert sharp == sorted(sharp, reverse=True)
    assert [step for step, _ in soft.curves["saturation"]] == list(range(1, STEPS + 1))
    for name in ("nss_drift", "sharpness_kept", "saturation_kept"):
        raw = [start[name] for start in soft.starts.values()]
        assert np.mean(raw) == pytest.approx(value(soft, name))  # type: ignore[arg-type]
    note = next(each.note for each in soft.values if each.metric == "nss_drift")
    assert note == "3 steps at either end"


def test_what_is_not_there_at_first_cannot_be_kept(source: Source) -> None:
    tally = measured(source, lambda image, step: np.zeros_like(image) if step < 4 else image)
    kept = next(each for each in tally.values if each.metric == "saturation_kept")
    assert kept.value is None
    assert kept.note == "2 of 2 flights have none of it in their first steps"
