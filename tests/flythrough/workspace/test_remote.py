"""A workspace sent to object storage and fetched elsewhere: the same files, whatever stopped either."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyarrow import NativeFile
from pyarrow.fs import FileSystem, LocalFileSystem

from flythrough.errors import DiskError, FlythroughError, InputError
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import TASK_FILE
from flythrough.workspace.upkeep import remote
from flythrough.workspace.upkeep.remote import LIST, OBJECTS, pull, push
from flythrough.workspace.upkeep.verify import verify
from tests.acquire.acquire_world import acquire, make_video

FILES = {
    "flythrough.toml": "[sfm]\n",
    "videos.parquet": "a table",
    "acquire/coast.0a1b2c3d/coast.mp4": "pictures" * 1000,
    "acquire/coast.0a1b2c3d/task.json": "finished",
    "sfm/coast-1.0a1b2c3d/frames/000000.png": "one frame",
    "sfm/coast-1.0a1b2c3d/frames/000001.png": "one frame",  # the same bytes: one object
    "sfm/coast-1.0a1b2c3d/task.json": "finished, too",
}
HIDDEN = (".address-key", "sfm/.partial/coast-2/frame.png", ".lock")


def write(root: Path, files: dict[str, str]) -> Workspace:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return Workspace(root)


def read(root: Path) -> dict[str, str]:
    return {p.relative_to(root).as_posix(): p.read_text() for p in root.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def acquired(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace of one video, as the stage leaves it."""
    root = tmp_path_factory.mktemp("acquired")
    make_video(root / "in" / "a.mp4")
    assert acquire(root / "W", inputs=[str(root / "in")]).ran == 1
    return Workspace(root / "W")


@pytest.fixture
def here(tmp_path: Path) -> Workspace:
    return write(tmp_path / "W", {**FILES, **dict.fromkeys(HIDDEN, "stays here")})


def test_it_arrives_as_it_was_without_what_is_hidden(here: Workspace, tmp_path: Path) -> None:
    there = str(tmp_path / "bucket")
    sent = push(here, there)
    assert (sent.files, sent.moved) == (7, 6)
    fetched = pull(Workspace(tmp_path / "V"), there)
    assert (fetched.files, fetched.moved) == (7, 7)
    assert read(tmp_path / "V") == FILES
    assert push(here, there).moved == 0
    assert pull(Workspace(tmp_path / "V"), there).moved == 0


def test_what_was_finished_here_is_finished_there(acquired: Workspace, tmp_path: Path) -> None:
    push(acquired, str(tmp_path / "bucket"))
    pull(Workspace(tmp_path / "V"), str(tmp_path / "bucket"))
    assert verify(Workspace(tmp_path / "V")).findings == []
    report = acquire(tmp_path / "V", inputs=[str(acquired.root.parent / "in")])
    assert (report.tasks, report.ran) == (1, 0)
    assert Workspace(tmp_path / "V").rows("videos") == acquired.rows("videos")


def test_only_what_changed_is_moved(here: Workspace, tmp_path: Path) -> None:
    there = str(tmp_path / "bucket")
    push(here, there)
    pull(Workspace(tmp_path / "V"), there)
    (here / "videos.parquet").write_text("another table")
    assert push(here, there).moved == 1
    assert pull(Workspace(tmp_path / "V"), there).moved == 1
    assert (tmp_path / "V" / "videos.parquet").read_text() == "another table"


