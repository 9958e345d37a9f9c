"""The site: a page for each method and protocol, why a method has its rank, comparisons; no name carries markup."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from flythrough.errors import FlythroughError, InputError
from flythrough.leaderboard.site.build import site_files, site_parts
from flythrough.leaderboard.site.document import with_policy
from flythrough.leaderboard.site.listing import listed_files, update_site, write_parts, write_site
from flythrough.leaderboard.standing.gather import gather
from flythrough.results.schema import rows_of
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import read_json, write_json
from tests.leaderboard.site_world import CONFIG, HASH, HOSTILE, STARTS, make_workspace, result


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "w")


def build(workspace: Workspace) -> dict[str, str]:
    """The site's texts; of pictures an empty text."""
    found = dict(site_files(gather(workspace), CONFIG))
    return {path: "" if path.endswith((".jpg", ".png")) else data.decode() for path, data in found.items()}


class Links(HTMLParser):
    """Where a page leads, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            self.handlers += [name] if name.startswith("on") or name == "style" else []
            if name in ("href", "src") and value and not value.startswith("data:"):
                self.links.append(value)
            if name == "id":
                self.ids.append(str(value))


def test_every_link_leads_somewhere_and_every_id_is_there_once(workspace: Workspace) -> None:
    site = build(workspace)
    pages = {path: Links(text) for path, text in site.items() if path.endswith(".html")}
    assert {"index.html", "compare.html", "methods/alpha.html", f"protocols/{HASH[:16]}.html"} <= set(pages)
    for path, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), path
        for link in page.links:
            target, _, anchor = link.partition("#")
            there = str(Path("/", Path(path).parent, target).resolve())[1:] if target else path
            assert there in site, (path, link)
            if anchor and "=" not in anchor:
                assert anchor in pages[there].ids, (path, link)


def test_the_same_results_give_the_same_bytes(workspace: Workspace) -> None:
    assert dict(site_files(gather(workspace), CONFIG)) == dict(site_files(gather(workspace), CONFIG))


def test_pages_run_only_what_they_were_built_with(workspace: Workspace) -> None:
    for path, text in build(workspace).items():
        if path.endswith(".html"):
            policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
            assert len(policy) == 1, path
            assert "default-src 'none'" in policy[0]
            assert "unsafe" not in policy[0]
            assert "media-src 'self' data:;" in policy[0]
            assert text.index("Content-Security-Policy") < text.index("<style>")
            assert Links(text).handlers == [], path
            assert HOSTILE not in text, path


def test_a_policy_names_each_inline_block_by_its_hash() -> None:
    page = with_policy(
        '<meta charset="utf-8"><style>a</style><script>b</script><script type="application/json">c</script>'
    )
    assert len(re.findall("'sha256-", page)) == 2
    assert "'sha256-PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWcAJ0='" in page  # printf b | sha256sum, in base 64


def test_why_a_method_has_its_rank(workspace: Workspace) -> None:
    page = build(workspace)["methods/alpha.html"]
    view = page[page.index("View synthesis, step 5") :]
    why = [re.sub(r"<[^>]+>", "|", line) for line in re.findall(r"<tr><td>.*?</tr>", view)[:2]]
    beta, gamma = ([cell for cell in line.split("|") if cell.strip(" ·")] for line in why)
    assert [beta[0], gamma[0]] == ["beta", "gamma"]
    assert [cells[5].strip(" ·") for cells in (beta, gamma)] == ["tied", "better"]
    assert float(gamma[3]) == pytest.approx(5, abs=0.2)
    low, high = map(float, gamma[4].split(" to "))
    assert low < float(gamma[3]) < high


def test_a_method_page_has_its_starts_and_what_they_rest_on(workspace: Workspace) -> None:
    page = build(workspace)["methods/alpha.html"]
    worst = re.search(r"<td>style_lite0</td><td>(\S+)</td>.*?<td>(coast-\d+)</td>", page)
    assert worst is not None
    assert worst.groups() == (STARTS[-1], STARTS[0])
    assert all(f"<td>{start}</td>" in page for start in STARTS)
    assert "cd" * 32 in page
    assert "ef" * 32 in page
    assert "@misc{alpha" in page
    assert f"frames/{HASH[:16]}/alpha/{STARTS[-1]}.jpg" in page  # its worst start
    assert f"{STARTS[3]}.jpg" not in page


def test_results_of_another_scoring_version_have_tables_of_their_own(workspace: Workspace) -> None:
    later = result("epsilon", 30.0, 9)
    protocol = later.protocol.model_copy(update={"scoring_version": 2, "hash": "2" * 64})
    later = later.model_copy(update={"protocol": protocol})
    write_json(workspace / "evaluate/epsilon.0/results.json", later.model_dump(mode="json"))
    workspace.write("results", [*workspace.rows("results"), *rows_of(later, "evaluate/epsilon.0/results.json")])
    site = build(workspace)
    assert (
        "has results of scoring version 1 (alpha, beta, delta, gamma) beside those of version 2" in site["index.html"]
    )
    assert "<dt>Scoring version</dt><dd>2</dd>" in site[f"protocols/{'2' * 16}.html"]


def test_what_a_comparison_loads(workspace: Workspace) -> None:
    site = build(workspace)
    name, rows = json.loads("[" + site["data/alpha.js"].removeprefix("flythroughMethod(").removesuffix(");\n") + "]")
    assert name == "alpha"
    row = rows[HASH[:16]]
    board = next(each for each in row["boards"] if each["primary"] == "psnr")
    assert board["rank"] == "1–2 tied"
    draws = row["draws"][row["boards"].index(board)]
    assert (draws["drawn"], len(draws["values"])) == ("d", 50)
    assert row["curves"] == {"fd_lite0_sw": [[4, 100], [8, 110]]}
    metrics, starts = row["starts"]
    assert starts[STARTS[0]][metrics.index("psnr@5")] == pytest.approx(24, abs=0.3)
    path, steps, across, width, height, film = row["sheets"][STARTS[0]]
    assert (steps, across, width, height, film) == (list(range(1, 9)), 6, 32, 16, "")  # no videos were asked for
    data = dict(site_files(gather(workspace), CONFIG))[path]
    sheet = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert sheet.shape == (32, 192)
    assert [round(float(sheet[8, 32 * k + 16]) / 20) for k in range(6)] == [1, 2, 3, 4, 5, 6]
    assert [round(float(sheet[24, 32 * k + 16]) / 20) for k in range(2)] == [7, 8]


def test_quality_against_speed(workspace: Workspace) -> None:
    protocol = f"protocols/{HASH[:16]}.html"
    assert "Quality against speed" not in build(workspace)[protocol]
    for method, level, seed, seconds in (("alpha", 25.0, 0, 8.0), ("beta", 24.99, 1, 96.0), ("gamma", 20.0, 2, 1.0)):
        record = result(method, level, seed, seconds={"generate": seconds})
        write_json(workspace / f"evaluate/{method}.0/results.json", record.model_dump(mode="json"))
    page = build(workspace)[protocol]
    page = page[page.index("Quality against speed") :]
    label = re.search(r'role="img" aria-label="([^"]*)"', page)
    assert label is not None
    assert label[1] == "fd_lite0 against steps a second: alpha 175 at 6, gamma 180 at 48, and 1 more"  # 6 x 8 steps
    assert "Without a speed: delta." in page
    assert "<title>beta 175 at 0.5</title>" in page  # alpha is better and faster, so beta is not named beside its dot


def test_a_link_to_a_page_is_shown_with_a_picture(workspace: Workspace) -> None:
    site = dict(site_files(gather(workspace), CONFIG.model_copy(update={"base_url": "https://example.org/board/"})))
    for page, title in (("methods/alpha", "alpha"), (f"protocols/{HASH[:16]}", "coasts-v1")):
        text = site[f"{page}.html"].decode()
        assert f'<meta property="og:image" content="https://example.org/board/cards/{page}.png">' in text
        assert f'<meta property="og:title" content="{title}">' in text
        image = cv2.imdecode(np.frombuffer(site[f"cards/{page}.png"], np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (630, 1200, 3)
        assert len({tuple(colour) for colour in image[180:270].reshape(-1, 3).tolist()}) > 1  # a rank and its figure
    assert '<meta property="og:image" content="../cards/methods/alpha.png">' in build(workspace)["methods/alpha.html"]


def test_names_that_are_no_plain_words(workspace: Workspace) -> None:
    file = "evaluate/other.0/results.json"
    record = result(HOSTILE.replace("/", ""), 22.0, 9)
    write_json(workspace / file, record.model_dump(mode="json"))
    workspace.write("results", [*workspace.rows("results"), *rows_of(record, file)])
    site = build(workspace)
    assert all(re.fullmatch(r"[A-Za-z0-9._~/-]+", path) for path in site)
    assert all("<img src=x" not in text for path, text in site.items() if path.endswith(".html"))


def test_an_update_removes_only_what_the_site_had(tmp_path: Path) -> None:
    for name, files in (("one", {"index.html": b"1", "methods/a.html": b"a"}), ("two", {"index.html": b"2"})):
        (tmp_path / name).mkdir()
        write_site(tmp_path / name, files.items())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "CNAME").write_text("theirs")
    update_site(tmp_path / "one", tmp_path / "out")
    assert (tmp_path / "out" / "methods" / "a.html").read_bytes() == b"a"
    update_site(tmp_path / "two", tmp_path / "out")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["CNAME", "index.html", "site.json"]
    assert (tmp_path / "out" / "index.html").read_bytes() == b"2"


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "a\\..\\evil", ""])
def test_a_list_cannot_name_files_elsewhere(tmp_path: Path, path: str) -> None:
    write_json(tmp_path / "site.json", {"files": {path: "0"}})
    with pytest.raises(InputError, match="not the list"):
        listed_files(tmp_path)


def test_the_list_has_every_file(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    write_site(tmp_path / "s", site_files(gather(workspace), CONFIG))
    files = {file.relative_to(tmp_path / "s").as_posix() for file in (tmp_path / "s").rglob("*.*") if file.is_file()}
    assert files - {"site.json"} == set(read_json(tmp_path / "s" / "site.json")["files"])


def test_several_processes_write_the_same_site(workspace: Workspace, tmp_path: Path) -> None:
    for name in ("one", "three"):
        (tmp_path / name).mkdir()
    write_site(tmp_path / "one", site_files(gather(workspace), CONFIG))
    write_parts(tmp_path / "three", site_parts(gather(workspace), CONFIG), processes=3)
    listed = listed_files(tmp_path / "one")
    assert listed_files(tmp_path / "three") == listed
    assert all((tmp_path / "three" / path).read_bytes() == (tmp_path / "one" / path).read_bytes() for path in listed)


def test_a_part_that_cannot_be_made_is_an_error_in_whichever_process(tmp_path: Path) -> None:
    def broken() -> Iterator[tuple[str, bytes]]:
        yield "a.html", b"a"
        raise ValueError("no picture of b")

    for processes in (1, 2):
        with pytest.raises((ValueError, RuntimeError), match="no picture of b"):
            write_parts(tmp_path, [iter([("c.html", b"c")]), broken()], processes)
        assert not (tmp_path / "site.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems write in one process")
def test_a_full_disk_or_a_kill_in_another_process_is_reported_as_such(tmp_path: Path) -> None:
    def full() -> Iterator[tuple[str, bytes]]:
        raise OSError(errno.ENOSPC, "No space left on device")
        yield "a.html", b"a"

    def killed() -> Iterator[tuple[str, bytes]]:
        os.kill(os.getpid(), signal.SIGKILL)
        yield "a.html", b"a"

    with pytest.raises(OSError, match="No space left") as caught:
        write_parts(tmp_path, [[("c.html", b"c")], full()], 2)
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(FlythroughError, match="was killed"):
        write_parts(tmp_path, [[("c.html", b"c")], killed()], 2)
