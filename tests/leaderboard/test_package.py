"""Packing, checking, listing and withdrawing, by a third party and by the maintainer of a leaderboard."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from flythrough.errors import InputError
from flythrough.leaderboard import cli, store
from flythrough.leaderboard.package import open_submission, pack
from flythrough.leaderboard.standing.gather import gather
from flythrough.leaderboard.standing.holdings import holdings
from flythrough.leaderboard.submissions import add_submission
from flythrough.results.schema import read_result
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import content_key, sha256_of, write_json
from tests.hostile.claims import FLIGHTS, HASH, make_workspace, record


def with_frames(folder: Path, name: str, flights: Iterable[str] = FLIGHTS) -> Path:
    """A folder with results.json and two frames a flight."""
    claim: dict[str, Any] = record(name)
    for place, flight in enumerate(flights):
        hashes = []
        for step in (1, 2):
            file = folder / "frames" / flight / f"{step:06d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), np.full((4, 6, 3), 40 * place + step, np.uint8))
            hashes.append(sha256_of(file))
        (folder / "frames" / flight / "cameras.txt").write_text("1 2 3\n")
        claim["frames_sha256"][flight] = content_key(hashes)
    write_json(folder / "results.json", claim)
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "w")


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_flights_out_and_back_are_packed_too(tmp_path: Path) -> None:
    folder = with_frames(tmp_path / "theirs", "theirs", [*FLIGHTS, "revisit/c-000000"])
    pack(folder, tmp_path / "a.zip")
    assert open_submission(tmp_path / "a.zip").flights["revisit/c-000000"] == 2


def test_the_same_files_give_the_same_zip(tmp_path: Path) -> None:
    folder = with_frames(tmp_path / "theirs", "theirs")
    (folder / "notes.txt").write_text("stays at home")
    pack(folder, tmp_path / "a.zip")
    for file in folder.rglob("*"):
        file.touch()
    pack(folder, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        manifest = json.loads(packed.read("manifest.json"))
        assert set(manifest["files"]) == set(packed.namelist()) - {"manifest.json"}
        assert "frames/generation/c-000000/000002.png" in manifest["files"]
        packed.extractall(tmp_path / "unpacked")
    assert open_submission(tmp_path / "a.zip").flights == dict.fromkeys(sorted(FLIGHTS), 2)
    assert open_submission(tmp_path / "unpacked") == open_submission(tmp_path / "a.zip")


def test_what_cannot_be_packed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        pack(tmp_path, tmp_path / "a.zip")
    folder = with_frames(tmp_path / "theirs", "theirs")
    (folder / "frames" / FLIGHTS[0] / "000002.png").write_bytes(b"\x89PNG changed")
    with pytest.raises(InputError, match="is not a PNG"):
        pack(folder, tmp_path / "a.zip")
    (folder / "frames" / FLIGHTS[0] / "model.pt").write_bytes(b"weights")
    with pytest.raises(InputError, match="checkpoint"):
        pack(folder, tmp_path / "a.zip")
    assert not list(tmp_path.glob("*.zip")) + list(tmp_path.glob(".*"))


def test_the_way_of_a_submission(workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pack, check, add, list, remove, by the command line's functions."""
    folder, packed = with_frames(tmp_path / "theirs", "theirs"), tmp_path / "theirs.zip"
    cli.pack(folder, packed)
    assert "theirs on p-v1, 8 frames" in capsys.readouterr().out
    before = files(tmp_path)
    cli.check([packed, folder], workspace.root)
    assert capsys.readouterr().out.splitlines()[0] == "theirs.zip: accepted: theirs on p-v1, fd_lite0 90; 8 frames"
    assert files(tmp_path) == before
    cli.add(packed, workspace.root)
    capsys.readouterr()
    cli.list_held(workspace.root, json_=True)
    listed = json.loads(capsys.readouterr().out)
    tiers = {"earlier": "submitted", "ours": "regenerated", "theirs": "submitted"}
    assert {each["method"]: each["tier"] for each in listed} == tiers
    assert all(each["date"].endswith("Z") and len(each["sha256"]) == 64 for each in listed)
    cli.remove("theirs", workspace.root)
    assert "Withdrawn, not deleted" in capsys.readouterr().out
    cli.list_held(workspace.root)
    assert "theirs" not in capsys.readouterr().out
    assert [event.event for event in store.events(workspace)] == ["added", "added", "withdrawn"]
    [kept] = (workspace / store.EARLIER).glob("theirs.*")
    assert read_result(kept).method.name == "theirs"


