"""Protocols, methods, frames and results: from clips to rows, and what happens when a method does not do as asked."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from flythrough.errors import InputError
from flythrough.evaluate import cli
from flythrough.evaluate.generation import generate as generation
from flythrough.evaluate.generation.generate import generate
from flythrough.evaluate.methods.registry import MethodFailure, Spec, find_specs, held, read_spec
from flythrough.evaluate.metrics import cache
from flythrough.evaluate.metrics.bootstrap import mean_replicates
from flythrough.evaluate.protocols.build import Choices, build_from_acid_index, build_from_workspace
from flythrough.evaluate.protocols.protocol import load_protocol, save_protocol
from flythrough.evaluate.protocols.smaller import smaller
from flythrough.evaluate.protocols.source import Source
from flythrough.evaluate.report.page import build_report
from flythrough.evaluate.scoring import score as scoring
from flythrough.evaluate.scoring.handed_in import handed_in_rows, keep, refuse_measured
from flythrough.evaluate.scoring.score import score
from flythrough.evaluate.scoring.tally import Settings
from flythrough.evaluate.stage import STAGE, EvaluateConfig
from flythrough.results.methods import Setting
from flythrough.results.schema import read_result, rows_of
from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.files import sha256_of_folder
from flythrough.workspace.inspection import plan
from flythrough.workspace.pipeline import run_stage
from tests.clip_factory import make_workspace

STEPS = 6
CHOICES = Choices(steps=STEPS, view_steps=(2, 4), starts_per_clip=2, sfm_flights=0)


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLYTHROUGH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(
        tmp_path_factory.mktemp("evaluate") / "w", clips=3, frames=12, splits=("train", "test", "test")
    )


@pytest.fixture(scope="session")
def source(workspace: Workspace) -> Source:
    return Source(build_from_workspace(workspace, CHOICES), workspace)


@pytest.fixture(scope="session")
def layered(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(find_specs(["layered"])[0], source, tmp_path_factory.mktemp("layered"), setting(), 100)


def setting() -> Setting:
    return Setting("workspace-v1", 64, 96, STEPS)


# --- protocols ---


def test_a_protocol_takes_test_clips_only_and_its_hash_holds_everything(source: Source, workspace: Workspace) -> None:
    protocol = source.protocol
    assert {start.clip for start in protocol.starts} == {"clip1", "clip2"}
    assert protocol.header.held_out
    assert protocol.hash == build_from_workspace(workspace, CHOICES).hash
    assert protocol.hash != build_from_workspace(workspace, CHOICES.model_copy(update={"seed": 1})).hash
    reference, floor = source.real_sets()
    assert len(reference) == len(floor) == 12
    assert not set(reference) & set(floor)


def test_a_protocol_reads_back_as_it_was_and_a_changed_index_is_another(source: Source, tmp_path: Path) -> None:
    path = save_protocol(source.protocol, tmp_path)
    assert load_protocol(str(path)).hash == source.protocol.hash
    index = json.loads(path.with_suffix(".json").read_text())
    index["starts"][0]["poses"][1][3] += 1e-9
    path.with_suffix(".json").write_text(json.dumps(index))
    assert load_protocol(str(path)).hash != source.protocol.hash
    path.write_text(path.read_text().replace("steps = 6", "stepps = 6"))
    with pytest.raises(InputError, match="stepps"):
        load_protocol(str(path))


def test_without_test_clips_the_protocol_says_it_is_not_held_out(tmp_path: Path) -> None:
    trained_on = make_workspace(tmp_path, clips=1, frames=8, splits=("train",))
    protocol = build_from_workspace(trained_on, CHOICES)
    assert not protocol.header.held_out


def test_a_source_names_clips_that_are_missing_or_changed(source: Source, tmp_path: Path) -> None:
    other = make_workspace(tmp_path / "a", clips=2, frames=12, splits=("train", "test"))
    with pytest.raises(InputError, match="clip2"):
        Source(source.protocol, other)
    changed = make_workspace(tmp_path / "b", clips=3, frames=12, seed=5)
    with pytest.raises(InputError, match="other versions of clip1"):
        Source(source.protocol, changed)


def test_acid_v1_is_the_public_index_with_its_nulls(shared_data: Path) -> None:
    shipped = load_protocol("acid-v1")
    built = build_from_acid_index(shared_data / "acid/evaluation_index_acid.json")
    assert shipped.hash == built.hash
    assert len(shipped.index.starts) == 1848
    assert len(shipped.view_starts()) == 1595
    assert len(shipped.generation_starts()) == 700
    left_out = [start for start in shipped.index.starts if start.frame is None]
    assert len(left_out) == 253
    assert all(start.why for start in left_out)


# --- methods ---


def command(tmp_path: Path, body: str) -> Spec:
    """A method that is a script: it gets its folders as arguments and writes PNG files with OpenCV."""
    script = tmp_path / "method.py"
    script.write_text(
        "import json, sys, pathlib, cv2, numpy as np\n"
        "request, frames = map(pathlib.Path, sys.argv[1:])\n"
        "asked = json.loads((request / 'request.json').read_text())\n"
        "for flight in asked['flights']:\n"
        "    rgbd = np.load(request / flight['start'])['rgbd']\n"
        "    picture = np.round(rgbd[2::-1].transpose(1, 2, 0) * 255).astype('uint8')\n"
        "    folder = frames / flight['id']\n"
        "    folder.mkdir(parents=True, exist_ok=True)\n"
        "    assert len(flight['poses']) == flight['steps'] + 1\n"
        "    for step in range(1, flight['steps'] + 1):\n"
        f"        {body}\n"
        "        cv2.imwrite(str(folder / f'{step:06d}.png'), picture)\n"
    )
    return Spec(name="script", command=(sys.executable, str(script), "{request}", "{frames}"))


def test_a_command_in_its_own_process_is_scored(source: Source, tmp_path: Path) -> None:
    spec = command(tmp_path, "pass")
    frames = generate(spec, source, tmp_path / "out", setting(), 60)
    result = score(spec, source, frames, Settings(replicates=20, set_replicates=10), {})
    assert result.status == "scored"
    assert result.follows_camera is False  # it repeats the start frame


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("raise RuntimeError('out of luck')", "exit code 1: RuntimeError: out of luck"),
        ("import time; time.sleep(60)", "did not end within 30 s"),  # 10 x its 3 s of processor time
        ("if step == 6: continue", "5 of 6 frames; missing: 000006.png"),
        ("picture = picture[:32]", "is 96 x 32, not 96 x 64"),
        ("picture = picture.astype('uint16')", "16-bit RGB, not 8-bit"),
        ("picture = np.concatenate([picture[..., :3], picture[..., :1]], 2)", "RGB with alpha"),
    ],
)
def test_a_command_that_does_not_do_as_asked_is_refused_by_name(
    source: Source, tmp_path: Path, body: str, says: str
) -> None:
    spec = command(tmp_path, body)
    limit = 3 if "sleep" in body else 60
    with pytest.raises(MethodFailure, match=says):
        score(spec, source, generate(spec, source, tmp_path / "out", setting(), limit), Settings(), {})


BROKEN = {
    "nan": ("frame = np.full((64, 96, 3), np.nan)", "NaN"),
    "floats": ("frame = np.zeros((64, 96, 3))", "float64, not uint8"),
    "short": ("if step == 3: return", "made 2 of 4 frames"),
    "still": ("flight.next_pose = lambda d: None", "asked for 0 poses"),
    "crash": ("1 / 0", "ZeroDivisionError"),
    "death": ("import os; os.abort()", "ended by signal 6"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_class_that_does_not_do_as_asked_is_refused_by_name(source: Source, tmp_path: Path, kind: str) -> None:
    body, says = BROKEN[kind]
    (tmp_path / f"broken_{kind}.py").write_text(
        "import numpy as np\n"
        "class Method:\n"
        "    def setup(self, setting): pass\n"
        "    def generate(self, rgbd, intrinsics, flight, seed):\n"
        "        step = 0\n"
        "        while True:\n"
        "            step += 1\n"
        "            frame = np.zeros((64, 96, 3), np.uint8)\n"
        f"            {body}\n"
        "            flight.next_pose(rgbd[3])\n"
        "            yield frame\n"
    )
    (tmp_path / "spec.toml").write_text(f'name = "broken"\nentry_point = "broken_{kind}:Method"\n')
    spec = read_spec(tmp_path / "spec.toml")
    with pytest.raises(MethodFailure, match=says):
        generate(spec, source, tmp_path / "out", setting(), 60)


def test_specs_are_checked(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('name = "x"\n')
    with pytest.raises(InputError, match="either entry_point or command"):
        read_spec(tmp_path / "a.toml")
    (tmp_path / "b.toml").write_text('name = "x"\ncommand = ["a"]\ncomand = 1\n')
    with pytest.raises(InputError, match="comand"):
        read_spec(tmp_path / "b.toml")
    with pytest.raises(InputError, match="render-only"):
        find_specs(["rendr-only"])


def test_a_broken_plugin_does_not_hide_the_other_methods(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    info = tmp_path / "plugins-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugins\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[flythrough.methods]\na-torn = torn_plugin.method:Torn\nb-odd = odd_plugin:Odd\nc-good = good_plugin:Good\n"
    )
    (tmp_path / "torn_plugin").mkdir()
    (tmp_path / "torn_plugin" / "__init__.py").write_text("def :\n")
    (tmp_path / "odd_plugin.py").touch()
    (tmp_path / "b-odd.toml").write_text("comand = 1\n")
    (tmp_path / "good_plugin.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    cli.methods()
    said = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "torn_plugin.method:Torn" in said["a-torn"]
    assert "cannot be used" in said["b-odd"]
    assert "comand" in said["b-odd"]
    assert "good_plugin:Good" in said["c-good"]


def test_a_generate_that_does_not_iterate_fails_by_name(source: Source, tmp_path: Path) -> None:
    class Nothing:
        def setup(self, setting: Setting) -> None:
            pass

        def generate(self, *_: object) -> None:
            pass

    with held({"nothing": Nothing()}), pytest.raises(MethodFailure, match="step 1: TypeError: 'NoneType'"):
        generate(find_specs(["nothing"])[0], source, tmp_path, setting(), 60)


def test_instances_of_which_one_has_a_baselines_name_are_not_registered() -> None:
    with pytest.raises(InputError, match="static is the name of a baseline"), held({"mine": 1, "static": 2}):
        pass
    with pytest.raises(InputError, match="no method 'mine'"):
        find_specs(["mine"])


def test_a_class_flies_with_the_checkpoint_that_its_spec_names(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "grey.py").write_text(
        "import numpy as np\n"
        "class Grey:\n"
        "    def setup(self, setting):\n"
        "        self.setting, self.level = setting, int((setting.checkpoint / 'level.txt').read_text())\n"
        "    def generate(self, rgbd, intrinsics, flight, seed):\n"
        "        for _ in range(self.setting.steps):\n"
        "            flight.next_pose(rgbd[3])\n"
        "            yield np.full((*rgbd.shape[1:], 3), self.level, np.uint8)\n"
    )
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "level.txt").write_text("90")
    spec = tmp_path / "grey.toml"
    spec.write_text('name = "grey"\nentry_point = "grey:Grey"\ncheckpoint = "weights"\n')
    own = Workspace(tmp_path / "w")
    shutil.copytree(workspace.root, own.root)
    config = EvaluateConfig(
        methods=(str(spec),), steps=2, view_steps=(2,), starts_per_clip=1, sfm_flights=0, replicates=20,
        set_replicates=10,
    )  # fmt: skip
    assert run_stage(STAGE, own, config, InlineExecutor()).errors == []
    row = own.rows("results")[0]
    frames = sorted((own / row["results_file"]).parent.glob("frames/generation/*/*.png"))
    assert {int(level) for file in frames for level in np.unique(cv2.imread(str(file)))} == {90}
    assert read_result(own / row["results_file"]).weights["method"] == sha256_of_folder(tmp_path / "weights")
    assert run_stage(STAGE, own, config, InlineExecutor()).ran == 0
    (tmp_path / "weights" / "level.txt").write_text("91")
    assert run_stage(STAGE, own, config, InlineExecutor()).ran == 1  # other weights, another result
    (tmp_path / "weights").rename(tmp_path / "gone")
    with pytest.raises(InputError, match="no checkpoint folder"):
        run_stage(STAGE, own, config, InlineExecutor())


# --- scores ---


def test_zoom_and_layers_go_where_the_camera_goes_and_a_still_does_not(
    source: Source, layered: Path, tmp_path: Path
) -> None:
    settings = Settings(replicates=50, set_replicates=10)
    moving = score(find_specs(["layered"])[0], source, layered, settings, {})
    still = score(
        find_specs(["static"])[0],
        source,
        generate(find_specs(["static"])[0], source, tmp_path, setting(), 60),
        settings,
        {},
    )
    assert moving.follows_camera is True
    assert still.follows_camera is False
    pairs = [r.replicates["fd_lite0"] for r in (moving, still)]
    assert pairs[0].drawn == pairs[1].drawn  # replicate i has the same flights for both
    assert [(p.starts, len(p.values)) for p in pairs] == [(4, 10), (4, 10)]
    assert pairs[0].drawn != moving.replicates["psnr@2"].drawn
    distance = {r.method.name: next(v for v in r.values if v.metric == "fd_lite0") for r in (moving, still)}
    assert distance["static"].value < distance["layered"].value  # type: ignore[operator]  # the trap
    assert not distance["static"].ranked
    assert "does not follow its commanded camera" in (distance["static"].note or "")
    assert distance["layered"].ranked
    drift = {r.method.name: next(v for v in r.values if v.metric == "fd_lite0_drift") for r in (moving, still)}
    assert drift["static"].value == pytest.approx(0, abs=1e-6)
    assert drift["layered"].low <= drift["layered"].value <= drift["layered"].high  # type: ignore[operator]
    assert (drift["layered"].n, drift["layered"].ranked) == (STEPS // 2 * 4, False)
    values = {v.metric: v.value for v in still.values}
    assert (values["nss_drift"], values["sharpness_kept"], values["saturation_kept"]) == pytest.approx((0, 1, 1))
    assert distance["layered"].n == STEPS * 4
    assert distance["layered"].low < distance["layered"].value < distance["layered"].high  # type: ignore[operator]
    assert moving.frames_sha256.keys() == {
        f"{kind}/{s.id}" for s in source.protocol.starts for kind in ("view_synthesis", "generation")
    }


def test_psnr_is_the_mean_over_starts(source: Source, layered: Path) -> None:
    result = score(find_specs(["layered"])[0], source, layered, Settings(replicates=50, set_replicates=10), {})
    value = next(v for v in result.values if (v.metric, v.step) == ("psnr", 2))
    raw = [starts["psnr@2"] for starts in result.starts.values()]
    assert value.value == pytest.approx(np.mean(raw))  # type: ignore[arg-type]
    assert value.n == len(raw) == 4
    expected = mean_replicates(np.array(raw), replicates=50)  # type: ignore[arg-type]
    assert result.replicates["psnr@2"].values == pytest.approx(expected)
    assert {"fd_lite0", "psnr@2", "psnr@4"} <= set(result.replicates)
    assert "ssim@2" not in result.replicates  # only what ranks


def test_seen_pixels_and_the_recovered_path_are_measured_where_the_protocol_asks(
    source: Source, layered: Path, workspace: Workspace
) -> None:
    header = source.protocol.header
    view = header.view_synthesis.model_copy(update={"seen": True, "steps": (2,)})
    generation = header.generation.model_copy(update={"sfm_flights": 1})
    asked = header.model_copy(update={"view_synthesis": view, "generation": generation})
    own = Source(source.protocol.model_copy(update={"header": asked}), workspace)
    spec = find_specs(["layered"])[0]
    values = {v.metric: v for v in score(spec, own, layered, Settings(replicates=20, set_replicates=10), {}).values}
    assert values["psnr_seen"].value > values["psnr"].value  # type: ignore[operator]  # what was invented is left out
    assert values["follow_sfm_registered"].n == STEPS + 1
    assert values["follow_sfm_deviation"].value < 0.05  # type: ignore[operator]
    assert not values["follow_sfm_deviation"].ranked


def test_frames_and_starts_that_are_missing_are_named(source: Source, layered: Path, tmp_path: Path) -> None:
    spec, settings = Spec(name="theirs", handed_in=True), Settings(replicates=20, set_replicates=10)
    copy = tmp_path / "frames"
    shutil.copytree(layered, copy)
    start = source.protocol.starts[1].id
    (copy / "generation" / start / "000005.png").unlink()
    with pytest.raises(MethodFailure, match=rf"generation/{start}: 5 of 6 frames; missing: 000005.png"):
        score(spec, source, copy, settings, {})
    shutil.rmtree(copy / "view_synthesis" / start)
    with pytest.raises(MethodFailure, match=rf"1 of 8 flights are missing: view_synthesis/{start}"):
        score(spec, source, copy, settings, {})


def test_frames_without_a_camera_are_scored_and_not_ranked(source: Source, layered: Path, tmp_path: Path) -> None:
    copy = tmp_path / "frames"
    shutil.copytree(layered, copy, ignore=shutil.ignore_patterns("cameras.txt"))
    settings = Settings(replicates=20, set_replicates=10)
    result = score(Spec(name="theirs", handed_in=True), source, copy, settings, {})
    assert result.follows_camera is None
    assert [v.ranked for v in result.values if v.metric in ("psnr", "fd_lite0")] == [True, True, False]


def test_scores_are_found_by_content_not_by_name(source: Source, layered: Path, tmp_path: Path) -> None:
    settings, spec = Settings(replicates=20, set_replicates=10), Spec(name="theirs", handed_in=True)
    copy = tmp_path / "frames"
    shutil.copytree(layered, copy)
    first = score(spec, source, copy, settings, {})
    for file in (copy / "generation").rglob("*.png"):
        assert cv2.imwrite(str(file), 255 - cv2.imread(str(file)))
    second = score(spec, source, copy, settings, {})
    assert second.frames_sha256 != first.frames_sha256
    distances = [next(v.value for v in r.values if v.metric == "fd_lite0") for r in (first, second)]
    assert distances[0] != distances[1]


@pytest.mark.parametrize("starts", [1, 2])
def test_a_frame_has_no_distance_and_two_have_one_whose_kernel_has_no_interval(
    workspace: Workspace, tmp_path: Path, starts: int
) -> None:
    made = build_from_workspace(workspace, CHOICES.model_copy(update={"steps": 1, "starts_per_clip": 1}))
    own, spec = Source(smaller(made, workspace, starts=starts), workspace), find_specs(["static"])[0]
    frames = generate(spec, own, tmp_path, setting(), 60)
    values = {v.metric: v for v in score(spec, own, frames, Settings(replicates=20, set_replicates=20), {}).values}
    assert values["psnr"].value is not None
    distances = [values["fd_lite0"], values["kd_lite0"]]
    if starts == 1:
        assert [(v.value, v.note) for v in distances] == [(None, "a distance needs two frames")] * 2
    else:
        assert all(v.value is not None for v in distances)
        assert [v.low is None for v in distances] == [False, True]


# --- the report, and frames handed in ---


def test_the_report_keeps_protocols_apart_and_leaves_out_frames_that_are_gone(
    source: Source, layered: Path, workspace: Workspace, tmp_path: Path
) -> None:
    settings, spec = Settings(replicates=20, set_replicates=10), Spec(name="theirs", handed_in=True)
    result = score(spec, source, layered, settings, {})
    elsewhere = result.protocol.model_copy(update={"name": "other-v1", "hash": "other"})
    other = result.model_copy(update={"protocol": elsewhere})
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        shutil.copytree(layered, folder / "frames")
    save_protocol(source.protocol.model_copy(update={"header": source.protocol.header.model_copy(
        update={"name": "third-v1"})}), folders[0])  # fmt: skip
    save_protocol(source.protocol, folders[1])
    both = build_report([(result, folders[0]), (other, folders[1])])
    assert both.index("<h1>Scores on workspace-v1</h1>") < both.index("<h1>Scores on other-v1</h1>")
    alone = build_report([(result, folders[0])])
    assert both.count("<td>theirs") == 2 * alone.count("<td>theirs")
    # Another protocol's file in the first folder does not end the search.
    second = result.model_copy(update={"method": result.method.model_copy(update={"name": "second"})})
    whole = build_report([(result, folders[0]), (second, folders[1])], workspace)
    assert whole.count(', recorded"') == 4
    for file in folders[0].rglob("*.png"):
        file.unlink()
    bare = build_report([(result, folders[0])], workspace)
    assert "<video" not in bare
    assert "gone" in bare


def test_frames_are_not_handed_in_under_the_name_of_a_method_that_was_flown_here(
    source: Source, layered: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = Workspace(tmp_path)
    settings, spec = Settings(replicates=20, set_replicates=10), Spec(name="mine", handed_in=True)
    result = score(spec, source, layered, settings, {})
    flown = rows_of(result, "evaluate/mine.0123/results.json")
    own.write("results", flown)
    with pytest.raises(InputError, match="results of a method mine") as caught:
        cli.score(layered, name="mine", workspace=own.root)
    assert "another --name" in caught.value.remedy
    assert own.rows("results") == flown
    own.write("results", [])
    keep(own, result)
    refuse_measured(own, "mine")  # handed in: it may be handed in again
    others = [{**row, "method": "ours"} for row in flown]
    assert {row["method"] for row in handed_in_rows(own, others)} == {"mine"}
    assert handed_in_rows(own, flown) == []
    assert "mine, handed in, is left out" in caplog.text


# --- the stage ---


def test_the_stage_scores_what_it_can_and_says_what_it_cannot(workspace: Workspace, tmp_path: Path) -> None:
    root = tmp_path / "w"
    shutil.copytree(workspace.root, root)
    own = Workspace(root)
    (tmp_path / "bad.toml").write_text(f'name = "bad"\ncommand = ["{sys.executable}", "-c", "raise SystemExit(3)"]\n')
    methods = ("infinite-nature", "layered", "real", str(tmp_path / "bad.toml"))
    config = EvaluateConfig(
        methods=methods,
        steps=STEPS,
        view_steps=(2,),
        starts_per_clip=1,
        sfm_flights=0,
        replicates=20,
        set_replicates=10,
    )
    report = run_stage(STAGE, own, config, InlineExecutor())
    assert (report.tasks, report.done) == (4, 4)
    assert {error["id"] for error in report.errors} == {"infinite-nature", "bad"}
    rows = own.rows("results")
    notes = {row["method"]: row["note"] for row in rows if row["value"] is None}
    assert "no checkpoint" in notes["infinite-nature"]
    assert "exit code 3" in notes["bad"]
    real = {row["metric"]: row for row in rows if row["method"] == "real"}
    assert real["fd_lite0"]["value"] == real["fd_lite0"]["floor"]
    assert not real["fd_lite0"]["ranked"]
    layered = next(row for row in rows if (row["method"], row["metric"]) == ("layered", "fd_lite0"))
    assert layered["floor"] == real["fd_lite0"]["value"]
    result = read_result(root / layered["results_file"])
    assert result.protocol.hash == layered["protocol_hash"]
    assert result.code["version"]
    page = (root / "evaluate/report.html").read_text()
    assert "<video" in page
    assert "bad</b> failed" in page
    assert page.index("View generation") < page.index("<td>layered") < page.index("<td>real") < page.index("<video")
    assert page.count(', recorded"') == 2  # beside the best and the worst case of the one method that has any
    again = run_stage(STAGE, own, config, InlineExecutor())
    assert again.ran == 0
    assert own.rows("results") == rows


def test_other_numbers_of_draws_fly_and_score_nothing_again(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Intervals come out as if the method had been scored with these numbers; the same goes for other methods."""
    small = {"steps": STEPS, "view_steps": (2,), "starts_per_clip": 1, "sfm_flights": 0}
    few, many = ({**small, "replicates": n, "set_replicates": n // 2} for n in (20, 40))
    calls: list[str] = []

    def run(root: Path, methods: tuple[str, ...], settings: dict[str, Any]) -> list[Row]:
        calls.clear()
        own = Workspace(root)
        assert run_stage(STAGE, own, EvaluateConfig(methods=methods, **settings), InlineExecutor()).errors == []
        return own.rows("results")

    def would_run(methods: tuple[str, ...], settings: dict[str, Any]) -> list[str]:
        config = {"evaluate": EvaluateConfig(methods=methods, **settings)}
        return plan(Workspace(tmp_path / "w"), config, only=("evaluate",))[0]["would_run"]

    for module, name in ((generation, "fly_request"), (scoring, "measure_flights"), (cache, "extract")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, name=name, real=real, **k: [calls.append(name), real(*a, **k)][1])
    both = ("layered", "real")
    for name in ("w", "fresh"):
        shutil.copytree(workspace.root, tmp_path / name)
    first = run(tmp_path / "w", both, few)
    assert {"fly_request", "measure_flights"} <= set(calls)
    assert would_run(both, few | {"time_limit_s": 9.0, "device": "cpu"}) == []
    assert would_run(both, many) == list(both)
    again = run(tmp_path / "w", both, many)
    assert calls == []
    assert [row["value"] for row in again] == [row["value"] for row in first]
    assert [row["low"] for row in again] != [row["low"] for row in first]
    assert would_run(("layered",), many) == []
    alone = run(tmp_path / "w", ("layered",), many)
    assert calls == []
    assert alone == run(tmp_path / "fresh", ("layered",), many)
    assert (tmp_path / "w" / alone[0]["results_file"]).parent.joinpath("frames/generation").is_dir()
    redrawn, scored = (read_result(tmp_path / name / alone[0]["results_file"]) for name in ("w", "fresh"))
    assert (redrawn.replicates, redrawn.settings) == (scored.replicates, scored.settings)


def test_an_interrupted_flight_goes_on_where_it_stopped(source: Source, tmp_path: Path) -> None:
    spec = find_specs(["layered"])[0]
    whole = generate(spec, source, tmp_path / "whole", setting(), 60)
    cut = generate(spec, source, tmp_path / "cut", setting(), 60)
    flights = sorted(path.parent for path in cut.rglob("cameras.txt"))
    shutil.rmtree(flights[-1])
    kept = flights[0] / "000001.png"
    stamp = kept.stat().st_mtime_ns
    generate(spec, source, tmp_path / "cut", setting(), 60)
    assert kept.stat().st_mtime_ns == stamp
    names = [p.relative_to(whole) for p in sorted(whole.rglob("*")) if p.is_file()]
    assert [(cut / name).read_bytes() for name in names] == [(whole / name).read_bytes() for name in names]
