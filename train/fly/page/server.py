"""The page's server: the gallery, uploads, and one session per viewer; on this machine only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from flythrough.errors import FlythroughError
from flythrough.web import serve as local
from flythrough.web.guard import Guard, filled, read_body

from .decode import decode_apart
from .gallery import described, gallery, picture_file
from .service import Service
from .session import attend

STATIC = Path(__file__).parent / "static"
MAX_UPLOAD = 32 << 20  # bytes
_TYPES = {".js": "text/javascript", ".css": "text/css"}


def make_app(service: Service, token: str, port: int) -> ASGIApp:
    """The page, its pictures, and the routes that take commands."""
    files = {file.name: file for file in STATIC.iterdir() if file.suffix in _TYPES}
    about = {
        "pictures": described(),
        "models": list(service.models),
        "fingerprint": service.fingerprint(),
    }

    async def page(request: Request) -> Response:
        return filled((STATIC / "index.html").read_text(encoding="utf-8"), token)

    async def static(request: Request) -> Response:
        file = files.get(request.path_params["name"])
        return FileResponse(file, media_type=_TYPES[file.suffix]) if file else PlainTextResponse("No such file", 404)

    async def pictures(request: Request) -> Response:
        return JSONResponse(about)

    async def still(request: Request) -> Response:
        name = request.path_params["name"]
        return FileResponse(picture_file(name)) if name in gallery() else PlainTextResponse("No such picture", 404)

    async def upload(request: Request) -> Response:
        data = await read_body(request, MAX_UPLOAD)
        photo = await run_in_threadpool(decode_apart, data)
        name, note = await run_in_threadpool(service.add_photo, photo)
        return JSONResponse({"start": name, "note": note})

    async def film(request: Request) -> Response:
        file = service.films.find(request.path_params["name"])
        if file is None:
            return PlainTextResponse("That recording is not here (any more)", 404)
        return FileResponse(file, media_type="video/mp4", filename="flight.mp4")

    async def fly(socket: WebSocket) -> None:
        await attend(socket, service)

    async def refused(request: Request, error: Exception) -> Response:
        return PlainTextResponse(str(error), 400)

    routes = [
        Route("/", page),
        Route("/static/{name}", static),
        Route("/gallery", pictures),
        Route("/gallery/{name}.jpg", still),
        Route("/film/{name}.mp4", film),
        Route("/upload", upload, methods=["POST"]),
        WebSocketRoute("/fly", fly),
    ]
    app = Starlette(routes=routes, exception_handlers={FlythroughError: refused, ValueError: refused})
    return Guard(app, token, port, "flythrough fly", public=["/static/"])


def serve(service: Service, port: int, announce: Callable[[str], None]) -> None:
    """Serve until interrupted; calls ``announce(url)`` once the port is open."""
    service.warm_up()
    local.serve(partial(make_app, service), port, announce)
