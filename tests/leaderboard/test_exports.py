"""Exports, read back by parsing them: CSV, Markdown, LaTeX, BibTeX, Every Eval Ever, Hugging Face."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from flythrough.errors import ConfigError, InputError
from flythrough.leaderboard.exports.bibtex import as_bibtex
from flythrough.leaderboard.exports.export import exported
from flythrough.leaderboard.exports.grid import best_in, grids
from flythrough.leaderboard.exports.records import yaml_number
from flythrough.leaderboard.exports.tables import as_csv, as_latex, as_markdown, latex_text, markdown_text
from flythrough.leaderboard.reported import DAGGER, reported_tables
from flythrough.results.ranking import build_boards
from flythrough.results.schema import Result
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import write_json

HASH = "ab" * 32
PAPER = next(table for table in reported_tables() if table.id == "lhq-zero")


def row(method: str, metric: str, value: float | None, spread: float = 1.0, **more: Any) -> dict[str, Any]:
    known = {"protocol": "p-v1", "protocol_hash": HASH, "step": None, "n": 60, "floor": None, "ranked": True}
    known |= {"note": None, "source": "regenerated", "results_file": None, "method": method, "metric": metric}
    between = {} if value is None else {"low": value - spread, "high": value + spread}
    return {**known, "value": value, "low": None, "high": None, **between, **more}


ROWS = [
    row("first", "fd_lite0", 10.0),
    row("second", "fd_lite0", 10.5),
    row("third", "fd_lite0", 30.0),
    row("first", "style_lite0", 0.4),
    row("second", "style_lite0", 0.3),
    row("third", "style_lite0", 0.2),
    row("third", "follow_gain", 0.9),
    row("wanders_off", "fd_lite0", 1.0, ranked=False, note="does not follow: 50 % of flights & more"),
    row("=claimed", "fd_lite0", 0.5, ranked=False, note="submitted: not scored here", source="submitted"),
    row("real", "fd_lite0", 0.1, ranked=False),
]
BOARDS = build_boards(ROWS)


def test_csv_has_every_value_and_no_formula() -> None:
    lines = list(csv.DictReader(io.StringIO(as_csv(BOARDS, [PAPER]))))
    values = {(line["method"], line["metric"]): line for line in lines if line["protocol"] == "p-v1"}
    assert float(values["first", "fd_lite0"]["low"]) == 9.0
    assert (values["first", "fd_lite0"]["best_rank"], values["first", "fd_lite0"]["worst_rank"]) == ("1", "2")
    assert values["wanders_off", "fd_lite0"]["best_rank"] == ""
    assert values["'=claimed", "fd_lite0"]["tier"] == "submitted"
    paper = [line for line in lines if line["tier"] == "reported"]
    assert len(paper) == len(PAPER.rows) * len(PAPER.columns)
    assert all(line["best_rank"] == "" and "2207.11148" in line["source"] for line in paper)


def markdown_rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_markdown_tables_are_rectangular_with_bold_ties_and_daggers() -> None:
    text = as_markdown(grids(BOARDS, [PAPER]))
    measured, paper = text.split("## ")[1:]
    table = {cells[1]: cells for cells in markdown_rows(measured)}
    assert {len(cells) for cells in table.values()} == {5}
    assert table["first"][:3] == ["1\u20132 tied", "first", r"**10** \[9, 11\]"]
    assert table["second"][2].startswith("**10.5**")  # not distinguishable from the best
    assert table["third"][2].startswith("30 ")
    assert [name for name, cells in table.items() if cells[3].startswith("**")] == ["third"]
    assert table["third"][4] == r"0.9 \[-0.1, 1.9\]"  # 1 is best: no bold
    assert table[r"wanders\_off"][0] == ""
    assert "=claimed (submitted)" in table
    assert DAGGER not in measured
    assert all(cells[1].endswith(DAGGER) for cells in markdown_rows(paper)[2:])
    assert "not measured here" in paper


def latex_tables(text: str) -> list[list[list[str]]]:
    """Cells of each tabular, after checks that braces balance and that each line has as many cells as columns."""
    found = []
    assert re.sub(r"\\[{}]", "", text).count("{") == re.sub(r"\\[{}]", "", text).count("}")
    for columns, body in re.findall(r"\\begin\{tabular\}\{([lr]+)\}\n(.*?)\\end\{tabular\}", text, re.DOTALL):
        assert [rule for rule in re.findall(r"\\(\w+rule)", body) if rule != "midrule"] == ["toprule", "bottomrule"]
        assert "|" not in columns
        lines = [line.removesuffix(r" \\") for line in body.splitlines() if line.endswith(r" \\")]
        cells = [re.split(r"(?<!\\)&", line) for line in lines]
        assert {len(each) for each in cells} == {len(columns)}
        found.append([[cell.strip() for cell in each] for each in cells])
    assert len(found) == text.count(r"\begin{table}") == text.count(r"\label{tab:")
    return found


def test_latex_is_booktabs_with_bold_ties_and_daggers() -> None:
    measured, paper = latex_tables(as_latex(grids(BOARDS, [PAPER])))
    table = {cells[1]: cells for cells in measured}
    assert table["first"][0] == "1--2 tied"
    assert table["first"][2].startswith(r"\textbf{10}")
    assert table["second"][2].startswith(r"\textbf{10.5}")
    assert table["third"][2].startswith("30 ")
    assert table["third"][3].startswith(r"\textbf{0.2}")
    assert table["first"][4] == "--"
    assert r"wanders\_off" in table
    assert not any("dagger" in name for name in table)
    assert [cells[0] for cells in paper[1:]] == [f"{row.method}$^\\dagger$" for row in PAPER.rows]
    assert [cells[1] for cells in paper[1:]] == ["38.1", "61.3", r"\textbf{19.4}"]


@pytest.mark.parametrize("text", ["a & b % c $d$ #e _f_ {g} ~h ^i \\input{x} <j>", "\\end{tabular}", "a\nb\\\\"])
def test_names_cannot_carry_commands(text: str) -> None:
    shown = latex_text(text)
    left = re.sub(r"\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater)\{\}|\\[{}$&#%_]", "", shown)
    assert not re.search(r"[\\{}$&#%_~^<>\n]", left)
    assert not re.search(r"(?<!\\)[<>|*\[\]]|\n", markdown_text(f"{text} | <b> [x](y) *"))


def bibtex_entries(text: str) -> dict[str, dict[str, str]]:
    """A small reader of BibTeX: entries with braced values."""
    found = {}
    for kind, key, body in re.findall(r"@(\w+)\{([^,\s]+),\n(.*?)\n\}\n", text, re.DOTALL):
        fields = re.findall(r"^  (\w+) = \{(.*)\},$", body, re.MULTILINE)
        assert len(fields) == len(body.splitlines())
        assert all(value.count("{") == value.count("}") for _, value in fields)
        assert key not in found
        found[key] = {"kind": kind, **dict(fields)}
    assert len(found) == text.count("@")
    return found


def test_bibtex_has_papers_and_methods_once() -> None:
    def result(name: str, citation: str) -> Result:
        method = {"name": name, "citation": citation, "about": "50 % better"}
        return Result.model_validate({"status": "scored", "protocol": {"name": "p", "hash": "a"}, "method": method})

    stated = {"ours": "https://host.example/ours", "zero": "arXiv:2207.11148", "plain": "A. Nyone, {In} press & soon"}
    text = as_bibtex([*(result(*each) for each in stated.items()), result("none", "")], reported_tables())
    entries = bibtex_entries(text)
    papers = {table.source.key for table in reported_tables()}
    assert set(entries) == papers | {"ours", "plain"}  # the paper of "zero" is there already
    zero = entries["li2022infinitenaturezero"]
    assert zero["author"] == "Zhengqi Li and Qianqian Wang and Noah Snavely and Angjoo Kanazawa"
    assert (zero["kind"], zero["eprint"], zero["year"]) == ("inproceedings", "2207.11148", "2022")
    assert entries["ours"]["url"] == "https://host.example/ours"
    assert entries["ours"]["note"] == r"50 \% better"


def test_bibtex_loses_no_method_whose_name_reads_like_another() -> None:
    def result(name: str, protocol: str) -> Result:
        method = {"name": name, "citation": f"https://host.example/{name}"}
        return Result.model_validate(
            {"status": "scored", "protocol": {"name": protocol, "hash": "a"}, "method": method}
        )

    names = ("a.b", "a-b", "a_b", "a.b")
    entries = bibtex_entries(as_bibtex([result(name, f"p{place}") for place, name in enumerate(names)], ()))
    assert {key: entry["url"].rpartition("/")[2] for key, entry in entries.items()} == {
        "a-b": "a.b", "a-b-2": "a-b", "a-b-3": "a_b",
    }  # fmt: skip


def test_best_of_a_column() -> None:
    assert best_in([None, 2.0, 1.0], True) == 2.0
    assert best_in([None, 2.0, 1.0], False) == 1.0
    assert best_in([2.0], None) is None
    assert best_in([None], True) is None


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A method measured here, one whose frames were scored here, the floor, and a submission."""
    found = Workspace(tmp_path / "w")
    rows = []
    for method, folder in (("ours", "evaluate"), ("frames", "evaluate/handed_in"), ("real", "evaluate")):
        record = claim(method)
        file = f"{folder}/{method}/results.json"
        write_json(found / file, record)
        common = {"protocol": "p-v1", "protocol_hash": HASH, "method": method, "source": "measured"}
        rows += [{**value, **common, "results_file": file} for value in record["values"]]
    found.write("results", rows)
    write_json(found / "leaderboard/submissions/theirs.json", claim("theirs"))
    return found


