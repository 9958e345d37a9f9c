"""A protocol's power: which differences its starts show, from methods scored before."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from flythrough.errors import InputError
from flythrough.evaluate.cli import protocol_build
from flythrough.evaluate.protocols.power import answers, measured_power
from flythrough.evaluate.protocols.protocol import load_protocol, save_protocol
from flythrough.results.power import FEW, Spread
from flythrough.results.schema import Replicates, Result, Value, rows_of, write_result
from flythrough.workspace.catalog import Workspace

STARTS = 20


def scored(method: str, per_start: np.ndarray) -> Result:
    starts = len(per_start)
    draws = np.random.default_rng(7).multinomial(starts, np.full(starts, 1 / starts), size=200)
    kept = Replicates(drawn=f"same {starts}", starts=starts, values=tuple(draws @ per_start / starts))
    return Result(
        status="scored", protocol={"name": "p-v1", "hash": f"ab{starts}"}, method={"name": method},
        values=tuple(
            Value(metric=metric, step=step, value=float(per_start.mean()), n=starts, ranked=True)
            for metric, step in (("fd_lite0", None), ("psnr", 5))
        ),
        replicates={"fd_lite0": kept, "psnr@5": kept},
    )  # fmt: skip


def pair(starts: int = STARTS) -> list[Result]:
    random = np.random.default_rng(starts)
    hard = random.uniform(10, 100, starts)
    return [scored("a", hard), scored("b", hard + random.normal(0, 3, starts))]


def test_a_protocol_states_its_power_and_it_is_no_part_of_the_hash(tmp_path: Path) -> None:
    protocol = load_protocol("sample-v1")
    stated = measured_power([*pair(), *pair(9)], {"fd_lite0": 12})
    (power,) = stated  # it has no view synthesis at step 5 here
    (known,) = power.pairs
    assert (power.metric, power.starts, power.measured_on, known.methods) == ("fd_lite0", 12, STARTS, ("a", "b"))
    assert known.spread == pytest.approx(3, rel=0.4)
    spread = Spread(known.spread, STARTS)
    assert spread.power(power.separates, 12) == pytest.approx(0.8, abs=0.01)
    assert known.power == pytest.approx(spread.power(known.difference, 12), abs=0.01)
    told = protocol.model_copy(update={"power": stated})
    assert told.hash == protocol.hash
    again = load_protocol(str(save_protocol(told, tmp_path)))
    assert again == told
    assert again.hash == protocol.hash
    assert "12 starts tell" in again.power[0].line


def test_no_power_is_stated_from_few_starts() -> None:
    assert measured_power(pair(FEW - 1), {"fd_lite0": 12}) == ()
    assert measured_power(pair(FEW), {"fd_lite0": 12})
    with pytest.raises(InputError, match=f"the same {FEW} starts or more"):
        answers(measured_power(pair(3), {"fd_lite0": 3}), ["fd_lite0=1"])


def test_a_difference_beyond_all_that_were_measured_is_called_a_bound() -> None:
    stated = measured_power(pair(), {"fd_lite0": 12})
    most = stated[0].pairs[-1].difference
    assert "a bound" in stated[0].for_difference(2 * most)
    assert "a bound" not in stated[0].for_difference(most / 2)


def test_differences_are_answered_with_starts() -> None:
    stated = measured_power(pair(), {"fd_lite0": 12, "psnr@5": 12})
    lines = answers(stated, ["fd_lite0=1", "psnr@5=1e-9"])
    needed = Spread(stated[0].pairs[0].spread, STARTS).starts_for(1.0)
    assert f"fd_lite0: a difference of 1 needs {needed} starts" in lines[0]
    assert "more starts than any protocol has" in lines[1]


@pytest.mark.parametrize("wanted", ["fd_lite0", "fd_lite0=", "fd_lite0=-1", "fd_lite0=nan", "fd_lite0=inf", "fid=3"])
def test_what_cannot_be_answered_is_refused_with_a_remedy(wanted: str) -> None:
    with pytest.raises(InputError) as refused:
        answers(measured_power(pair(), {"fd_lite0": 12}), [wanted])
    assert refused.value.remedy


def test_without_two_methods_on_the_same_starts_there_is_no_power() -> None:
    assert measured_power(pair()[:1], {"fd_lite0": 12}) == ()
    with pytest.raises(InputError, match="two methods scored on the same 8 starts"):
        answers((), ["fd_lite0=1"])


def test_every_metric_that_ranks_has_its_starts() -> None:
    starts = load_protocol("sample-v1").starts_by_metric()
    assert starts["fd_lite0"] == starts["fid"] == len(load_protocol("sample-v1").generation_starts())
    assert starts["psnr@5"] >= starts["psnr@10"] > 0


def test_build_says_how_many_starts_a_difference_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = Workspace(tmp_path / "w")
    rows = []
    for result in pair():
        file = f"evaluate/{result.method.name}/results.json"
        write_result(result, workspace / file)
        rows += rows_of(result, file)
    with workspace.locked():
        workspace.write("results", rows)
    index = tmp_path / "index.json"
    index.write_text(json.dumps({f"clip-{i}": {"context": [i, 9], "target": [3]} for i in range(30)}))
    protocol_build(workspace.root, out=tmp_path, acid_index=index, power=["fd_lite0=2"])
    printed = capsys.readouterr().out
    assert "power by fd_lite0: 30 starts tell" in printed
    assert "fd_lite0: a difference of 2 needs" in printed
    assert load_protocol(str(tmp_path / "acid-v1.toml")).power[0].starts == 30
