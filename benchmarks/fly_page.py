"""Responsiveness of the page for flying, in headless Chromium, with the model in the package.

    python benchmarks/fly_page.py [--seconds 20] [--web FOLDER] [--provider wasm] [--screenshot FILE]

Starts ``flythrough fly``, or with ``--web`` a file server on a folder of ``--export-web``, presses Play and steers.
Prints as JSON: seconds from Play to the first flown frame, frames per second, the parts of a step as the page shows
them, and the main thread's longest task (the browser reports those of 50 ms and more; 0: there was none).
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
WATCH = """() => {
  window.tasks = [];
  new PerformanceObserver((list) => tasks.push(...list.getEntries().map((each) => each.duration)))
    .observe({ type: "longtask" });
}"""
STEP = "() => Number(document.getElementById('view').dataset.step ?? -1)"
WAIT = "(step) => Number(document.getElementById('view').dataset.step ?? -1) >= step"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def files(folder: Path, query: str) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/{query}"
    server.shutdown()


@contextmanager
def command() -> Iterator[str]:
    start = [sys.executable, "-c", "from flythrough.cli.app import main; main()", "fly", "--no-open"]
    with subprocess.Popen(start, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        try:
            yield found.group(0)
        finally:
            process.kill()


def fly(page: Page, address: str, seconds: float) -> dict[str, object]:
    """Open the page, play and steer for ``seconds``."""
    page.goto(address)
    page.wait_for_function(WAIT, arg=0, timeout=180_000)
    page.evaluate(WATCH)
    began = time.perf_counter()
    page.locator("#play").click()
    page.wait_for_function(WAIT, arg=1, timeout=180_000)
    first = time.perf_counter() - began
    page.keyboard.down("ArrowRight")
    before, began = page.evaluate(STEP), time.perf_counter()
    while time.perf_counter() - began < seconds:
        page.wait_for_timeout(1000)
    rate = (page.evaluate(STEP) - before) / (time.perf_counter() - began)
    page.keyboard.up("ArrowRight")
    parts = page.locator("#parts").inner_text()
    page.locator("#play").click()
    tasks = page.evaluate("() => tasks")
    return {
        "seconds_to_first_frame": round(first, 2),
        "frames_a_second": round(rate, 2),
        "parts": parts,
        "longest_task_ms": round(max(tasks, default=0)),
        "tasks_over_50_ms": len(tasks),
        "load_average": [round(each, 1) for each in os.getloadavg()],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--web", type=Path, help="a folder of --export-web")
    parser.add_argument("--provider", choices=("webgpu", "wasm"), help="with --web: what runs the networks")
    parser.add_argument("--screenshot", type=Path)
    given = parser.parse_args()
    query = f"?provider={given.provider}" if given.provider else ""
    options = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    if given.provider == "webgpu":
        options += ["--enable-unsafe-webgpu", "--enable-features=Vulkan"]
    with files(given.web, query) if given.web else command() as address, sync_playwright() as tool:
        own = {"executable_path": str(CHROMIUM)} if CHROMIUM.exists() else {}
        page = tool.chromium.launch(args=options, **own).new_page(viewport={"width": 1280, "height": 860})
        print(json.dumps(fly(page, address, given.seconds), indent=1))
        if given.screenshot:
            page.screenshot(path=given.screenshot, full_page=True)


if __name__ == "__main__":
    main()