def claim(method: str) -> dict[str, Any]:
    values = [
        {"metric": "fd_lite0", "value": 1e-05, "low": 0.0, "high": 2e-05, "n": 60, "floor": 9.0, "ranked": True},
        {"metric": "psnr", "step": 5, "value": 21.0, "n": 2, "ranked": True},
        {"metric": "follow_gain", "value": 1.1, "n": 2, "ranked": False},
        {"metric": "ssim", "step": 5, "value": None, "n": 2, "ranked": False, "note": "none"},
        {"metric": "follow_correlation", "value": 0.9, "n": 58, "ranked": False},
    ]
    known = {"status": "scored", "protocol": {"name": "p-v1", "hash": HASH}, "follows_camera": True}
    return {**known, "method": {"name": method, "about": "one line", "needs": ["cuda"]}, "values": values}


def check_every_eval_ever(record: dict[str, Any]) -> None:
    """What schema 0.3.0 demands."""
    top = {"schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata", "model_info"}
    top |= {"eval_library", "evaluation_results"}
    assert top <= set(record) <= top | {"evaluation_timestamp", "detailed_evaluation_results"}
    assert record["schema_version"] == "0.3.0"
    assert record["retrieved_timestamp"].isdigit()
    assert len(record["evaluation_id"].split("/")) == 3
    source = record["source_metadata"]
    assert source["source_type"] in ("documentation", "evaluation_run")
    assert source["evaluator_relationship"] in ("first_party", "third_party", "collaborative", "other")
    assert source["source_organization_name"]
    details = record["model_info"]["additional_details"]
    assert details["deployment_type"] in ("self_deployed", "externally_managed", "unknown")
    assert details["model_availability"] in ("open_weights", "closed_weights", "unknown")
    assert {"name", "version"} <= set(record["eval_library"])
    for result in record["evaluation_results"]:
        assert isinstance(result["metric_config"]["lower_is_better"], bool)
        assert result["metric_config"]["score_type"] == "continuous"
        bounds = [result["metric_config"][end] for end in ("min_score", "max_score")]
        low, high = (float(bound) if bound in ("Infinity", "-Infinity") else bound for bound in bounds)
        assert low <= result["score_details"]["score"] <= high
        assert result["source_data"] == {**result["source_data"], "source_type": "other", "dataset_name": "p-v1"}
        assert isinstance(result["score_details"]["uncertainty"]["num_samples"], int)
    for extra in (part for part in json_parts(record) if isinstance(part, dict)):
        for key in ("additional_details", "details"):
            assert all(isinstance(text, str) for text in extra.get(key, {}).values())


