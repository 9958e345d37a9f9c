"""Train, validation and test by video: from a hash of the video, so that adding videos moves none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np
from jaxtyping import UInt64

from flythrough.media.perceptual_hash import hash_words, near
from flythrough.workspace.catalog import Row

from .config import SplitsConfig

TRAIN, VALIDATION, TEST = "train", "validation", "test"


def assign_splits(
    videos: Sequence[str], twins: Sequence[Sequence[str]], given: Mapping[str, str], config: SplitsConfig
) -> dict[str, str]:
    """The split of each video that has clips.

    A video's place in [0, 1) is a hash of its id; below ``test`` it is for test, above ``1 - validation`` for
    validation, else for training. Near-duplicates (``twins``) take the place of the least id among them. With two
    groups or more, training and test are never empty: the group nearest to the missing split moves there.

    Args:
        videos: ids of videos that have clips.
        twins: groups of near-duplicate videos; may name videos without clips.
        given: splits that came with the data; they hold for the whole group.
        config: the shares.
    """
    leader = {video: video for video in videos}
    for group in twins:
        for video in group:
            leader[video] = min(group)
    place = {group: _place(group) for group in {leader[video] for video in videos}}
    splits = {group: _split_at(p, config) for group, p in place.items()}
    fixed = {leader[video]: split for video, split in sorted(given.items()) if video in leader}
    splits.update({group: split for group, split in fixed.items() if group in splits})
    free = sorted((group for group in splits if group not in fixed), key=lambda group: place[group])
    if len(splits) >= 2 and config.test > 0 and TEST not in splits.values() and free:
        splits[free[0]] = TEST
    if TRAIN not in splits.values() and free:
        splits[free[-1]] = TRAIN
    return {video: splits[leader[video]] for video in videos}


def near_duplicates(videos: Sequence[Row], max_bits: int) -> list[list[str]]:
    """Groups of videos that are linked by hashes that differ by at most ``max_bits`` of every 64 bits.

    Args:
        videos: rows of the table, with ``id`` and ``perceptual_hash``.
        max_bits: see above.

    Returns:
        Ids of each group of two or more, sorted.
    """
    hashes = {video["id"]: video["perceptual_hash"] for video in videos if video.get("perceptual_hash")}
    groups: list[list[str]] = []
    for _, ids in groupby(sorted(hashes, key=lambda id: (len(hashes[id]), id)), key=lambda id: len(hashes[id])):
        alike = list(ids)
        groups += _groups(alike, hash_words([hashes[id] for id in alike]), max_bits)
    return sorted(groups)


def _groups(ids: list[str], words: UInt64[np.ndarray, "pictures videos"], max_bits: int) -> Iterator[list[str]]:
    group_of = np.arange(len(ids))
    members = {place: [place] for place in range(len(ids))}
    for place in range(len(ids)):
        if len(members) == 1:  # all alike: nothing is left to be joined
            break
        following, _ = near(words[:, place + 1 :], words[:, place], max_bits * len(words))
        met = group_of[place + 1 + following]
        for other in np.unique(met[met != group_of[place]]).tolist():
            small, large = sorted((other, int(group_of[place])), key=lambda group: len(members[group]))
            group_of[members[small]] = large
            members[large] += members.pop(small)
    return (sorted(ids[place] for place in group) for group in members.values() if len(group) > 1)


def _place(video: str) -> float:
    return int.from_bytes(hashlib.sha256(video.encode()).digest()[:8], "big") / 2**64


def _split_at(place: float, config: SplitsConfig) -> str:
    if place < config.test:
        return TEST
    return VALIDATION if place >= 1 - config.validation else TRAIN
