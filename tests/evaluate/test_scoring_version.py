"""A protocol's scoring version is part of its hash; what another version froze is shown, and not scored."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flythrough.errors import InputError
from flythrough.evaluate import protocols
from flythrough.evaluate.cli import protocol_show
from flythrough.evaluate.protocols.protocol import SCORING_VERSION, SHIPPED, load_protocol
from flythrough.evaluate.stage import EvaluateConfig, make_protocol
from flythrough.workspace.catalog import Workspace

VERSION_1 = {"acid-v1": "d09b8a3cf6dc", "sample-v1": "9ddef23f63e7", "sample-v2": "c18f6ca04125"}
LINE = f"scoring_version = {SCORING_VERSION}\n"


def restated(name: str, line: str, folder: Path) -> str:
    """A shipped protocol's file with another line for its scoring version."""
    file = Path(str(protocols.__path__[0])) / f"{name}.toml"
    text = file.read_text(encoding="utf-8")
    assert text.count(LINE) == 1
    (folder / file.name).write_text(text.replace(LINE, line), encoding="utf-8")
    shutil.copy(file.with_suffix(".json"), folder)
    return str(folder / file.name)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_file_from_before_is_version_1_with_the_hash_it_had(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped, file = load_protocol(name), restated(name, "", tmp_path)
    assert f": {shipped.hash}\n" in (Path(str(protocols.__path__[0])) / f"{name}.toml").read_text(encoding="utf-8")
    assert load_protocol(file).hash.startswith(VERSION_1[name])
    protocol_show(file)
    assert f"scoring version 1: this flythrough scores by version {SCORING_VERSION}" in capsys.readouterr().out
    protocol_show(name)
    assert f"scoring version {SCORING_VERSION}\n" in capsys.readouterr().out


def test_another_version_is_not_scored_and_the_remedy_makes_it_current(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(InputError, match="sample-v1 is of scoring version 1") as caught:
        make_protocol(workspace, EvaluateConfig(protocol=restated("sample-v1", "", tmp_path)))
    assert LINE.strip() in caught.value.remedy
    followed = make_protocol(workspace, EvaluateConfig(protocol=restated("sample-v1", LINE, tmp_path)))
    assert followed.hash == load_protocol("sample-v1").hash
    with pytest.raises(InputError, match="of scoring version 99") as caught:
        make_protocol(workspace, EvaluateConfig(protocol=restated("sample-v1", "scoring_version = 99\n", tmp_path)))
    assert "newer flythrough" in caught.value.remedy
