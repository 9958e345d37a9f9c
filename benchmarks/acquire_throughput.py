"""Downloads from loopback side by side with curl: the same files, one after another, in alternating rounds.

python benchmarks/acquire_throughput.py [--files 8] [--megabytes 64] [--rounds 5]
"""

from __future__ import annotations

import argparse
import functools
import http.server
import multiprocessing
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from flythrough.acquire.config import Download
from flythrough.acquire.download import Fetcher


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def copyfile(self, source, outputfile) -> None:  # type: ignore[no-untyped-def]  # sendfile: the server must not be what is measured
        self.wfile.flush()
        size, at = os.fstat(source.fileno()).st_size, 0
        while at < size:
            at += os.sendfile(self.connection.fileno(), source.fileno(), at, size - at)

    def log_message(self, *arguments: object) -> None:
        pass


def _serve(folder: str, port: "multiprocessing.Queue[int]") -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=folder))
    port.put(server.server_port)
    server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--megabytes", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "site").mkdir()
        for index in range(options.files):
            with open(folder / "site" / f"{index}.mp4", "wb") as file:
                for _ in range(options.megabytes):
                    file.write(os.urandom(1 << 20))
        ports: multiprocessing.Queue[int] = multiprocessing.Queue()
        server = multiprocessing.Process(target=_serve, args=(str(folder / "site"), ports), daemon=True)
        server.start()
        base = f"http://127.0.0.1:{ports.get()}"
        urls = [f"{base}/{index}.mp4" for index in range(options.files)]
        fetcher = Fetcher(Download(), folder / "hosts")
        times: dict[str, list[float]] = {"curl": [], "ours": []}
        for _ in range(options.rounds):
            for who in times:
                target = folder / "out"
                began = time.perf_counter()
                for url in urls:
                    if who == "curl":
                        subprocess.run(["curl", "-sS", "-o", str(target), url], check=True)
                    else:
                        fetcher.fetch(url, target)
                    target.unlink()
                times[who].append(time.perf_counter() - began)
        server.terminate()
    total = options.files * options.megabytes * 2**20 / 1e6
    for who, seconds in times.items():
        print(f"{who}: {total / statistics.median(seconds):.0f} MB/s (median of {options.rounds} rounds)")
    print(f"ours / curl: {statistics.median(times['curl']) / statistics.median(times['ours']):.2f}")


if __name__ == "__main__":
    main()