def test_check_exits_with_1_and_loads_no_torch(workspace: Workspace, tmp_path: Path) -> None:
    write_json(tmp_path / "a|b<i>@all.json", record("ours"))
    code = "import sys\nfrom flythrough.cli.app import main\ntry:\n main()\nfinally:\n print('torch' in sys.modules)"
    words = ["leaderboard", "check", tmp_path / "a|b<i>@all.json", "-w", workspace.root, "--markdown"]
    done = subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True)
    head, line, row, torch = done.stdout.splitlines()
    assert (done.returncode, torch) == (1, "False")
    assert row.startswith(r"| a\|b\<i\>\@all.json |")
    assert "refused: ours was measured here" in row
    assert len(re.findall(r"(?<!\\)\|", row)) == line.count("|") == head.count("|")


def test_a_superseded_submission_is_kept(workspace: Workspace, tmp_path: Path) -> None:
    write_json(tmp_path / "r.json", record("earlier", frames="b") | {"seconds": {"score": 1.0}})
    old = sha256_of(store.file_of(workspace, "earlier", HASH))
    add_submission(workspace, tmp_path / "r.json", replace=True)
    added = store.events(workspace)[-1]
    assert (added.supersedes, added.sha256) == (old, sha256_of(store.file_of(workspace, "earlier", HASH)))
    assert [sha256_of(file) for file in (workspace / store.EARLIER).iterdir()] == [old]
    assert [each.method.name for each in gather(workspace).claims[HASH]] == ["earlier"]


def test_remove_names_what_is_not_there_or_not_one(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="No submission of ours"):
        store.withdraw(workspace, "ours")
    other = record("earlier", frames="b")
    other["protocol"] = {"name": "q-v1", "hash": "cd" * 32}
    write_json(store.file_of(workspace, "earlier", "cd" * 32), other)
    with pytest.raises(InputError, match="several protocols"):
        store.withdraw(workspace, "earlier")
    store.withdraw(workspace, "earlier", "q-v1")
    assert [each.result.protocol.name for each in holdings(workspace) if each.method == "earlier"] == ["p-v1"]


def test_a_damaged_file_keeps_no_other_from_being_withdrawn(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    (workspace / store.FOLDER / "damaged.abababab.json").write_text("{")
    store.withdraw(workspace, "earlier")
    assert [each.method for each in holdings(workspace)] == ["ours"]
    assert "Left out: " in caplog.text
    assert "damaged.abababab.json" in caplog.text


WRITER = """
import json, sys
from pathlib import Path
from flythrough.leaderboard.submissions import add_submission
from flythrough.workspace.catalog import Workspace
from tests.hostile.claims import record
workspace, who = Workspace(sys.argv[1]), sys.argv[2]
for place in range(5):
    file = Path(sys.argv[1]).parent / f"{who}{place}.json"
    frames = {"x": "02468", "y": "13579"}[who][place]
    file.write_text(json.dumps(record(f"{who}-{'kpqxz'[place]}", frames)))
    add_submission(workspace, file)
"""


def test_two_writers_at_once_lose_nothing(workspace: Workspace) -> None:
    root = Path(__file__).parents[2]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(workspace.root), who], cwd=root, stderr=subprocess.PIPE)
        for who in "xy"
    ]
    for writer in writers:
        assert writer.communicate()[1] == b""
        assert writer.returncode == 0
    names = sorted(["earlier", *(f"{who}-{letter}" for who in "xy" for letter in "kpqxz")])
    assert sorted(event.method for event in store.events(workspace)) == names
    assert sorted(each.method for each in holdings(workspace)) == sorted([*names, "ours"])