def json_parts(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(part for each in inner for part in json_parts(each))]


def test_every_eval_ever(workspace: Workspace) -> None:
    files = exported(workspace, "every-eval-ever", organization="Example Lab")
    records = {json.loads(text)["model_info"]["name"]: json.loads(text) for text in files.values()}
    assert set(records) == {"ours", "frames"}  # neither the floor nor what was only handed in
    uuid4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert all(re.fullmatch(rf"data/p-v1/unknown/(ours|frames)/{uuid4}\.json", path) for path in files)
    for record in records.values():
        check_every_eval_ever(record)
    assert records["frames"]["source_metadata"]["additional_details"]["tier"] == "rescored"
    scores = {each["metric_config"]["metric_id"]: each for each in records["ours"]["evaluation_results"]}
    assert set(scores) == {"fd_lite0", "psnr", "follow_correlation"}  # "1 is best" has no direction there
    assert scores["psnr"]["metric_config"]["lower_is_better"] is False
    interval = scores["fd_lite0"]["score_details"]["uncertainty"]["confidence_interval"]
    assert (interval["lower"], interval["upper"], interval["confidence_level"]) == (0.0, 2e-05, 0.95)
    assert "confidence_interval" not in scores["psnr"]["score_details"]["uncertainty"]


def test_hugging_face(workspace: Workspace) -> None:
    files = exported(workspace, "huggingface", dataset="lab/flights", source_url="https://host.example/board")
    assert set(files) == {f"{method}/.eval_results/p-v1.yaml" for method in ("ours", "frames")}
    entries = yaml.safe_load(files["ours/.eval_results/p-v1.yaml"])
    assert [entry["dataset"]["task_id"] for entry in entries] == ["p-v1_fd_lite0", "p-v1_psnr_5"]
    assert all(entry["dataset"]["id"] == "lab/flights" for entry in entries)
    assert [entry["value"] for entry in entries] == [1e-05, 21.0]
    assert all(re.fullmatch(r"\d{4}-\d{2}-\d{2}", entry["date"]) for entry in entries)
    assert entries[0]["source"] == {"url": "https://host.example/board", "name": "flythrough leaderboard"}
    assert "lower is better, 95 % interval 0 to 2e-05" in entries[0]["notes"]


