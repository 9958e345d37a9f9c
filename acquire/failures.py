"""The kinds of failure, whether retrying makes sense, and the kind for each HTTP status."""

from __future__ import annotations

from http import HTTPStatus

from flythrough.errors import FlythroughError
from flythrough.workspace.addresses import redact

REMEDIES = {
    "private": "Ask its owner to let you in, then give that account's cookies (acquire.download.cookies)",
    "removed": "It is gone; look for a copy elsewhere and list that",
    "geo-blocked": "Fetch it through a proxy in a country where it is shown (acquire.download.proxy)",
    "login": "Give cookies of a signed-in browser (acquire.download.cookies or cookies_from_browser), and fetch slowly",
    "rate-limited": "Wait some hours, lower acquire.download.per_host and requests_per_s, then run with --retry-errors",
    "format": "There is something else than a usable video; check the address, or remove it from the input",
    "network": "Check the connection, then run with --retry-errors",
    "disk": "Free some space or choose another --workspace, then run with --retry-errors",
}  # fmt: skip
KINDS = tuple(REMEDIES)
TRANSIENT = frozenset({"network", "rate-limited"})  # the kinds that a retry may cure


class FetchError(FlythroughError):
    """A video could not be downloaded.

    Args:
        message: what is wrong, naming the URL; its query and user info are cut.
        kind: one of :data:`KINDS`.
        again: whether a retry may succeed; by default as the kind says.
        retry_after_s: how long the server asked to wait.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        remedy: str | None = None,
        again: bool | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(redact(message), remedy=remedy or REMEDIES[kind], kind=kind)
        self.again = kind in TRANSIENT if again is None else again
        self.retry_after_s = retry_after_s


def private_host(url: str, address: str) -> FetchError:
    """The error for a URL, or a redirect of it, that leads to an address which is not public."""
    return FetchError(
        f"{url} leads to {address}, on this machine or a private network: refused",
        kind="format",
        remedy="If you trust this source, name its host in acquire.download.private_hosts",
    )


_STATUS_KINDS = {401: "login", 402: "login", 403: "login", 404: "removed", 410: "removed", 429: "rate-limited",
                 451: "geo-blocked"}  # fmt: skip
_PASSING = frozenset({408, 425, 429})  # client errors that pass


def of_status(status: int, url: str, retry_after_s: float | None = None) -> FetchError:
    """The error for an HTTP status that is not a success."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    return FetchError(
        f"{url} answered {status} {phrase}".rstrip(),
        kind=_STATUS_KINDS.get(status, "format" if 400 <= status < 500 and status not in _PASSING else "network"),
        again=status >= 500 or status in _PASSING,
        retry_after_s=retry_after_s,
    )
