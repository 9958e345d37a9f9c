"""Citations of the methods on the leaderboard, and of the papers whose tables it shows."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from itertools import chain, count

from flythrough.results.schema import Result

from ..reported import Paper, ReportedTable
from .tables import latex_text

_ARXIV = re.compile(r"(?<!\d)(\d{4}\.\d{5})(?!\d)")


def as_bibtex(results: Iterable[Result], reported: Iterable[ReportedTable]) -> str:
    """One entry per paper, then one for each method that states a citation."""
    papers = {table.source.key: table.source for table in reversed(tuple(reported))}
    known = {paper.arxiv for paper in papers.values()}
    entries = {key: _paper(paper) for key, paper in sorted(papers.items())}
    cited: set[str] = set()
    for result in results:
        name, stated = result.method.name, result.method.model_extra or {}
        citation = str(stated.get("citation") or "")
        if citation and name not in cited and not known & set(_ARXIV.findall(citation)):
            cited.add(name)  # once, also if it was measured on several protocols
            key = _free_key(name, entries)
            entries[key] = _method(key, name, str(stated.get("about") or ""), citation)
    return "\n".join(entries.values())


def _free_key(name: str, taken: Container[str]) -> str:
    """A key made from a method's name; numbered if another name, such as ``a.b`` beside ``a-b``, already has it."""
    key = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-") or "method"
    return next(each for each in chain([key], (f"{key}-{number}" for number in count(2))) if each not in taken)


def _paper(paper: Paper) -> str:
    fields = {
        "title": f"{{{latex_text(paper.title)}}}",
        "author": " and ".join(latex_text(name) for name in paper.authors),
        "year": str(paper.year),
        "eprint": paper.arxiv,
        "archiveprefix": "arXiv",
        "url": f"https://arxiv.org/abs/{paper.arxiv}",
    }
    if paper.venue:
        fields["booktitle"] = latex_text(paper.venue)
    return _entry("inproceedings" if paper.venue else "misc", paper.key, fields)


def _method(key: str, name: str, about: str, citation: str) -> str:
    fields = {"title": f"{{{latex_text(name)}}}"}
    if about:
        fields["note"] = latex_text(about)
    if re.fullmatch(r"https?://[^\s{}\\%#]+", citation):
        fields["url"] = citation
    else:
        fields["howpublished"] = latex_text(citation)
    return _entry("misc", key, fields)


def _entry(kind: str, key: str, fields: dict[str, str]) -> str:
    return f"@{kind}{{{key},\n" + "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items()) + "}\n"
