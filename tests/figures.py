"""The numbers of README and docs, and the records in docs/data/pages that say where each comes from.

    python -m tests.figures                  # how many numbers are of which kind, page by page
    python -m tests.figures docs/fly.md      # after a new measurement: the page's numbers into its record

A record has its page's ``blocks`` with numbers (paragraphs, items, tables by row, fences without a language), in order,
and the ``sources`` they come ``from``. A source has a ``command`` that measured it, a ``test`` that compares the page
with another JSON file or with the code, a ``citation``, or says that there is ``no_command``; ``stated`` is the day and
the commit from which the page has had its figures. "NAME = 5" is a number of the source NAME, or the default of the
setting or constant NAME. What only describes (an example's size, a count of things listed) is "said". Left out are
code, addresses, names such as H.264, and numbers written as words.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Container, Iterator
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FILES = (ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("tutorials/*.md")))
PAGES = tuple(file.relative_to(ROOT).as_posix() for file in FILES)
SAID = "said"
LEFT_OUT = re.compile(r"<!--.*?-->|`[^`\n]*`|\]\([^)]*\)|https?://\S+", re.DOTALL)
COMMAND = re.compile(r"\$ |flythrough |pip |python |make |mkdir |npm |ray |\$?FFMPEG")
NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.])(?<![A-Za-z]-)(?:(?<![^\s(\[|/])[-+])?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?!\d*\.\d)"
)
STARTS_PART = re.compile(r"\s*(?:- |\d+\. |#+ |\|)")

# By how a block begins, and by how a row does ("" in a paragraph).
Blocks: TypeAlias = dict[str, dict[str, list[float]]]
Named: TypeAlias = dict[str, dict[str, list["float | str"]]]  # the same, some as "NAME = 5"


class Record:
    """What docs/data/pages says about a page."""

    def __init__(self, page: str) -> None:
        name = page.removeprefix("docs/").removesuffix(".md").replace("/", "_")
        self.file = DOCS / "data" / "pages" / f"{name}.json"
        found = json.loads(self.file.read_text(encoding="utf-8")) if self.file.exists() else {}
        self.sources: dict[str, dict[str, str]] = found.get("sources", {})
        self.origins: dict[str, str] = {block["begins"]: block["from"] for block in found.get("blocks", [])}
        self.named: Named = {block["begins"]: block["numbers"] for block in found.get("blocks", [])}

    @property
    def blocks(self) -> Blocks:
        """The numbers alone, as ``blocks_of`` finds them on the page."""
        return {begins: {row: [split(each)[1] for each in numbers] for row, numbers in rows.items()}
                for begins, rows in self.named.items()}  # fmt: skip

    def numbers(self) -> Iterator[tuple[str, float]]:
        """The name of each number's source or setting, and the number."""
        for begins, rows in self.named.items():
            for each in (each for numbers in rows.values() for each in numbers):
                name, number = split(each)
                yield name or self.origins[begins], number

    def kinds(self) -> Counter[str]:
        """How many numbers are measured by a command, compared by a test, settings, and so on."""
        of = {name: next(iter(source)) for name, source in self.sources.items()} | {SAID: SAID}
        return Counter(of.get(name, "setting") for name, _ in self.numbers())

    def update(self, found: Blocks) -> None:
        """Take the page's numbers. A row of as many numbers as before keeps their names; a new block has no source."""
        known, origins, blocks = self.named, self.origins, self.blocks
        reworded = {repr([*rows.values()]): begins for begins, rows in blocks.items() if begins not in found}
        self.named, self.origins = {}, {}
        for begins, rows in found.items():
            old = begins if begins in known else reworded.get(repr([[float(n) for n in r] for r in rows.values()]), "")
            named = dict(zip(rows, known[old].values(), strict=True)) if old not in ("", begins) else known.get(old, {})
            self.named[begins] = {row: _with_names(numbers, named.get(row, [])) for row, numbers in rows.items()}
            self.origins[begins] = origins.get(old, "")

    def write(self) -> None:
        """A line for each source, block and row, so that a difference shows what changed."""
        sources = [f"  {_line(name)}: {_line(source)}" for name, source in self.sources.items()]
        blocks = [f'  {{"begins": {_line(begins)}, "from": {_line(self.origins[begins])}, "numbers": {{\n'
                  + ",\n".join(f"    {_line(row)}: {_line(numbers)}" for row, numbers in rows.items()) + "}}"
                  for begins, rows in self.named.items()]  # fmt: skip
        text = '{\n "sources": {\n' + ",\n".join(sources) + '\n },\n "blocks": [\n' + ",\n".join(blocks) + "\n ]\n}\n"
        self.file.write_text(text, encoding="utf-8")


