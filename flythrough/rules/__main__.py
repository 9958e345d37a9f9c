"""``python -m flythrough.rules STAGE`` prints the table of its rules in docs/STAGE.md."""

from __future__ import annotations

import argparse

from ..workspace.stage import STAGES
from .table import markdown_table, sections

parser = argparse.ArgumentParser("python -m flythrough.rules", description="Print the table of a stage's rules.")
parser.add_argument("stage", choices=STAGES)
for found in sections(parser.parse_args().stage):
    print(markdown_table(found))
