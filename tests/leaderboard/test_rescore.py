"""Frames scored again: what differs is refused, what agrees may be kept as scored here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flythrough.errors import InputError
from flythrough.leaderboard import cli
from flythrough.leaderboard.package import pack
from flythrough.leaderboard.rescore import differences, rescore
from flythrough.results.schema import Result
from flythrough.workspace.files import write_json
from tests.hostile.claims import FLIGHTS, make_workspace, record
from tests.leaderboard.test_package import with_frames


def changed(metric: str, by: float) -> Result:
    claim = record("theirs")
    claim["values"] += [{"metric": "lpips_alex", "value": 0.3}, {"metric": "follow_correlation", "value": 0.9}]
    for value in claim["values"]:
        if value["metric"] == metric:
            value["value"] += by
            value |= {"low": None, "high": None}
    return Result.model_validate_json(json.dumps(claim))


@pytest.mark.parametrize(
    ("metric", "by", "says"),
    [
        ("psnr", 1e-5, ""),
        ("psnr", 1e-4, "psnr@5 is 21.0001, but its frames give 21"),
        ("lpips_alex", 4e-4, ""),
        ("lpips_alex", 6e-4, "lpips_alex is 0.3006, but its frames give 0.3"),
        ("fd_lite0", 0.05, ""),
        ("fd_lite0", -1.0, "fd_lite0 is 89, but its frames give 90"),
        ("follow_correlation", 0.05, ""),
    ],
)
def test_how_much_may_differ(metric: str, by: float, says: str) -> None:
    assert differences(changed(metric, by), changed(metric, 0.0)) == ([says] if says else [])


def scorer(said: list[list[str]], **more: Any) -> Callable[[list[str]], int]:
    """As ``flythrough evaluate score``: writes a record of theirs to --out."""

    def run(words: list[str]) -> int:
        said.append(words)
        assert sorted(p.relative_to(words[2]).as_posix() for p in Path(words[2]).glob("*/*")) == sorted(FLIGHTS)
        if "--out" in words:
            write_json(Path(words[-1]), record("theirs") | more)
        return 0

    return run


def test_frames_are_scored_on_our_protocol_and_kept(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w")
    said: list[list[str]] = []
    protocol = workspace / "evaluate/ours.0/p-v1.toml"
    protocol.touch()
    pack(with_frames(tmp_path / "theirs", "theirs"), tmp_path / "theirs.zip")
    rescore(workspace, tmp_path / "theirs.zip", run=scorer(said))
    rescore(workspace, tmp_path / "theirs.zip", keep=True, run=scorer(said))
    assert ["--out" in words for words in said] == [True, True, False]
    assert all(words[3:9] == said[0][3:9] for words in said)
    assert said[0][3:9] == ["--name", "theirs", "--workspace", str(workspace.root), "--protocol", str(protocol)]


def test_what_does_not_agree_is_refused_and_not_kept(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w")
    pack(with_frames(tmp_path / "theirs", "theirs"), tmp_path / "theirs.zip")
    other = record("theirs")["values"]
    other[1]["value"] = 20.5
    other_protocol = {"name": "p-v1", "hash": "cd" * 32}
    for more, says in (
        ({"values": other}, "psnr@5 is 21, but its frames give 20.5"),
        ({"protocol": other_protocol}, "scores protocol cdcdcdcdcdcd, not abababababab"),
    ):
        said: list[list[str]] = []
        with pytest.raises(InputError, match=says):
            rescore(workspace, tmp_path / "theirs.zip", keep=True, run=scorer(said, **more))
        assert len(said) == 1
    with pytest.raises(InputError, match="could not be scored"):
        rescore(workspace, tmp_path / "theirs.zip", run=lambda words: 1)
    with pytest.raises(InputError, match="no frames to score"):
        rescore(workspace, tmp_path / "theirs" / "results.json", run=lambda words: 0)


def test_replace_is_refused_where_it_would_be_ignored(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w")
    with pytest.raises(InputError, match="--replace is about submitted numbers"):
        cli.add(tmp_path / "theirs.zip", workspace.root, replace=True, rescore=True)
