"""Rows of a table as JSON text, made column by column: encoding a million dicts takes several times as long."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from ..catalog import Workspace
from ..files import key_text

if TYPE_CHECKING:
    import pyarrow as pa

_PLAIN_LACKS = r"[^ !#-\[\]-~]"  # what JSON's ASCII text writes in another way


def row_texts(
    workspace: Workspace, table: str, columns: Collection[str], apart: Sequence[str]
) -> Iterator[tuple[str, ...]]:
    """Each row of a table as JSON text, in constant memory.

    Args:
        workspace: with the table; without it, nothing is yielded.
        table: its name.
        columns: of the text.
        apart: columns of strings to read besides.

    Returns:
        For each row, its ``columns`` as :func:`~flythrough.workspace.files.key_text` writes them, and each of those
        ``apart``, null as the empty string.

    Raises:
        InputError: the file is not this table.
    """
    import pyarrow.compute as pc

    names = sorted(columns)
    starts = [f'{"," if place else "{"}"{name}":' for place, name in enumerate(names)]
    for batch in workspace.batches(table, sorted({*columns, *apart})):
        pieces = [piece for start, name in zip(starts, names, strict=True) for piece in (start, _texts(batch[name]))]
        texts = pc.binary_join_element_wise(*pieces, "}", "")
        yield from zip(texts.to_pylist(), *(_strings(batch[name]) for name in apart), strict=True)


def _strings(column: pa.Array) -> list[str]:
    if column.null_count == len(column):
        return [""] * len(column)
    found: list[str] = column.fill_null("").to_pylist()
    return found


def _texts(column: pa.Array) -> pa.Array:
    """Every value of a column as :func:`key_text` writes it."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as kinds

    if kinds.is_integer(column.type) or kinds.is_boolean(column.type):
        return column.cast(pa.string()).fill_null("null")
    if kinds.is_string(column.type) and not pc.any(pc.match_substring_regex(column, _PLAIN_LACKS)).as_py():
        return pc.binary_join_element_wise('"', column, '"', "").fill_null("null")
    return pa.array(map(key_text, column.to_pylist()), pa.string())
