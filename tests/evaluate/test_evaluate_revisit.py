"""Out and back on one path: what is flown, and the last frame against the start frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from flythrough.evaluate.generation.frames import check_flights, expected_flights
from flythrough.evaluate.generation.generate import generate
from flythrough.evaluate.methods.registry import find_specs
from flythrough.evaluate.metrics import images
from flythrough.evaluate.protocols.build import Choices, build_from_workspace
from flythrough.evaluate.protocols.protocol import Protocol, ViewSynthesis, load_protocol, save_protocol
from flythrough.evaluate.protocols.source import Source
from flythrough.evaluate.scoring.revisit import measure_revisits
from flythrough.evaluate.scoring.tally import Settings, Tally
from flythrough.results.methods import Setting
from tests.clip_factory import make_workspace

OUT = 3


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    workspace = make_workspace(tmp_path_factory.mktemp("revisit") / "w", clips=1, frames=8, splits=("test",))
    choices = Choices(steps=2, view_steps=(OUT,), revisit=OUT, starts_per_clip=2, sfm_flights=0)
    return Source(build_from_workspace(workspace, choices), workspace)


def back(source: Source, method: str, folder: Path) -> Tally:
    setting = Setting("workspace-v1", 64, 96, source.protocol.longest_flight)
    made = generate(find_specs([method])[0], source, folder, setting, 60)
    frames = check_flights(made, expected_flights(source), 64, 96)
    tally = Tally(Settings(replicates=20), not_measured={"lpips_alex": "no weights"})
    measure_revisits(source, frames, {"psnr": images.psnr, "ssim": images.ssim}, tally)
    return tally


def test_the_flight_goes_back_the_way_it_came(source: Source) -> None:
    start = source.protocol.starts[0]
    poses = source.out_and_back(start)
    assert poses is not None
    np.testing.assert_array_equal(poses, poses[::-1])
    np.testing.assert_array_equal(poses[: OUT + 1], source.poses(start))
    assert expected_flights(source)[f"revisit/{start.id}"] == 2 * OUT == source.protocol.longest_flight


def test_what_returns_is_told_from_what_has_lost_its_start(source: Source, tmp_path: Path) -> None:
    still, lost = (back(source, method, tmp_path / method) for method in ("static", "render-only"))
    assert still.value_of("revisit_ssim") == 1
    psnr = next(value for value in still.values if value.metric == "revisit_psnr")
    assert (psnr.value, psnr.n) == (None, 2)
    assert "infinite" in (psnr.note or "")
    assert lost.value_of("revisit_ssim") < 0.99  # type: ignore[operator]
    assert lost.value_of("revisit_psnr") == pytest.approx(np.mean([s["revisit_psnr"] for s in lost.starts.values()]))  # type: ignore[arg-type]
    assert lost.not_measured["revisit_lpips_alex"] == "no weights"


def test_protocols_without_it_keep_their_hash_and_it_cannot_go_farther_than_was_recorded(
    source: Source, tmp_path: Path
) -> None:
    assert load_protocol("sample-v1").hash.startswith("b4956ca490af")
    again = load_protocol(str(save_protocol(source.protocol, tmp_path)))
    assert again.hash == source.protocol.hash
    header = again.header.model_copy(update={"view_synthesis": ViewSynthesis(steps=(OUT,))})
    assert Protocol(header=header, index=again.index).hash != again.hash
    with pytest.raises(ValidationError, match="farther than the longest of steps"):
        ViewSynthesis(steps=(2,), revisit=3)
