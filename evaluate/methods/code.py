"""A hash of a method's own files, so that a changed script is another method, wherever it lies."""

from __future__ import annotations

from pathlib import Path

from flythrough.workspace.files import sha256_of

from .registry import Spec, token_of


def code_hashes(spec: Spec) -> dict[str, str]:
    """SHA-256 of the files that a spec's command names, and of the Python files beside the spec, by name.

    Of an instance given from Python, what tells it from others.
    """
    if token := token_of(spec):
        return {"instance": token}
    if spec.folder is None:
        return {}
    folder = Path(spec.folder)
    named = [folder / part for part in spec.command or () if "{" not in part and (folder / part).is_file()]
    found = {f"{index} {file.name}": sha256_of(file) for index, file in enumerate(named)}
    return found | {file.name: sha256_of(file) for file in sorted(folder.glob("*.py")) if file.is_file()}