@pytest.mark.parametrize("value", [0.0, 1e-05, -1e-300, 1e22, 123456789.123, 5.0])
def test_numbers_are_numbers_in_yaml_1_1(value: float) -> None:
    assert yaml.safe_load(yaml_number(value)) == value


def test_what_cannot_be_exported(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a format"):
        exported(workspace, "xlsx")
    for dataset in ("", "flights", "a/b/c", "../x y"):
        with pytest.raises(ConfigError, match="benchmark dataset"):
            exported(workspace, "huggingface", dataset=dataset)
    with pytest.raises(InputError, match="no results"):
        exported(Workspace(tmp_path / "empty"), "csv")


EVERY_FORMAT = """
import sys
from pathlib import Path
from flythrough.leaderboard.cli import export
from flythrough.leaderboard.exports.export import FORMATS
for format in FORMATS:
    export(format, Path(sys.argv[1]), Path(sys.argv[2]), dataset="lab/flights")
"""


def test_the_command_writes_every_format_the_same_twice(workspace: Workspace, tmp_path: Path) -> None:
    written = []
    for out in (tmp_path / "a", tmp_path / "b"):  # two processes: their hashes of strings differ
        words = [sys.executable, "-c", EVERY_FORMAT, str(workspace.root), str(out)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        written.append({file.relative_to(out): file.read_bytes() for file in out.rglob("*") if file.is_file()})
    assert written[0] == written[1]
    files = {"leaderboard.csv", "leaderboard.tex", "leaderboard.md", "methods.bib", "starts.jsonl", "feed.xml"}
    assert files <= {path.name for path in written[0]}
