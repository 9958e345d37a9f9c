"""``python -m flythrough.rules STAGE`` prints the table of its rules in docs/STAGE.md."""

from __future__ import annotations

import sys

from .table import markdown_table, sections

for found in sections(sys.argv[1]):
    print(markdown_table(found))
