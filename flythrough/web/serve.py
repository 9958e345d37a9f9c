"""Serving a page on 127.0.0.1 until Ctrl-C."""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from starlette.types import ASGIApp


def serve(make_app: Callable[[str, int], ASGIApp], port: int, announce: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Args:
        make_app: makes the page from its token and port.
        port: 0 takes a free one; any other keeps its token, so that an open page still works after a restart.
        announce: called with the address, token included, once the port is open.

    Raises:
        OSError: the port is taken.
    """
    import uvicorn

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        token = _kept_token(port) if port else secrets.token_urlsafe(24)
        port = listener.getsockname()[1]
        settings = uvicorn.Config(make_app(token, port), log_level="warning", access_log=False, lifespan="off")
        settings.ws_max_size = 1 << 20  # bytes; commands are short, and pictures do not come this way
        settings.timeout_graceful_shutdown = 2  # seconds that Ctrl-C waits for open requests
        listener.listen()
        announce(f"http://127.0.0.1:{port}/?token={token}")
        uvicorn.Server(settings).run(sockets=[listener])


def _kept_token(port: int) -> str:
    """The port's token from the user's cache folder, where only the user can read it; made if it is not there."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flythrough" / "pages"
    file, token = folder / str(port), secrets.token_urlsafe(24)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileExistsError), open(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as made:
            made.write(token)
        kept = file.read_text(encoding="ascii")
        ours = file.stat().st_mode & 0o077 == 0
    except (OSError, ValueError):
        return token
    return kept if ours and re.fullmatch(r"[\w-]{32}", kept) else token
