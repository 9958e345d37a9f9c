"""Is the page's server alive after ninety odd, broken and hostile uploads, and its memory what it was?

    python -m benchmarks.hostile_uploads [--rounds 2]

Prints how many were flown and refused, and the server's resident memory (MiB, Linux) before, and after each round.
Ends with status 1 if a sound photo is not flown (200) or another file not refused (400), or none is flown at the end.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

from tests.hostile.test_hostile_uploads import BAD, GOOD


def resident(process: int) -> float:
    """MiB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def send(address: str, data: bytes) -> tuple[int, str]:
    host, _, token = address.partition("/?token=")
    headers = {"x-token": token, "origin": host, "content-type": "application/octet-stream"}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{host}/upload", data, headers), timeout=120) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    start = [
        sys.executable,
        "-c",
        "from flythrough.cli.app import main; main()",
        "fly",
        "--no-open",
        "--depth",
        "rough",
    ]
    wrong = []
    with subprocess.Popen(start, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        try:
            send(address, GOOD["JPEG RGB"])  # what is loaded at the first upload
            print(f"{len(GOOD) + len(BAD)} uploads a round; before: {resident(process.pid):.0f} MiB", flush=True)
            for number in range(1, given.rounds + 1):
                codes: Counter[int] = Counter()
                for name, data in {**GOOD, **BAD}.items():
                    code, answer = send(address, data)
                    codes[code] += 1
                    if code != (200 if name in GOOD else 400):
                        wrong.append(f"{name}: {code} {answer[:80]}")
                memory = resident(process.pid)
                print(f"round {number}: {codes[200]} flown, {codes[400]} refused, {memory:.0f} MiB", flush=True)
            if send(address, GOOD["JPEG RGB"])[0] != 200:
                wrong.append("the server does not answer any more")
        finally:
            process.kill()
    print("\n".join(wrong) or "every answer was as it should be")
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
