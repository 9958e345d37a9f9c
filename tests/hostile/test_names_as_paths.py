"""Names from outside that become paths: none leads out of its folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flythrough.acquire.sources.camera_files import read_index
from flythrough.errors import InputError
from flythrough.evaluate.methods.registry import read_spec
from flythrough.evaluate.protocols.protocol import SHIPPED, load_protocol, save_protocol
from flythrough.results.schema import read_result
from flythrough.workspace.addresses import AddressKeys
from flythrough.workspace.names import problem_with

NAMES = ("../../escaped", "/tmp/escaped", "..", ".hidden", "a/b", "a\\b", "a\nb", "x" * 300)


@pytest.mark.parametrize("name", NAMES)
def test_a_protocol_cannot_name_a_path(tmp_path: Path, name: str) -> None:
    shipped = load_protocol(SHIPPED[0])
    file = save_protocol(shipped, tmp_path)
    text = file.read_text(encoding="utf-8").replace(json.dumps(shipped.name), json.dumps(name))
    assert json.dumps(name) in text
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="cannot be a name"):
        load_protocol(str(file))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", ["method", "protocol"])
def test_a_result_cannot_name_a_path(tmp_path: Path, part: str, name: str) -> None:
    record = {"status": "scored", "protocol": {"name": "p-v1", "hash": "ab"}, "method": {"name": "m"}}
    record[part] = {**record[part], "name": name}  # type: ignore[dict-item]
    file = tmp_path / "results.json"
    file.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(InputError, match="cannot be a name"):
        read_result(file)


@pytest.mark.parametrize("clip", NAMES)
def test_a_start_cannot_name_a_path(tmp_path: Path, clip: str) -> None:
    file = save_protocol(load_protocol(SHIPPED[0]), tmp_path)
    index_file = file.with_suffix(".json")
    index = json.loads(index_file.read_text(encoding="utf-8"))
    index["starts"][0]["clip"] = clip
    index_file.write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(InputError, match="cannot be a name"):
        load_protocol(str(file))


@pytest.mark.parametrize("name", NAMES)
def test_a_method_spec_cannot_name_a_path(tmp_path: Path, name: str) -> None:
    file = tmp_path / "spec.toml"
    file.write_text(f'name = {json.dumps(name)}\ncommand = ["true"]\n', encoding="utf-8")
    with pytest.raises(InputError, match="is no method spec"):
        read_spec(file)


@pytest.mark.parametrize(
    "name", ["a...txt", "a..  .txt", "a\nb.txt", "a\\b.txt", "-a.txt", "\udcff.txt", "a" * 240 + ".txt"]
)
def test_a_clip_is_never_called_by_a_file_name_that_is_a_path(tmp_path: Path, name: str) -> None:
    lines = "".join(f"{n * 33367} 1 1 .5 .5 0 0 1 0 0 0 0 1 0 0 0 0 1 0\n" for n in range(4))
    (tmp_path / "cameras").mkdir()
    (tmp_path / "cameras" / name).write_text(f"https://h.example/a.mp4\n{lines}", encoding="utf-8")
    index = read_index(tmp_path / "cameras", AddressKeys(tmp_path))
    keys = [*index.clips, *(key for key, _, _ in index.refused)]
    assert len(keys) == 1
    assert problem_with(keys[0]) is None
    assert "." not in keys[0]
    assert len(keys[0]) <= 150
