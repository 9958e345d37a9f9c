"""Results of one protocol by several scoring versions: never ranked together, because their hashes differ."""

from __future__ import annotations

from collections.abc import Iterable

from .schema import Result


def version_notes(results: Iterable[Result]) -> dict[str, str]:
    """A sentence, with the remedy, for each protocol (by name) that has results of several scoring versions."""
    found: dict[str, dict[int, set[str]]] = {}
    for result in results:
        versions = found.setdefault(result.protocol.name, {})
        versions.setdefault(result.protocol.scoring_version, set()).add(result.method.name)
    return {name: _note(name, versions) for name, versions in sorted(found.items()) if len(versions) > 1}


def _note(name: str, versions: dict[int, set[str]]) -> str:
    newest = max(versions)
    older = [f"{version} ({_some(sorted(versions[version]))})" for version in sorted(versions) if version < newest]
    return (
        f"{name} has results of scoring version {' and '.join(older)} beside those of version {newest}. They are not "
        "ranked together; to bring the older ones up to date, fly and score those methods again: flythrough evaluate"
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
