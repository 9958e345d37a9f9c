"""One viewer's flight over a WebSocket.

Commands come as JSON text; frames go out as one binary message each: the length of a JSON header (4 bytes, little
endian), the header, and a JPEG per model. No more than :data:`AHEAD` frames are sent beyond what the page has
acknowledged.
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

from .commands import Command, pack_log, read_command, read_log, read_message, whole
from .film import MAX_FRAMES, Film
from .flight import OVERLAYS, SideBySide, to_jpeg
from .service import Service

AHEAD = 2
_QUEUE = 8  # commands that wait; more are not taken
IDLE, FULL = 4000, 4001  # close codes


class Session:
    """Runs until the page leaves, or is idle for too long.

    Args:
        socket: accepted.
        service: the shared models and starts.
    """

    def __init__(self, socket: WebSocket, service: Service) -> None:
        self._socket, self._service = socket, service
        self._flight: SideBySide | None = None
        self._start, self._seed = "", 0
        self._command, self._overlay = Command(), OVERLAYS[0]
        self._replay: deque[Command] = deque()
        self._jobs: deque[Callable[[], None]] = deque()
        self._playing = False
        self._film: Film | None = None
        self._finished_film: str | None = None  # name of the recording that the next frame announces
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

    def close(self) -> None:
        """Delete a recording that was not finished; in the pilot's thread."""
        if self._film:
            self._service.films.discard(self._film)

    async def _listen(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                said = read_message(message.get("text") or "")
                if said.get("type") == "log":
                    await self._tell_log()
                else:
                    self._obey(said)
            except FlythroughError as error:
                await self._say("error", message=str(error))
            self._changed.set()

    def _obey(self, said: JsonObject) -> None:
        kind = said.get("type")
        if kind == "ack":
            self._acknowledged = max(self._acknowledged, min(whole(said, "frame"), self._sent))
            return
        self._last_word = time.monotonic()
        if kind == "start":
            self._begin(said)
        elif kind in ("play", "pause"):
            self._playing = kind == "play"
            if not self._playing:
                self._add(lambda: None)  # frames under way still say that it plays
        elif kind == "steer":
            self._command = read_command(said.get("x"), said.get("y"), said.get("speed"))
            self._replay.clear()
        elif kind == "view":
            if said.get("overlay") not in OVERLAYS:
                raise InputError("There is no such overlay", remedy=f"Use {', '.join(OVERLAYS)}")
            self._overlay = said["overlay"]
            self._add(lambda: None)
        elif kind == "record":
            self._add(self._begin_film if said.get("on") is True else self._end_film)
        elif kind in ("step", "back", "restart"):
            self._playing = False
            self._add({"step": self._step, "back": self._back, "restart": self._restart}[kind])
        else:
            raise InputError("There is no such command", remedy="Reload the page")

    def _begin(self, said: JsonObject) -> None:
        name, seed = self._service.check_start(said.get("start")), whole(said, "seed")
        log = read_log(said.get("log", []))
        self._playing = False

        def take_off() -> None:
            self._flight = self._service.take_off(name, seed)
            self._start, self._seed, self._replay = name, seed, deque(log)

        self._jobs.clear()
        self._add(take_off)

    def _add(self, job: Callable[[], None]) -> None:
        if len(self._jobs) < _QUEUE:
            self._jobs.append(job)

    def _step(self) -> None:
        if not self._flight:
            return
        repeats = bool(self._replay)
        self._flight.step(self._replay.popleft() if self._replay else self._command)
        if repeats and not self._replay:
            self._playing = False  # the repeated flight ends where it was shared
        if self._film:
            self._record(self._film, self._flight)

    def _record(self, film: Film, flight: SideBySide) -> None:
        try:
            film.add(flight.pictures(self._overlay))
        except FlythroughError:  # said once; the steps after it fly unrecorded
            self._film = None
            self._service.films.discard(film)
            raise
        if film.frames >= MAX_FRAMES:
            self._end_film()

    def _back(self) -> None:
        if self._flight:
            self._replay.clear()
            self._flight.back()

    def _restart(self) -> None:
        if self._flight:
            self._replay.clear()
            self._flight.restart()

    def _begin_film(self) -> None:
        self._film = self._film or self._service.films.begin()

    def _end_film(self) -> None:
        film, self._film = self._film, None
        if film:
            self._finished_film = self._service.films.finish(film)

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
        """Do a job in the pilot's thread; returns the message with the resulting pictures."""
        began = time.perf_counter()
        job()
        if self._flight is None:
            return None
        flown = time.perf_counter()
        jpegs = [to_jpeg(picture) for picture in self._flight.pictures(self._overlay)]
        film, self._finished_film = self._finished_film, None
        header = {
            "frame": self._sent + 1,
            "step": len(self._flight.log),
            "playing": self._playing,
            "repeating": len(self._replay),
            "command": self._flight.log[-1] if self._flight.log else None,
            "recording": self._film and self._film.frames,
            "film": film,
            "flights": [
                {"model": name, "bytes": len(jpeg), "position": flight.position, "heading": flight.heading}
                for (name, flight), jpeg in zip(self._flight.flights.items(), jpegs, strict=True)
            ],
            "fly_ms": round(1000 * (flown - began), 1),
            "encode_ms": round(1000 * (time.perf_counter() - flown), 1),
        }
        text = json.dumps(header).encode()
        return struct.pack("<I", len(text)) + text + b"".join(jpegs)

    async def _tell_log(self) -> None:
        log = pack_log(list(self._flight.log)) if self._flight else []
        await self._say("log", start=self._start, seed=self._seed, log=log)

    async def _watch(self) -> None:
        while (left := self._last_word + self._service.idle_s - time.monotonic()) > 0:
            await asyncio.sleep(left)
        await self._say("error", message="The session was idle and has ended. Reload the page to continue")
        await self._socket.close(IDLE)

    async def _say(self, kind: str, **values: object) -> None:
        await self._socket.send_text(json.dumps({"type": kind, **values}))


async def attend(socket: WebSocket, service: Service) -> None:
    """Accept a viewer and run their session, unless too many are flying already."""
    await socket.accept()
    if service.sessions >= service.max_sessions:
        message = f"{service.max_sessions} flights are under way, the most at a time. Close one, then reload"
        await socket.send_text(json.dumps({"type": "error", "message": message}))
        await socket.close(FULL)
        return
    service.sessions += 1
    session = Session(socket, service)
    try:
        await session.run()
    finally:
        service.sessions -= 1
        service.pilot.submit(session.close)
