"""Runs a command and ends it with all its descendants: ``python -m flythrough.evaluate.methods.supervise FD COMMAND``.

``FD`` is a pipe that the caller holds open. When it closes, because the caller wants to stop or was killed, or when the
command ends, every process that the command started is killed, also those that have left its process group or ignore
SIGTERM: on Linux, orphans become this process's children.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

NOT_STARTED = 126  # exit status if the command cannot be started; its last line of output says why
_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_POLL_S = 0.05


def main(arguments: list[str]) -> int:
    """Run the command until it ends or the pipe closes; returns its exit status, negative for a signal."""
    lifeline, command = int(arguments[0]), arguments[1:]
    _prctl(_SET_CHILD_SUBREAPER, 1)
    stop = [False]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.__setitem__(0, True))
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=lambda: _prctl(_SET_PDEATHSIG, 9)
        )
    except OSError as error:
        print(f"does not start: {error}", flush=True)
        return NOT_STARTED
    code = None
    while code is None and not stop[0] and not select.select([lifeline], [], [], _POLL_S)[0]:
        code = process.poll()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    code = process.wait() if code is None else code  # before the others: whoever reaps it first gets its status
    _end_descendants()
    return code


def _prctl(option: int, value: int) -> None:
    with suppress(AttributeError, OSError):  # not Linux: only the process group is ended
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _end_descendants() -> None:
    """Kill until no descendant is left: a killed process leaves its children to this one, and they may fork."""
    while found := list(_children(os.getpid())):
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.005)


def _children(parent: int) -> Iterator[int]:
    """The child processes of one, in any process group; none on systems without /proc."""
    below: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            with suppress(OSError):
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    state, above = file.read().rpartition(")")[2].split()[:2]
                if state != "Z" or int(above) == parent:
                    below.setdefault(int(above), []).append(int(name))
    queue = [parent]
    while queue:
        found = below.get(queue.pop(), [])
        yield from found
        queue += found


if __name__ == "__main__":
    status = main(sys.argv[1:])
    if status < 0:  # end by the same signal, so that whoever waits sees it
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError):  # SIGKILL's cannot be set
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)