def test_a_push_that_broke_off_leaves_the_old_snapshot_and_resumes(
    here: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "bucket"
    push(here, str(there))
    write(here.root, {f"acquire/b.0a1b2c3d/{k}.bin": str(k) * 99 for k in range(5)})
    taken = list[str]()

    class Breaks(LocalFileSystem):
        """The third object is cut short."""

        def open_output_stream(self, path: str, *rest: Any, **named: Any) -> NativeFile:
            taken.append(path)
            if len(taken) == 3:
                Path(path).write_text("cut")
                raise OSError("connection lost")
            return super().open_output_stream(path, *rest, **named)

    monkeypatch.setattr(remote, "_opened", lambda address: (Breaks(), str(there)))
    monkeypatch.setattr(remote, "AT_ONCE", 1)
    with pytest.raises(FlythroughError, match="connection lost") as error:
        push(here, str(there))
    assert "resumes" in error.value.remedy
    assert pull(Workspace(tmp_path / "V"), str(there)).files == 7
    monkeypatch.undo()
    assert 1 <= push(here, str(there)).moved < 5
    pull(Workspace(tmp_path / "V"), str(there))
    assert read(tmp_path / "V") == {path: text for path, text in read(here.root).items() if path not in HIDDEN}


def test_a_task_counts_as_finished_only_when_all_of_it_is_here(here: Workspace, tmp_path: Path) -> None:
    there = tmp_path / "bucket"
    push(here, str(there))
    elsewhere = Workspace(tmp_path / "V")
    pull(elsewhere, str(there))
    (here / "acquire/coast.0a1b2c3d/coast.mp4").write_text("other pictures")
    push(here, str(there))
    listed = json.loads((there / LIST).read_text())["files"]
    (there / OBJECTS / listed["acquire/coast.0a1b2c3d/coast.mp4"][0]).unlink()
    with pytest.raises(FlythroughError):
        pull(elsewhere, str(there))
    assert not (elsewhere / "acquire/coast.0a1b2c3d" / TASK_FILE).exists()
    assert (elsewhere / "sfm/coast-1.0a1b2c3d" / TASK_FILE).exists()


def test_a_damaged_object_is_named_and_does_not_arrive(here: Workspace, tmp_path: Path) -> None:
    there = tmp_path / "bucket"
    push(here, str(there))
    sha256, _ = json.loads((there / LIST).read_text())["files"]["videos.parquet"]
    (there / OBJECTS / sha256).write_text("a tabel")
    with pytest.raises(FlythroughError, match=r"videos\.parquet is damaged") as error:
        pull(Workspace(tmp_path / "V"), str(there))
    assert sha256 in error.value.remedy
    assert not (tmp_path / "V" / "videos.parquet").exists()


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", ".lock", "a\\b", "", "a//b"])
def test_a_snapshot_cannot_write_elsewhere(here: Workspace, tmp_path: Path, path: str) -> None:
    there = tmp_path / "bucket"
    push(here, str(there))
    listed = json.loads((there / LIST).read_text())
    listed["files"][path] = listed["files"]["videos.parquet"]
    (there / LIST).write_text(json.dumps(listed))
    with pytest.raises(InputError, match="refused"):
        pull(Workspace(tmp_path / "V"), str(there))
    assert not (tmp_path / "V").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": {"a": 1}}', '{"files": {"a": ["x", "y"]}}'])
def test_a_damaged_list_is_an_error(tmp_path: Path, text: str) -> None:
    write(tmp_path / "bucket", {LIST: text})
    with pytest.raises(InputError, match="damaged"):
        pull(Workspace(tmp_path / "V"), str(tmp_path / "bucket"))


def test_addresses_that_lead_nowhere_are_errors_with_a_remedy(here: Workspace, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no snapshot"):
        pull(Workspace(tmp_path / "V"), str(tmp_path / "nothing"))
    with pytest.raises(InputError, match="cannot be used") as error:
        push(here, "ftp://host/folder")
    assert "s3://" in error.value.remedy
    with pytest.raises(FlythroughError) as error:
        push(here, "s3://key:secret@bucket/W?endpoint_override=127.0.0.1:9&scheme=http&region=us-east-1")
    assert error.value.kind == "network"
    assert "secret" not in str(error.value)


def test_a_file_here_that_goes_missing_is_no_error_of_the_network(
    here: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = remote._entry

    def gone(workspace: Workspace, path: str) -> remote.Entry:
        found = entry(workspace, path)
        (workspace / path).unlink()
        return found

    monkeypatch.setattr(remote, "_entry", gone)
    with pytest.raises(DiskError, match="No such file"):
        push(here, str(tmp_path / "bucket"))


def test_a_workspace_goes_through_s3(here: Workspace, tmp_path: Path) -> None:
    """moto's server in place of Amazon's, by its own protocol."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        _, port = server.get_host_and_port()
        options = f"endpoint_override=127.0.0.1:{port}&scheme=http&region=us-east-1"
        FileSystem.from_uri(f"s3://key:secret@lab?{options}&allow_bucket_creation=true")[0].create_dir("lab")
        there = f"s3://key:secret@lab/runs/W?{options}"
        assert push(here, there).moved == 6
        assert push(here, there).moved == 0
        assert pull(Workspace(tmp_path / "V"), there).moved == 7
        assert read(tmp_path / "V") == FILES
        with pytest.raises(InputError, match="no snapshot"):
            pull(Workspace(tmp_path / "U"), f"s3://key:secret@lab/nothing?{options}")
    finally:
        server.stop()
