"""Access control for a local page: requests need a local host name, the page's own origin, and the token."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "content-security-policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_REFUSED = 1008  # WebSocket's code for a broken rule; before the handshake it becomes status 403


class Guard:
    """ASGI middleware that refuses requests and WebSockets from anywhere but the page itself.

    Args:
        app: what is guarded.
        token: expected in the header ``x-token``, or as ``token`` in the query.
        port: of the server.
        command: command that printed the address with the token; named in the refusal.
        public: paths below these need no token: the page's own scripts, which import each other by plain addresses.
    """

    def __init__(self, app: ASGIApp, token: str, port: int, command: str, public: Iterable[str] = ()) -> None:
        self.app = app
        self.token = token
        self.command = command
        self.public = tuple(public)
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.origins = {f"http://{host}" for host in self.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            if self._refusal(HTTPConnection(scope), changes=True):
                await receive()  # the request to connect
                await send({"type": "websocket.close", "code": _REFUSED})
            else:
                await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    *((k.encode(), v.encode()) for k, v in HEADERS.items()),
                ]
            await send(message)

        refusal = self._refusal(Request(scope), changes=scope["method"] not in ("GET", "HEAD"))
        answer = PlainTextResponse(refusal, 403) if refusal else self.app
        await answer(scope, receive, send_with_headers)

    def _refusal(self, asked: HTTPConnection, changes: bool) -> str | None:
        """Why the request is refused, or None. One that ``changes`` something must state its origin, as browsers do."""
        if asked.headers.get("host", "").lower() not in self.hosts:
            return "Wrong host"  # DNS rebinding: a foreign name that was made to point here
        origin = asked.headers.get("origin")
        if origin is not None and origin.lower() not in self.origins:
            return "Wrong origin"
        if changes and origin is None:
            return "Origin is missing"
        if not changes and asked.url.path.startswith(self.public):
            return None
        given = asked.headers.get("x-token") or asked.query_params.get("token") or ""
        if not secrets.compare_digest(given.encode(), self.token.encode()):
            return f"The address needs the token that {self.command} printed"
        return None


async def read_body(request: Request, limit: int) -> bytes:
    """A request's body.

    Raises:
        ValueError: it is over ``limit`` bytes; reading stops there.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise ValueError(f"The body is over {limit >> 20} MiB")
    return bytes(body)


def filled(text: str, token: str) -> Response:
    """An HTML page with each ``TOKEN`` in it replaced by the token, escaped."""
    from markupsafe import escape

    return Response(text.replace("TOKEN", str(escape(token))), media_type="text/html; charset=utf-8")
