"""The review page's server: on this machine only, for whoever holds the token in its address."""

from __future__ import annotations

import csv
import math
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flythrough.errors import FlythroughError
from flythrough.workspace.files import JsonObject

from .listing import Item, Query, Review

HERE = Path(__file__).parent
PAGE_SIZE = 60
MAX_BODY = 16 << 20
_HEADERS = {
    "content-security-policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Lets a request through only from this machine's own page, with the token."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app = app
        self.token = token
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.origins = {f"http://{host}" for host in self.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    *((k.encode(), v.encode()) for k, v in _HEADERS.items()),
                ]
            await send(message)

        refusal = self._refusal(Request(scope))
        await (refusal or self.app)(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        if request.headers.get("host", "").lower() not in self.hosts:
            return PlainTextResponse("Wrong host", 403)  # a foreign name that was made to point here
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() not in self.origins:
            return PlainTextResponse("Wrong origin", 403)
        if request.method not in ("GET", "HEAD") and origin is None:
            return PlainTextResponse("Origin is missing", 403)
        given = request.headers.get("x-token") or request.query_params.get("token") or ""
        if not secrets.compare_digest(given.encode(), self.token.encode()):
            return PlainTextResponse("The address needs the token that flythrough review printed", 403)
        return None


def make_app(review: Review, token: str, port: int) -> ASGIApp:
    """The page, its data, and where verdicts go."""

    async def page(request: Request) -> Response:
        return _filled("review.html", token)

    async def script(request: Request) -> Response:
        return FileResponse(HERE / "review.js", media_type="text/javascript")

    async def style(request: Request) -> Response:
        return FileResponse(HERE / "review.css", media_type="text/css")

    async def shots(request: Request) -> Response:
        found = review.select(_query(request))
        offset = max(0, int(_number(request, "offset", 0)))
        items = [_as_json(item, review) for item in found[offset : offset + PAGE_SIZE]]
        return JSONResponse({"total": len(found), "offset": offset, "items": items, "summary": review.summary()})

    async def picture(request: Request) -> Response:
        item = review.items.get(request.path_params["id"])
        name = request.path_params["name"]
        if item is None or name not in ("0", "1", "2", "strip") or not item.pictures:
            return PlainTextResponse("No such picture", 404)
        path = (review.root / f"{item.pictures}.{name}.jpg").resolve()
        if not path.is_relative_to(review.root.resolve()) or not path.is_file():
            return PlainTextResponse("No such picture", 404)
        return FileResponse(path, media_type="image/jpeg")

    async def verdict(request: Request) -> Response:
        body = await _json(request)
        id = str(body["id"])
        review.record([id], str(body["verdict"]), str(body.get("reason", "")))
        return JSONResponse({"summary": review.summary(), "item": _as_json(review.items[id], review)})

    async def export(request: Request) -> Response:
        headers = {"content-disposition": 'attachment; filename="verdicts.csv"'}
        return Response(review.to_csv(), media_type="text/csv; charset=utf-8", headers=headers)

    async def labels(request: Request) -> Response:
        headers = {"content-disposition": 'attachment; filename="labels.csv"'}
        return Response(review.to_labels(), media_type="text/csv; charset=utf-8", headers=headers)

    async def load(request: Request) -> Response:
        text = (await _body(request)).decode("utf-8", errors="strict")
        return JSONResponse({"taken": review.from_csv(text), "summary": review.summary()})

    async def refused(request: Request, error: Exception) -> Response:
        return PlainTextResponse(str(error), 400)

    routes = [
        Route("/", page),
        Route("/review.js", script),
        Route("/review.css", style),
        Route("/shots", shots),
        Route("/picture/{id}/{name}.jpg", picture),
        Route("/verdict", verdict, methods=["POST"]),
        Route("/verdicts.csv", export),
        Route("/labels.csv", labels),
        Route("/import", load, methods=["POST"]),
    ]
    wrong = (FlythroughError, KeyError, ValueError, OverflowError, RecursionError, csv.Error)  # whatever was sent
    handlers = dict.fromkeys(wrong, refused)
    return Guard(Starlette(routes=routes, exception_handlers=handlers), token, port)


def serve(review: Review, port: int, announce: Callable[[str], None]) -> None:
    """Serve until interrupted; calls ``announce(url)`` once the port is open."""
    import uvicorn

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        port = listener.getsockname()[1]
        token = secrets.token_urlsafe(24)
        app = make_app(review, token, port)
        settings = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
        settings.timeout_graceful_shutdown = 2  # Ctrl-C waits for no half-sent request
        listener.listen()
        announce(f"http://127.0.0.1:{port}/?token={token}")
        uvicorn.Server(settings).run(sockets=[listener])


def _filled(name: str, token: str) -> Response:
    from markupsafe import escape

    text = (HERE / name).read_text(encoding="utf-8").replace("TOKEN", str(escape(token)))
    return Response(text, media_type="text/html; charset=utf-8")


def _as_json(item: Item, review: Review) -> JsonObject:
    verdict = review.verdicts.get(item.id)
    return {
        "id": item.id,
        "video": item.video_id,
        "rule": item.rule,
        "margin": item.margin,
        "measures": item.measures,
        "verdict": verdict.verdict if verdict else None,
        "reason": verdict.reason if verdict else "",
    }


def _query(request: Request) -> Query:
    get = request.query_params.get
    return Query(
        status=get("status", "all"),
        reason=get("reason", ""),
        measure=get("measure", ""),
        low=_number(request, "low", -math.inf),
        high=_number(request, "high", math.inf),
        order=get("order", "unsure"),
    )


def _number(request: Request, name: str, default: float) -> float:
    text = request.query_params.get(name, "")
    return float(text) if text else default


async def _json(request: Request) -> JsonObject:
    import json

    value = json.loads(await _body(request))
    if not isinstance(value, dict):
        raise ValueError("The body must be a JSON object")
    return value


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise ValueError(f"The body is over {MAX_BODY >> 20} MiB")
    return body
