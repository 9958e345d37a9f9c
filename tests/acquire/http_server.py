"""A real HTTP server on loopback whose every path can misbehave in its own way."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Page:
    """What one path serves, and how badly."""

    body: bytes = b""
    content_type: str = "video/mp4"
    ranges: bool = True
    etag: str | None = '"v1"'
    cut_at: float | None = None  # close the connection after this fraction of the whole body ...
    cuts: int = 1  # ... this often
    stall_at: float | None = None  # stop sending after this fraction, once
    statuses: list[tuple[int, dict[str, str]]] = field(default_factory=list)  # answers before the first good one
    location: str | None = None  # redirect
    extra_length: int = 0  # added to Content-Length
    headers: dict[str, str] = field(default_factory=dict)
    chunked: bool = False
    delay_s: float = 0.0  # a pause after each block
    block: int = 65536
    shift: int = 0  # added to where a range begins
    most: int | None = None  # close the connection after so many bytes, every time


class Server:
    """``with serve() as server: server.pages["/a.mp4"] = Page(body); server.url("/a.mp4")``.

    Attributes:
        pages: what is served, by path.
        sent: body bytes sent, by path.
        requests: (time, path, Range header), in order of arrival.
        cookies: the Cookie header of each request.
        logins: its Authorization header.
        most_open: most requests that were open at a time.
    """

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.sent: Counter[str] = Counter()
        self.requests: list[tuple[float, str, str | None]] = []
        self.cookies: list[str | None] = []
        self.logins: list[str | None] = []
        self.open = self.most_open = 0
        self.lock = threading.Lock()
        self.stop_stalls = threading.Event()
        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.httpd.daemon_threads = True
        self.httpd.handle_error = lambda request, address: None  # type: ignore[method-assign]  # clients hang up

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.httpd.server_port}{path}"

    def hits(self, path: str) -> int:
        return sum(asked == path for _, asked, _ in self.requests)


@contextmanager
def serve() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop_stalls.set()
        server.httpd.shutdown()
        server.httpd.server_close()
        thread.join()


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            with server.lock:
                server.requests.append((time.monotonic(), path, self.headers.get("Range")))
                server.cookies.append(self.headers.get("Cookie"))
                server.logins.append(self.headers.get("Authorization"))
                server.open += 1
                self.counted = 1
                server.most_open = max(server.most_open, server.open)
            try:
                self.answer(path, server.pages.get(path))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                self.leave()

        def leave(self) -> None:
            """Count the request as over: before its last block goes out, since the client may be quicker than we."""
            with server.lock:
                server.open -= self.counted
                self.counted = 0

        def answer(self, path: str, page: Page | None) -> None:
            if page is None:
                self.plain(404, {}, b"not here")
            elif page.location is not None:
                self.plain(302, {"Location": page.location}, b"")
            elif page.statuses:
                status, headers = page.statuses.pop(0)
                self.plain(status, headers, b"try again")
            else:
                self.send_page(path, page)

        def plain(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def send_page(self, path: str, page: Page) -> None:
            size, start = len(page.body), 0
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            same = self.headers.get("If-Range") in (None, page.etag)
            if asked and page.ranges and same:
                start = int(asked[1]) + page.shift
            if start >= size > 0 and asked:
                self.plain(416, {"Content-Range": f"bytes */{size}"}, b"")
                return
            partial = bool(asked and page.ranges and same)
            self.send_response(206 if partial else 200)
            if partial:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.send_header("Content-Type", page.content_type)
            if page.etag:
                self.send_header("ETag", page.etag)
            for name, value in page.headers.items():
                self.send_header(name, value)
            if page.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(size - start + page.extra_length))
            self.end_headers()
            self.send_body(path, page, start)

        def send_body(self, path: str, page: Page, start: int) -> None:
            size = len(page.body)
            end = size
            if page.cut_at is not None and page.cuts > 0:
                page.cuts -= 1
                end = max(start, int(size * page.cut_at))
            if page.most is not None:
                end = min(end, start + page.most)
            stall = int(size * page.stall_at) if page.stall_at is not None else None
            at = start
            while at < end:
                step = min(page.block, end - at, *([stall - at] if stall is not None and stall > at else []))
                block = page.body[at : at + step]
                if at + step == end:
                    self.leave()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block) if page.chunked else block)
                at += step
                server.sent[path] += step
                if page.delay_s:
                    time.sleep(page.delay_s)
                if stall is not None and at == stall:
                    page.stall_at = stall = None
                    server.stop_stalls.wait(60)
            if page.chunked and end == size:
                self.wfile.write(b"0\r\n\r\n")
            if end < size or page.extra_length:
                self.close_connection = True

        def log_message(self, *arguments: Any) -> None:
            pass

    return Handler
