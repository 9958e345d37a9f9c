"""The server of the review page: on this machine only, for whoever has the token in its address."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from flythrough.errors import FlythroughError
from flythrough.web import serve as local
from flythrough.web.guard import Guard, filled, read_body
from flythrough.workspace.files import JsonObject

from .listing import Item, Query, Review

HERE = Path(__file__).parent
PAGE_SIZE = 60
MAX_BODY = 16 << 20

WRONG = (FlythroughError, KeyError, ValueError, OverflowError, RecursionError, csv.Error)  # the request's fault


def make_app(review: Review, token: str, port: int) -> ASGIApp:
    """The page, its data, and the routes that take verdicts."""

    async def page(request: Request) -> Response:
        return filled((HERE / "review.html").read_text(encoding="utf-8"), token)

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
        return _download("verdicts.csv", review.to_csv())

    async def labels(request: Request) -> Response:
        return _download("labels.csv", review.to_labels())

    async def load(request: Request) -> Response:
        text = (await read_body(request, MAX_BODY)).decode("utf-8", errors="strict")
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
    handlers = dict.fromkeys(WRONG, refused)
    return Guard(Starlette(routes=routes, exception_handlers=handlers), token, port, "flythrough review")


def serve(review: Review, port: int, announce: Callable[[str], None]) -> None:
    """Serve until interrupted; calls ``announce(url)`` once the port is open."""
    local.serve(partial(make_app, review), port, announce)


def _download(name: str, text: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


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

    value = json.loads(await read_body(request, MAX_BODY))
    if not isinstance(value, dict):
        raise ValueError("The body must be a JSON object")
    return value
