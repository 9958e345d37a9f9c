"""Serving a page on 127.0.0.1 until Ctrl-C."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable

from starlette.types import ASGIApp


def serve(make_app: Callable[[str, int], ASGIApp], port: int, announce: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Args:
        make_app: makes the page from its token and port.
        port: 0 takes a free one.
        announce: called with the address, token included, once the port is open.
    """
    import uvicorn

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        port = listener.getsockname()[1]
        token = secrets.token_urlsafe(24)
        settings = uvicorn.Config(make_app(token, port), log_level="warning", access_log=False, lifespan="off")
        settings.ws_max_size = 1 << 20  # bytes; commands are short, and pictures do not come this way
        settings.timeout_graceful_shutdown = 2  # Ctrl-C waits for no half-sent request
        listener.listen()
        announce(f"http://127.0.0.1:{port}/?token={token}")
        uvicorn.Server(settings).run(sockets=[listener])
