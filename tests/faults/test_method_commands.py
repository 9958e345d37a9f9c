"""Method commands end with all their descendants, whatever these do and whichever process is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flythrough.evaluate.methods.registry import MethodFailure, Spec, run_command

# Forks twice, once into a session of its own; all ignore SIGTERM and sleep. Each writes its number into a file.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    os.fork()
with open(f"{sys.argv[1]}/{os.getpid()}.pid", "w"):
    pass
time.sleep(600)
"""
RUN = """
import sys
from pathlib import Path
from flythrough.evaluate.methods.registry import Spec, run_command
folder = Path(sys.argv[1])
spec = Spec(name="m", command=(sys.executable, str(folder / "stubborn.py"), str(folder)))
run_command(spec, folder, folder, 600)
"""


def started(folder: Path) -> list[int]:
    """The numbers of the three processes, once all are there."""
    for _ in range(600):
        found = [int(path.stem) for path in folder.glob("*.pid")]
        if len(found) == 3:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{len(found)} of 3 processes have started")


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone_within_10_s(pids: list[int]) -> bool:
    ends = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < ends:
        time.sleep(0.05)
    return not any(map(alive, pids))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_command_ends_with_whoever_runs_it(folder: Path, number: signal.Signals) -> None:
    runner = subprocess.Popen([sys.executable, "-c", RUN, str(folder)], stderr=subprocess.DEVNULL)
    pids = started(folder)
    os.kill(runner.pid, number)
    runner.wait(10)
    assert gone_within_10_s(pids)


def test_a_command_ends_at_its_limit(folder: Path) -> None:
    spec = Spec(name="m", command=(sys.executable, str(folder / "stubborn.py"), str(folder)))
    with pytest.raises(MethodFailure, match="did not end within 5 s"):
        run_command(spec, folder, folder, 0.5)  # of processor time, of which it takes little; then ten times that
    assert gone_within_10_s(started(folder))


def test_a_limit_counts_the_processor_time_of_descendants_and_no_waiting(folder: Path) -> None:
    spin = "import os, time\nif os.fork() == 0:\n    while True: pass\ntime.sleep(600)"
    with pytest.raises(MethodFailure, match="did not end within 2 s of processor time"):
        run_command(Spec(name="m", command=(sys.executable, "-c", spin)), folder, folder, 2)
    waits = "import time; time.sleep(2.5)"
    run_command(Spec(name="m", command=(sys.executable, "-c", waits)), folder, folder, 2)


def test_what_a_command_leaves_behind_ends_with_it(folder: Path) -> None:
    code = (
        "import pathlib, subprocess, sys, time\nsubprocess.Popen([sys.executable, *sys.argv[1:]])\n"
        "while len(list(pathlib.Path(sys.argv[2]).glob('*.pid'))) < 3: time.sleep(0.05)"
    )
    spec = Spec(name="m", command=(sys.executable, "-c", code, str(folder / "stubborn.py"), str(folder)))
    run_command(spec, folder, folder, 60)
    assert gone_within_10_s(started(folder))


def test_a_stopped_supervisor_ends_by_the_signal_that_ended_its_command() -> None:
    lifeline, ours = os.pipe()
    command = [sys.executable, "-m", "flythrough.evaluate.methods.supervise", str(lifeline), "sleep", "600"]
    process = subprocess.Popen(command, pass_fds=(lifeline,))
    os.close(lifeline)
    os.close(ours)
    assert process.wait(60) == -signal.SIGKILL


def test_only_the_two_placeholders_of_a_command_are_replaced(tmp_path: Path) -> None:
    code = "import sys; print({}, {'a': 0}, sep='{'); raise SystemExit(sys.argv[1])"
    spec = Spec(name="m", command=(sys.executable, "-c", code, "{x}={request}:{frames}"))
    request = tmp_path / "request"
    request.mkdir()
    with pytest.raises(MethodFailure, match=re.escape(f"exit code 1: {{x}}={request}:{tmp_path}")):
        run_command(spec, request, tmp_path, 60)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("no-such-program",), "no-such-program does not start"),
        ((sys.executable, "-c", "import os; os.abort()"), "was ended by signal 6"),
        ((sys.executable, "-c", "print('oh'); raise SystemExit(3)"), "ended with exit code 3: oh"),
    ],
)
def test_how_a_command_ended_is_said(tmp_path: Path, command: tuple[str, ...], said: str) -> None:
    with pytest.raises(MethodFailure, match=said):
        run_command(Spec(name="m", command=command), tmp_path, tmp_path, 60)
