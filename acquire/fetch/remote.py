"""A video on the web: fetched once into the store, by our own downloader or through yt-dlp."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from flythrough.errors import FlythroughError
from flythrough.workspace.addresses import public_url

from ..config import AcquireConfig
from ..failures import FetchError
from ..rules import Candidate, Rejected, Rules, check
from ..urls import video_suffix, youtube_key
from .budget import OverBudget, Purse
from .download import Fetcher
from .platforms import Info, fetch, is_platform, provenance_of
from .retry import persist
from .store import Provenance, Shelf, tools
from .watch import Watch

_PARTS = ("direct", "direct.part", "platform.*")


@dataclass(frozen=True)
class Remote:
    """What it takes to get one video.

    Attributes:
        address: a direct file, or a page that yt-dlp knows; None where its query or user info is not known any more.
        name: the address as it may be shown and stored.
        shelf: the video's place, held by the caller.
        fetcher: downloads files, asking ``purse`` first.
        purse: what may still be spent.
        config: the settings.
        rules: those that apply to it, if any.
    """

    address: str | None
    name: str
    shelf: Shelf
    fetcher: Fetcher
    purse: Purse
    config: AcquireConfig
    rules: Rules | None

    def obtain(self) -> Provenance:
        """See to it that the shelf holds the video; what is there is not fetched again.

        Raises:
            FetchError: it cannot be had.
            Rejected: a rule drops it, before it is downloaded.
            OverBudget: the budget is spent.
        """
        if (found := self.shelf.found()) is not None:
            self.purse.spend(self.shelf.id, self.shelf.target.stat().st_size, found.duration_s)
            return found
        before = self._partial()
        try:
            file, provenance = self._fetched()
        except (FlythroughError, Rejected, OverBudget):
            partial = self._partial()
            self.purse.fail(self.shelf.id, partial=partial, wasted=self.fetcher.received - max(0, partial - before))
            raise
        self.purse.note(self.shelf.id, length=file.stat().st_size)
        return self.shelf.put(file, provenance)

    def _partial(self) -> int:
        """Bytes that are here of a file that is not whole yet."""
        return sum(file.stat().st_size for part in _PARTS for file in self.shelf.folder.glob(part))

    @property
    def url(self) -> str:
        """The address, with its query.

        Raises:
            FetchError: it was not stored, since it may hold a secret.
        """
        if self.address is None:
            raise FetchError(
                f"The query or the user info of {self.name} is needed to fetch it, and is not stored",
                kind="login",
                remedy="Give the whole address again (--input, or the list that it was in) with --retry-errors",
            )
        return self.address

    def _fetched(self) -> tuple[Path, Provenance]:
        suffix = video_suffix(self.url)
        if youtube_key(self.url) or (suffix is None and is_platform(self.url)):
            return self._from_platform()
        file = self.shelf.folder / "direct"
        try:
            self.fetcher.fetch(self.url, file)
        except FetchError as error:
            if error.kind == "format" and is_platform(self.url):  # a page, though its address ends like a file's
                return self._from_platform()
            raise
        return file, Provenance(url=self.name, tools=tools(), suffix=suffix or ".mp4")

    def _from_platform(self) -> tuple[Path, Provenance]:
        result: list[tuple[Path, Info]] = []
        host = self.fetcher.host(self.url)

        def attempt() -> None:
            with host.connection():
                result.append(fetch(self.url, self.shelf.folder, self.config.download, self._admit, watch.check))

        watch = Watch(self.name, self.config.download, lambda size: self.purse.grow(self.shelf.id, size))
        persist(attempt, self._partial, host.pause, self.config.download, watch)
        ((file, info),) = result
        provenance = provenance_of(info)
        url = self.name if provenance.url is None else public_url(provenance.url)
        return file, replace(provenance, url=url, suffix=file.suffix, duration_s=info.get("duration"))

    def _admit(self, info: Info) -> None:
        """Refuse what is live, what a rule drops, and what the budget does not bear."""
        if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming"):
            raise Rejected("live, not a recording", {"live_status": info.get("live_status")})
        if self.rules is not None:
            known = provenance_of(info)
            candidate = Candidate(
                title=known.title,
                description=known.description or "",
                duration_s=info.get("duration"),
                width=info.get("width"),
                height=info.get("height"),
                license=known.license,
                uploaded=known.uploaded,
            )
            check(candidate, self.rules, final=False)
        length = info.get("filesize") or info.get("filesize_approx")
        self.purse.spend(self.shelf.id, length, info.get("duration"))
