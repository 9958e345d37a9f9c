"""The command line, as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from flythrough.cli.app import STAGE_HELP
from flythrough.cli.line_plot import Line, line_plot
from flythrough.sample.videos import make_sample
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.inputs import remember_inputs
from flythrough.workspace.stage import STAGES

MAIN = "from flythrough.cli.app import main; main()"
HEAVY = ("torch", "pycolmap", "cv2", "av", "pandas", "pyarrow", "numba", "numpy", "matplotlib", "pydantic")


def flythrough(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *words], capture_output=True, text=True, timeout=200, check=False
    )


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom flythrough.cli.app import main\nsys.argv = ['flythrough', '--help']\n"
        f"try:\n    main()\nexcept SystemExit:\n    print('loaded:', [m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    commands = ("run", *STAGES, "status", "show", "config", "sample", "weights", "doctor", "review", "fly", "export")
    for command in commands:
        assert f" {command} " in done.stdout, command
    assert "loaded: []" in done.stdout


def test_the_version_is_the_packages() -> None:
    done = flythrough("--version")
    assert (done.returncode, done.stdout) == (0, f"flythrough {version('flythrough')}\n")


def test_python_runs_the_package_and_importing_it_loads_nothing() -> None:
    shown = subprocess.run([sys.executable, "-m", "flythrough", "--help"], capture_output=True, text=True, check=True)
    assert "leaderboard" in shown.stdout
    code = "import sys\nimport flythrough.__main__\nprint('typer' in sys.modules)"  # as every worker does
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_every_stage_has_a_help_line() -> None:
    assert tuple(STAGE_HELP) == STAGES


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--until", "curat"], r"no stage 'curat'"),
        (["run", "--executor", "rey"], "no executor 'rey'"),
        (["status"], "is not a workspace"),
        (["show", "x"], "is not a workspace"),
        (["acquire", "--set", "acquire.nonsense=1"], "unknown key acquire.nonsense"),
        (["run", "--set", "train.steps=soon"], "train.steps = 'soon' is refused"),
        (["run", "--config", "missing.toml"], "missing.toml is not a file"),
        (["weights", "fetch", "incepton"], "no weights called 'incepton'"),
        (["run"], "There is nothing to acquire"),
    ],
)
def test_mistakes_end_in_one_line_and_exit_code_1(words: list[str], message: str, tmp_path: Path) -> None:
    if words[0] in STAGES or words[0] == "run":
        words = [*words, "--new"]
    workspace = [] if words[0] == "weights" else ["--workspace", str(tmp_path / "w")]
    done = flythrough(*words, *workspace)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_second_run_on_a_workspace_is_refused(tmp_path: Path) -> None:
    with Workspace(tmp_path).locked():
        done = flythrough("run", "--new", "--workspace", str(tmp_path))
    assert done.returncode == 1
    assert "Another run is working" in done.stderr


def test_the_workspace_remembers_its_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(tmp_path)
    assert remember_inputs(workspace, ["a.mp4", "http://127.0.0.1/b.mp4"]) == [
        str(tmp_path / "a.mp4"),
        "http://127.0.0.1/b.mp4",
    ]
    assert remember_inputs(workspace, ["a.mp4", "c.mp4"])[2:] == [str(tmp_path / "c.mp4")]
    assert len(remember_inputs(workspace, [])) == 3


def test_bad_files_are_named_one_by_one_and_the_run_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video")
    inputs = [str(tmp_path / name) for name in ("empty.mp4", "text.mp4", "missing.mp4")]
    done = flythrough("acquire", "--workspace", str(tmp_path / "w"), *(f"--input={name}" for name in inputs), "--json")
    assert done.returncode == 1
    (report,) = json.loads(done.stdout)["stages"]
    assert report["tasks"] == 3
    assert len(report["errors"]) == 3
    assert all(error["remedy"] for error in report["errors"])
    rows = Workspace(tmp_path / "w").rows("errors")
    assert {Path(name).stem for name in inputs} == {row["id"].split("-")[0] for row in rows}


def test_hostile_names_reach_the_terminal_escaped(tmp_path: Path) -> None:
    name, place = "x\x1b[2J\u202e.mp4", ("--workspace", str(tmp_path / "w"))
    (tmp_path / name).write_text("no video")
    done = flythrough("acquire", f"--input={tmp_path / name}", *place)
    (id,) = (row["id"] for row in Workspace(tmp_path / "w").rows("errors"))
    shown = flythrough("show", id, *place)
    (tmp_path / "w" / "acquire" / f"{name}.0a1b2c3d").mkdir()
    (tmp_path / "w" / "acquire" / f"{name}.0a1b2c3d" / "files.json").write_text("{}")
    checked = flythrough("verify", *place)
    refused = flythrough("run", "--until", name, *place)
    for said in (done.stderr, shown.stdout, checked.stdout, refused.stderr):
        assert "\\x1b[2J" in said
        assert not {"\x1b", "\u202e"} & set(said)


def test_settings_on_the_command_line_ask_for_the_plan(tmp_path: Path) -> None:
    assert flythrough("init", str(tmp_path / "w")).returncode == 0
    (tmp_path / "other.toml").write_text("[curate]\n")
    for given in (f"--config={tmp_path / 'other.toml'}", "--set=curate.working_px=200"):
        assert "would run" in flythrough("status", given, "--workspace", str(tmp_path / "w")).stdout


def test_the_plan_names_what_a_change_would_run_and_runs_nothing(tmp_path: Path) -> None:
    video, place = tmp_path / "flight.mp4", ("--workspace", str(tmp_path / "w"))
    make_sample(tmp_path / "made", videos=1, seconds=1, width=192, height=128, seed=0)[0].rename(video)
    assert flythrough("run", f"--input={video}", "--until=curate", *place).returncode in (0, 1)
    files = sorted(path for path in (tmp_path / "w").rglob("*") if path.is_file())

    def plan(*settings: str) -> dict[str, list[str]]:
        done = flythrough("status", "--plan", "--json", *place, *(f"--set={each}" for each in settings))
        assert done.returncode == 0, done.stderr
        return {each["stage"]: each["would_run"] for each in json.loads(done.stdout)["stages"]}

    found = plan()
    assert (found["acquire"], found["curate"]) == ([], [])
    (id,) = (row["id"] for row in Workspace(tmp_path / "w").rows("videos"))
    assert plan("curate.working_px=200")["curate"] == [id]
    for setting in ("curate.rules.still.min_shift_widths=0.5", "curate.rules.short.mode=off", "curate.time_limit_s=9"):
        assert plan(setting)["curate"] == []
    assert sorted(path for path in (tmp_path / "w").rglob("*") if path.is_file()) == files
    shown = flythrough("status", *place, "--set=curate.working_px=200").stdout
    assert f"curate: {id}" in shown


def test_config_explains_itself(tmp_path: Path) -> None:
    done = flythrough("config", "--workspace", str(tmp_path), "--set", "train.steps=123")
    assert done.returncode == 0
    assert "steps = 123" in done.stdout
    for stage in STAGES:
        assert f"[{stage}]" in done.stdout


def test_a_plot_of_lines_without_a_point_has_empty_axes() -> None:
    shown = line_plot([Line("<none>", [])], "step", "fid")
    assert "&lt;none&gt;" in shown
    assert "NaN" not in shown


def test_doctor_and_weights_list_speak() -> None:
    assert "inception" in flythrough("weights", "list").stdout
    assert "ffmpeg" in flythrough("doctor").stdout