def _with_names(numbers: list[float], before: list[float | str]) -> list[float | str]:
    names = [split(each)[0] for each in before] if len(before) == len(numbers) else [""] * len(numbers)
    return [f"{name} = {number}" if name else number for name, number in zip(names, numbers, strict=True)]


def split(number: float | str) -> tuple[str, float]:
    """The name that a number in a record has of its own, or "", and the number."""
    name, _, text = number.rpartition(" = ") if isinstance(number, str) else ("", "", number)
    return name, float(text)


def blocks_of(text: str) -> Blocks:
    """The parts of a page that have numbers, in order."""
    found: Blocks = {}
    for lines in _parts(text):
        rows: dict[str, list[float]] = {}
        table = lines[0].startswith("|")
        for line in lines if table else ["\n".join(lines)]:
            if tokens := NUMBER.findall(re.sub(r"^\s*\d+\. ", "", line)):
                name = _unique(_begins(line.strip("| ").split(" | ")[0]) if table else "", rows)
                rows[name] = [_number(each) for each in tokens]
        if rows:
            found[_unique(_begins(lines[0]), found)] = rows
    return found


def _parts(text: str) -> Iterator[list[str]]:
    """Paragraphs, list items, headings, tables and fences without a language, as lines, without commands."""
    part: list[str] = []
    fence = ""
    for given in [*text.splitlines(), ""]:
        line = given
        if line.startswith("```"):
            fence, line = ("" if fence else line), ""
        elif (fence and (fence != "```" or COMMAND.match(line))) or (not fence and line.startswith("    ")):
            line = ""
        in_table = line.startswith("|") and bool(part) and part[0].startswith("|")
        if part and (not line or (not fence and STARTS_PART.match(line) and not in_table)):
            if lines := [each for each in LEFT_OUT.sub("]", "\n".join(part)).splitlines() if each.strip()]:
                yield lines
            part = []
        if line:
            part.append(line)


def _begins(line: str) -> str:
    """A line's first words with # for a number, so that another number leaves them."""
    return re.sub(r"[\d,.]*\d", "#", line.strip("| "))[:60].strip()


def _unique(name: str, taken: Container[str]) -> str:
    return next(each for n in range(1, 1000) if (each := name if n == 1 else f"{name} ({n})") not in taken)


def _number(token: str) -> float:
    value = float(token.replace(",", ""))
    return int(value) if value.is_integer() else value


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def main(pages: list[str]) -> None:
    for page in pages:
        record = Record(page)
        record.update(blocks_of((ROOT / page).read_text(encoding="utf-8")))
        record.write()
        print(*(f"{page}: name a source of: {begins}" for begins, name in record.origins.items() if not name), sep="\n")
    if not pages:
        kinds = {page: Record(page).kinds() for page in PAGES}
        for page, counted in [*kinds.items(), ("all", sum(kinds.values(), Counter[str]()))]:
            print(f"{page}: {', '.join(f'{count} {kind}' for kind, count in counted.most_common()) or 'none'}")


if __name__ == "__main__":
    main(sys.argv[1:])
