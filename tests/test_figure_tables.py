"""Tables in README and docs of which another JSON file, or the code, has the figures."""

from __future__ import annotations

import json
import re

import pytest

from benchmarks.coverage_rooms import BRANCHES, LINES, enough
from flythrough.curate.score.figures import wilson
from flythrough.workspace.config import load_config
from flythrough.workspace.files import JsonObject
from flythrough.workspace.stage import load_stage
from tests.figures import ROOT

MODEL = "flythrough-coast-v1"
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def text_of(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def json_of(file: str) -> JsonObject:
    return dict(json.loads(text_of(file)))


def table(file: str, header: str) -> list[list[str]]:
    """The cells of a Markdown table's rows, without its head; the table is the one whose head has ``header``."""
    block = next(block for block in text_of(file).split("\n\n") if header in block and "|---" in block)
    rows = [line.strip("|").split("|") for line in block[block.index("|") :].splitlines() if "|---" not in line]
    return [[cell.strip() for cell in row] for row in rows[1:]]


def entries() -> dict[str, JsonObject]:
    """The entries of the demo's board by method."""
    (protocol,) = json_of("docs/data/demo.json")["protocols"]
    board = next(board for board in protocol["boards"] if board["ranked_by"] == "fd_lite0")
    return {entry["method"]: entry for entry in [*board["ranked"], *board["not_ranked"], board["floor"]]}


def printed(cell: JsonObject | None) -> str:
    """A value as the terminal's table prints it."""
    if cell is None or cell["value"] is None:
        return "-"
    return f"{cell['value']:.4g}"


def test_readmes_table_is_the_demos() -> None:
    text = text_of("README.md")
    found = re.search(r"```\nScores on .*?\n(.*?)\n(?:tied:|Ranked only)", text, re.DOTALL)
    assert found is not None
    head, *lines = found[1].splitlines()
    columns, known, seen = re.split(r"\s{2,}", head)[2:], entries(), set()
    for line in lines:
        cells = re.split(r"\s{2,}", line.strip())
        method = next(cell for cell in cells[:2] if cell in known)
        seen.add(method)
        entry = known[method]
        for column, cell in zip(columns, cells[cells.index(method) + 1 :], strict=True):
            value, _, interval = cell.partition(" ")
            assert value == printed(entry["values"].get(column)), (method, column)
            if interval:
                low, high = (entry["values"][column][end] for end in ("low", "high"))
                assert interval == f"[{low:.3g}, {high:.3g}]", (method, column)
    assert seen == set(known)
    why = {
        f"Not ranked: {name}: {entry['not_ranked_because']}"
        for name, entry in known.items()
        if "not_ranked_because" in entry
    }
    assert {line for line in text.splitlines() if line.startswith("Not ranked: ")} == why


def test_the_models_table_is_its_records() -> None:
    found = json_of(f"train/fly/shipped/{MODEL}/record.json")["evaluation"]
    rows = {row[0]: row[1:] for row in table("docs/train.md", "PSNR at steps 1 / 5 / 10 / 20 / 30 / 59 of")}
    for method in (MODEL, "render-inpaint"):
        psnr, *distances = rows[method]
        assert [float(cell) for cell in psnr.split(" / ")] == pytest.approx(found["psnr_db"][method], abs=0.051)
        whole = found["fd_lite0, 100 autopilot steps; first 20; last 20"][method]
        assert distances == [f"{value:.0f}" for value in whole]


def test_the_boundaries_table_is_its_record() -> None:
    names = {"ours, cascade (default)": "ours, cascade", "TransNetV2 alone": "TransNetV2"}
    found = {row["detector"]: row for row in json.loads(text_of("docs/data/curate_boundaries.json"))}
    rows = table("docs/curate.md", "cuts F1")
    assert {names.get(name, name) for name, *_ in rows} == set(found)
    for name, *cells in rows:
        row = found[names.get(name, name)]
        assert cells == [f"{row['cuts_f1']:.3f}", f"{row['gradual_f1']:.3f}", str(row["false_in_steady"])], name
    ours = found["ours, cascade"]
    assert f"all {ours['cut_hits']} cuts and {ours['gradual_hits']} of {ours['gradual_true']} gradual" in text_of(
        "docs/curate.md"
    )
    assert ours["cut_hits"] == ours["cut_found"] == ours["cut_true"]


def test_the_changed_copies_are_their_record() -> None:
    names = {"CRF": "crf{}", "frames": "fps{}"}
    found = json_of("docs/data/curate_metamorphic.json")
    rows = table("docs/curate.md", "verdicts that stay")
    assert len(rows) == len(found["same"]) + 1
    for name, cell, interval in rows:
        kind = next(
            (form.format(*NUMBER.findall(name)) for word, form in names.items() if word in name), name.split()[0]
        )
        same, total = found["all"][:2] if kind == "all" else found["same"][kind]
        assert cell == f"{same} of {total}"
        assert interval == "-".join(f"{each:.3f}" for each in wilson(same, total)), name


def test_the_powers_table_is_its_record() -> None:
    wanted = [
        [str(case["flights"]) if k == 0 else "", f"{case['tied']:.1%}" if k == 0 else "", f"{case['differences'][k]:g}",
         "{:.0f} ({:.0f} to {:.0f})".format(100 * case["stated"][k], *(100 * each for each in case["stated_10_90"][k])),
         f"{100 * case['stated_asked'][k]:.0f}", f"{100 * case['apart'][k]:.0f}"]
        for case in json.loads(text_of("docs/data/rank_power.json")) for k in range(len(case["differences"]))
    ]  # fmt: skip
    rows = table("docs/evaluate.md", "two draws of one called tied")
    numbers = [[NUMBER.findall(cell) for cell in row] for row in rows]
    assert numbers == [[NUMBER.findall(cell) for cell in row] for row in wanted]


def test_the_networks_sizes_are_those_of_their_files() -> None:
    sizes = re.findall(r"^- `([\w/]+\.onnx)` \(([\d.]+) MB", text_of("docs/dependencies.md"), re.MULTILINE)
    assert len(sizes) == 3
    for file, size in sizes:
        digits = len(size.partition(".")[2])
        assert f"{(ROOT / file).stat().st_size / 1e6:.{digits}f}" == size, file


def test_what_tasks_ask_for_is_the_stages() -> None:
    for name, cpus, _, memory, _ in table("docs/scaling.md", "memory, GB"):
        stage, section = load_stage(name), load_config()[name] if name != "train" else None
        configs = (
            [section]
            if section
            else [load_config(settings=[f"train.preset={preset}"])[name] for preset in ("paper", "tiny")]
        )
        asked = [stage.resources(config) for config in configs]
        assert [float(each) for each in NUMBER.findall(cpus)] == [each.cpus for each in asked], name
        assert [float(each) for each in NUMBER.findall(memory)] == [each.memory_gb for each in asked], name


def test_the_estimate_follows_from_the_costs() -> None:
    """To a unit of the last digit shown; three minutes of video, and ACID's frames per video."""
    cost = {name.split()[0]: cells for name, *cells in table("docs/scaling.md", "| for | per |")}
    per = [
        float(NUMBER.findall(cost[name][0])[0]) / float(NUMBER.findall(cost[name][1])[0])
        for name in ("acquire", "curate", "sfm")
    ]
    frames = 2_100_000 / 765
    rows = table("docs/scaling.md", "on 1,000 cores")
    per_video = [180 * per[0], 180 * per[1], frames * per[2]]
    for (_, *cells), seconds in zip(rows, per_video, strict=False):
        for cell, expected in zip(cells, (seconds, seconds * 1e5 / 3600, seconds * 1e2 / 3600), strict=True):
            assert_rounds(cell, expected)
    for (name, one, all_, _), many in zip(rows[3:], (180, frames), strict=True):
        megabytes = float(NUMBER.findall(name)[0]) * many
        assert_rounds(one, megabytes if " MB" in one else megabytes / 1000)
        assert_rounds(all_, megabytes * 1e5 / 1e6)


def assert_rounds(cell: str, expected: float) -> None:
    shown = NUMBER.findall(cell)[0].replace(",", "")
    unit = 10.0 ** (-len(shown.partition(".")[2]) if "." in shown else len(shown) - len(shown.rstrip("0")))
    assert float(shown) == pytest.approx(expected, abs=unit), cell


def test_the_agreement_with_the_release_is_its_record() -> None:
    found = json_of("docs/data/release_agreement.json")
    names = [["render"], ["gradient to colours", "gradient to disparity", "gradient, of its length"], ["mu, logvar"],
             ["refined"], ["rollout, step 1"], ["rollout, mean over 4 steps"], ["autopilot"]]  # fmt: skip
    *rows, (_, decibels, _) = table("docs/model.md", "largest difference")
    for wanted, (row, cell, _) in zip(names, rows, strict=True):
        shown = [float(each) for each in re.findall(r"\d[\d.]*(?:e-\d+)?", cell)[: len(wanted)]]
        assert shown == [pytest.approx(found[name], rel=0.05) for name in wanted], row
    assert decibels == f"{found['bf16 step, dB']} dB"
    assert f"up to {found['greatest gradient to disparity']:.0f})" in text_of("docs/model.md")


def test_copies_and_frames_are_their_record() -> None:
    found, page = json_of("docs/data/acquire_copies.json"), " ".join(text_of("docs/acquire.md").split())
    off = found["copies, greatest distance"]
    small = max(off["half size"], off["MPEG-4"], off["H.265"])
    other = [f"{off[name]:g}" for name in ("CRF 40", "24 fps")]
    assert (
        f"H.265 differ by at most {small:g} bits, at `crf 40` by {other[0]}, at 24 fps by {other[1]}, so not all"
        in page
    )
    assert f"Of {found['videos']} real videos" in page
    assert f"different videos differ by at least {found['different videos, least distance']:.0f}." in page
    png, jpg = (found["bytes a frame, median"][kind] / 1e6 for kind in (".png", ".jpg"))
    assert f"takes {png:.2f} MB at 640 x 360 (median), or {jpg:.2f} MB with" in page
    assert f"would be {2.1 * png:.1f} or {2.1 * jpg:.1f} TB" in page


def test_coverage_is_the_last_count_and_enough() -> None:
    counted = json_of("docs/data/coverage.json")
    rows = table("docs/reliability.md", "| % of its branches |")
    assert {room: [float(lines), float(branches)] for room, lines, branches in rows} == counted
    assert all(enough(*each) for each in counted.values())
    bounds = re.findall(r"below (\d+) % of lines or (\d+) % of branches", text_of("docs/reliability.md"))
    assert bounds == [(str(LINES), str(BRANCHES))]


def test_cost_against_size_is_the_last_measured() -> None:
    found = {}
    for stage, _, units, seconds, slope in table("docs/scaling.md", "| slope |"):
        found[stage] = {
            "seconds": dict(zip(units.split(" / "), map(float, seconds.split(" / ")), strict=True)),
            "slope": float(slope),
        }
    assert found == json_of("docs/data/stage_scale.json")


def test_what_each_part_buys_is_the_ablations_record() -> None:
    found = json_of("docs/data/train_ablation.json")["rows"]
    columns = [*(f"psnr_{step}" for step in (1, 5, 10, 20, 30)), "fd", "fd_first_20", "fd_last_20"]
    for (name, *cells), (row, seeds) in zip(table("docs/train.md", "| PSNR at 30 |"), found.items(), strict=True):
        assert name == row
        for column, cell in zip(columns, cells, strict=True):
            values = [each[column] for each in seeds]
            figures = [sum(values) / len(values), min(values), max(values)] if len(values) > 1 else values
            shown = [float(each.rstrip(",")) for each in NUMBER.findall(cell)]
            assert shown == pytest.approx(figures, abs=0.0501 if column.startswith("psnr") else 0.501)
