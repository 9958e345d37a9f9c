"""Time our code and its peers in turn, round by round, so that other work on the machine slows all of them alike."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

QUICK = os.environ.get("BENCH_QUICK") == "1"  # make bench-quick: smaller sizes
Work = Callable[[], Any]


@dataclass(frozen=True)
class Peer:
    """Another library that does the same work.

    Attributes:
        name: as on docs/performance.md; ``limit: ...`` for what the hardware could do at best.
        work: the call; its result is compared with ours.
        needs: the module without which it is skipped, by name.
    """

    name: str
    work: Work
    needs: str = "numpy"


@dataclass(frozen=True)
class Row:
    """A row of docs/performance.md.

    Attributes:
        what: the work, with sizes, since only equal ones may be compared.
        equal: which parts of the results must be equal, in words; empty beside a limit.
        agree: whether our result and a peer's are equal in that.
        remark: what a reader must know to judge the ratio.
    """

    what: str
    equal: str = ""
    agree: Callable[[Any, Any], bool] = lambda ours, theirs: True
    remark: str = ""


def record(what: str, ours: list[float], peers: dict[str, list[float]]) -> dict[str, Any]:
    """The record for benchmarks/performance.py: the seconds of each round, ours and each peer's, in the same order."""
    return {"what": what, "ours": ours, "peers": peers}


def side_by_side(benchmark: Any, row: Row, ours: Work, peers: list[Peer], rounds: int = 5) -> None:
    """Check that results agree, in a round that does not count; then time ours and every peer once per round.

    Args:
        benchmark: pytest-benchmark's fixture.
        row: what is compared.
        ours: our call.
        peers: those that lack their module are recorded as skipped.
        rounds: number of rounds that count.

    Raises:
        AssertionError: a peer's result differs from ours, so their times cannot be compared.
    """
    here = [peer for peer in peers if find_spec(peer.needs)]
    skipped = {peer.name: f"{peer.needs} is not installed" for peer in peers if peer not in here}
    mine = ours()
    for peer in here:
        theirs = peer.work()
        assert row.agree(mine, theirs), f"{row.what}: ours {mine}, {peer.name} {theirs}"
    took: dict[str, list[float]] = {peer.name: [] for peer in here}
    our_s: list[float] = []

    def timed(work: Work, into: list[float]) -> None:
        began = time.perf_counter()
        work()
        into.append(time.perf_counter() - began)

    def others() -> None:
        for peer in here:
            timed(peer.work, took[peer.name])

    benchmark.pedantic(lambda: timed(ours, our_s), setup=others, rounds=rounds)
    benchmark.extra_info.update(
        record(row.what, our_s, took), equal=row.equal, remark=row.remark, skipped=skipped, rounds=rounds
    )
    for name, reason in skipped.items():
        print(f"\n{row.what}: {name} skipped, {reason}")
