"""One viewer's flight over a WebSocket.

Commands come as JSON text; frames go out as one binary message each: the length of a JSON header (4 bytes, little
endian), the header, the JPEG. No more than :data:`AHEAD` frames are sent beyond what the page has acknowledged.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect

from flythrough.errors import FlythroughError, InputError
from flythrough.workspace.files import JsonObject

from .flight import OVERLAYS, Command, SteeredFlight, read_command, to_jpeg
from .service import Service

AHEAD = 2
MAX_TEXT = 256 << 10  # characters of a command; a flight's log is the longest
MAX_LOG = 20_000  # steps that a link repeats
_QUEUE = 8  # commands that wait; more are not taken
IDLE, FULL = 4000, 4001  # close codes


class Session:
    """Runs until the page leaves, or is idle for too long.

    Args:
        socket: accepted.
        service: the shared model and starts.
    """

    def __init__(self, socket: WebSocket, service: Service) -> None:
        self._socket, self._service = socket, service
        self._flight: SteeredFlight | None = None
        self._start, self._seed = "", 0
        self._command, self._overlay = Command(), OVERLAYS[0]
        self._replay: deque[Command] = deque()
        self._jobs: deque[Callable[[], None]] = deque()
        self._playing = False
        self._sent = self._acknowledged = 0
        self._changed = asyncio.Event()
        self._last_word = time.monotonic()

    async def run(self) -> None:
        """Listen and fly side by side."""
        async with anyio.create_task_group() as group:

            async def until_over(work: Callable[[], Awaitable[None]]) -> None:
                with suppress(WebSocketDisconnect):  # the page has left
                    await work()
                group.cancel_scope.cancel()

            for each in (self._listen, self._fly, self._watch):
                group.start_soon(until_over, each)

    async def _listen(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                self._obey(_parse(message.get("text") or ""))
            except FlythroughError as error:
                await self._say("error", message=str(error))
            self._changed.set()

    def _obey(self, said: JsonObject) -> None:
        kind = said.get("type")
        if kind == "ack":
            self._acknowledged = max(self._acknowledged, min(int(_whole(said, "frame")), self._sent))
            return
        self._last_word = time.monotonic()
        if kind == "start":
            self._begin(said)
        elif kind in ("play", "pause"):
            self._playing = kind == "play"
        elif kind == "steer":
            self._command = read_command(said.get("x"), said.get("y"), said.get("speed"))
            self._replay.clear()
        elif kind == "view":
            if said.get("overlay") not in OVERLAYS:
                raise InputError("There is no such overlay", remedy=f"Use {', '.join(OVERLAYS)}")
            self._overlay = said["overlay"]
            self._add(lambda: None)
        elif kind in ("step", "back", "restart"):
            self._playing = False
            self._add({"step": self._step, "back": self._back, "restart": self._restart}[kind])
        else:
            raise InputError("There is no such command", remedy="Reload the page")

    def _begin(self, said: JsonObject) -> None:
        name, seed = said.get("start"), _whole(said, "seed")
        log = read_log(said.get("log", []))
        self._service.start(name)
        self._playing = False

        def take_off() -> None:
            self._flight = self._service.take_off(name, seed)
            self._start, self._seed, self._replay = str(name), seed, deque(log)

        self._jobs.clear()
        self._add(take_off)

    def _add(self, job: Callable[[], None]) -> None:
        if len(self._jobs) < _QUEUE:
            self._jobs.append(job)

    def _step(self) -> None:
        if self._flight:
            self._flight.step(self._replay.popleft() if self._replay else self._command)

    def _back(self) -> None:
        if self._flight:
            self._replay.clear()
            self._flight.back()

    def _restart(self) -> None:
        if self._flight:
            self._replay.clear()
            self._flight.restart()

    def _next_job(self) -> Callable[[], None] | None:
        if self._sent - self._acknowledged >= AHEAD:
            return None
        if self._jobs:
            return self._jobs.popleft()
        return self._step if self._playing and self._flight else None

    async def _fly(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            job = self._next_job()
            if job is None:
                await self._changed.wait()
                continue
            try:
                frame = await loop.run_in_executor(self._service.pilot, self._frame, job)
            except FlythroughError as error:
                self._playing = False
                await self._say("error", message=str(error))
                continue
            if frame is not None:
                self._sent += 1
                await self._socket.send_bytes(frame)

    def _frame(self, job: Callable[[], None]) -> bytes | None:
        """Do a job in the pilot's thread; returns the message with the picture that came of it."""
        began = time.perf_counter()
        job()
        if self._flight is None:
            return None
        flown = time.perf_counter()
        picture = to_jpeg(self._flight.picture(self._overlay))
        header = {
            "frame": self._sent + 1,
            "step": len(self._flight.log),
            "playing": self._playing,
            "repeating": len(self._replay),
            "position": self._flight.position,
            "heading": self._flight.heading,
            "fly_ms": round(1000 * (flown - began), 1),
            "encode_ms": round(1000 * (time.perf_counter() - flown), 1),
        }
        text = json.dumps(header).encode()
        return struct.pack("<I", len(text)) + text + picture

    async def _watch(self) -> None:
        while (left := self._last_word + self._service.idle_s - time.monotonic()) > 0:
            await asyncio.sleep(left)
        await self._say("error", message="The session was idle and has ended. Reload the page to fly on")
        await self._socket.close(IDLE)

    async def _say(self, kind: str, **values: object) -> None:
        await self._socket.send_text(json.dumps({"type": kind, **values}))


async def attend(socket: WebSocket, service: Service) -> None:
    """Accept a viewer and fly for them, unless too many are flying already."""
    await socket.accept()
    if service.sessions >= service.max_sessions:
        message = f"{service.max_sessions} flights are under way, the most at a time. Close one, then reload"
        await socket.send_text(json.dumps({"type": "error", "message": message}))
        await socket.close(FULL)
        return
    service.sessions += 1
    try:
        await Session(socket, service).run()
    finally:
        service.sessions -= 1


def read_log(value: object) -> list[Command]:
    """A steering log, ``[[count, x, y, speed], ...]``, one command a step.

    Raises:
        InputError: it is something else, or too long.
    """
    remedy = "Take the whole link"
    if not isinstance(value, list) or len(value) > MAX_LOG:
        raise InputError("The link holds no steering log", remedy=remedy)
    log: list[Command] = []
    for run in value:
        if not isinstance(run, list) or len(run) != 4 or type(run[0]) is not int or not 0 < run[0] <= MAX_LOG:
            raise InputError("The link's steering log is damaged", remedy=remedy)
        log += [read_command(*run[1:])] * run[0]
        if len(log) > MAX_LOG:
            raise InputError(f"The link's flight is over {MAX_LOG} steps long", remedy="Repeat a shorter one")
    return log


def _parse(text: str) -> JsonObject:
    try:
        said = json.loads(text) if len(text) <= MAX_TEXT else None
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise InputError("That is no command", remedy="Reload the page")
    return said


def _whole(said: JsonObject, name: str) -> int:
    value = said.get(name, 0)
    if type(value) is not int or not 0 <= value < 1 << 31:
        raise InputError(f"{name} is not a whole number", remedy="Reload the page")
    return value
