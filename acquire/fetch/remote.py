"""A video on the web: downloaded once into the store, directly or through yt-dlp."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from flythrough.errors import FlythroughError
from flythrough.workspace.addresses import public_url

from ..config import AcquireConfig
from ..failures import FetchError
from ..rules import Candidate, Rejected, Rules, check
from ..urls import video_suffix, youtube_key
from .budget import ByteBudget, OverBudget
from .download import Fetcher
from .platforms import Info, fetch, is_platform, provenance_of
from .retry import persist
from .store import DownloadCache, Provenance, tools
from .watch import Watch

_PARTS = ("direct", "direct.part", "platform.*")


@dataclass(frozen=True)
class Remote:
    """Everything needed to download one video.

    Attributes:
        address: a direct file, or a page that yt-dlp knows; None where its query or user info was not stored.
        name: the address as it may be shown and stored.
        cache: the video's cache, locked by the caller.
        fetcher: downloads files, asking ``budget`` first.
        budget: the remaining budget.
        config: the settings.
        rules: those that apply to it, if any.
    """

    address: str | None
    name: str
    cache: DownloadCache
    fetcher: Fetcher
    budget: ByteBudget
    config: AcquireConfig
    rules: Rules | None

    def obtain(self) -> Provenance:
        """Make sure the cache holds the video; a cached one is not downloaded again.

        Raises:
            FetchError: it failed.
            Rejected: a rule drops it, before it is downloaded.
            OverBudget: the budget is spent.
        """
        if (found := self.cache.found()) is not None:
            self.budget.spend(self.cache.id, self.cache.target.stat().st_size, found.duration_s)
            return found
        before = self._partial()
        try:
            file, provenance = self._fetched()
        except (FlythroughError, Rejected, OverBudget):
            partial = self._partial()
            self.budget.fail(self.cache.id, partial=partial, wasted=self.fetcher.received - max(0, partial - before))
            raise
        self.budget.note(self.cache.id, length=file.stat().st_size)
        return self.cache.put(file, provenance)

    def _partial(self) -> int:
        """Bytes on disk of an incomplete file."""
        return sum(file.stat().st_size for part in _PARTS for file in self.cache.folder.glob(part))

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
        file = self.cache.folder / "direct"
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
                result.append(fetch(self.url, self.cache.folder, self.config.download, self._admit, watch.check))

        watch = Watch(self.name, self.config.download, lambda size: self.budget.grow(self.cache.id, size))
        persist(attempt, self._partial, host.pause, self.config.download, watch)
        ((file, info),) = result
        provenance = provenance_of(info)
        url = self.name if provenance.url is None else public_url(provenance.url)
        return file, replace(provenance, url=url, suffix=file.suffix, duration_s=info.get("duration"))

    def _admit(self, info: Info) -> None:
        """Refuse live streams, what a rule drops, and what exceeds the budget."""
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
        self.budget.spend(self.cache.id, length, info.get("duration"))
