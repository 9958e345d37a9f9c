"""Which addresses are connected to: none on this machine or its private networks, whoever redirects there.

Checked by an audit hook on the connection itself, after the name was resolved: a name that resolves to another address
the second time gains nothing, and yt-dlp's connections are checked like our own.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
_METADATA = frozenset({"168.63.129.16"})  # Azure's, the only one that is a public address
_allowed: ContextVar[frozenset[str] | None] = ContextVar("allowed", default=None)  # None: nothing is checked


class PrivateAddress(OSError):
    """A connection to an address that is not on the public internet was refused."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address} is not a public address")
        self.address = address


def is_public(address: str) -> bool:
    """Whether an IP address is on the public internet: not loopback, private, link-local, multicast or metadata."""
    ip = ipaddress.ip_address(address.partition("%")[0])  # without an IPv6 zone
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and str(ip) not in _METADATA


@contextmanager
def public_only(hosts: Iterable[str]) -> Iterator[None]:
    """Refuse connections of this thread to addresses that are not public, but for those of ``hosts``.

    Raises:
        PrivateAddress: at the connection; HTTP libraries pass it on as the cause of theirs.
    """
    _install()
    named = frozenset(hosts)
    token = _allowed.set(named.union(*map(_addresses, named)))
    try:
        yield
    finally:
        _allowed.reset(token)


def refused_address(error: BaseException) -> str | None:
    """The private address behind a failure, or None if it failed for another reason."""
    return next((each.address for each in causes(error) if isinstance(each, PrivateAddress)), None)


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that are behind it, nearest first; yt-dlp keeps some in attributes of its own."""
    seen: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue:
        here = queue.pop(0)
        if here is None or id(here) in seen:
            continue
        seen.add(id(here))
        yield here
        info = getattr(here, "exc_info", None)
        queue += [info[1] if info else None, getattr(here, "cause", None), here.__cause__, here.__context__]


def private_address(host: str) -> str | None:
    """The host's address if it is a private one, or the first such address that its name resolves to here; or None."""
    return next((address for address in sorted(_addresses(host)) if not is_public(address)), None)


def _addresses(host: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return set()


@cache
def _install() -> None:
    sys.addaudithook(_check)


def _check(event: str, arguments: tuple[object, ...]) -> None:
    if event != "socket.connect" or (allowed := _allowed.get()) is None:
        return
    if not isinstance(arguments[1], tuple):  # a socket in the file system
        return
    host = str(arguments[1][0])
    if host not in allowed and (private := private_address(host)) is not None:
        raise PrivateAddress(private)
