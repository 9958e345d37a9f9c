"""``flythrough leaderboard publish``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flythrough.cli.options import WorkspaceOption

if TYPE_CHECKING:
    from .plan import Target


def publish(
    workspace: WorkspaceOption = Path("workspace"),
    to: Annotated[Path | None, typer.Option("--to", help="A folder.")] = None,
    git: Annotated[
        tuple[str, str] | None, typer.Option("--git", metavar="REMOTE BRANCH", help="A branch, such as gh-pages.")
    ] = None,
    huggingface: Annotated[
        str | None, typer.Option("--huggingface", metavar="OWNER/NAME", help="A static Space on the Hub.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Publish; without this, only show what would change.")] = False,
) -> None:
    """Publish the site that flythrough leaderboard built; by default only print what would change."""
    from flythrough.cli.tools import existing

    from .plan import make_plan

    source = existing(workspace).root / "leaderboard"
    with ExitStack() as stack:
        target = _target(stack, to, git, huggingface)
        plan = make_plan(source, target)
        for line in plan.lines():
            print(line)
        print(plan.summary)
        if plan.empty:
            print("Nothing to do")
        elif yes:
            print(f"Published: {target.write(source, plan)}")
        else:
            print("Dry run, nothing was written. Publish with: --yes")


def _target(stack: ExitStack, to: Path | None, git: tuple[str, str] | None, huggingface: str | None) -> Target:
    from flythrough.errors import ConfigError

    from .folder import FolderTarget
    from .git import branch_of
    from .huggingface import SpaceTarget

    if [to, git, huggingface].count(None) != 2:
        remedy = "Give --to DIR, --git REMOTE BRANCH or --huggingface OWNER/NAME"
        raise ConfigError("publish needs one place", remedy=remedy)
    if to is not None:
        return FolderTarget(to)
    if git is not None:
        return stack.enter_context(branch_of(*git))
    return SpaceTarget.of(str(huggingface))
