"""``credenza governance``: who may do what, and with how many others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.terminal import Screen, count

if TYPE_CHECKING:
    from credenza.workspace.governance import Standing

UNGOVERNED = "not governed: one person may do everything"
BROKEN_EXIT = 3


@family("governance")
def command() -> None:
    """Rules in Cedar say who may do what, and what takes two people."""


@command.use_case("show", examples=("credenza governance show", "credenza governance show --rules"))
@click.option("--rules", is_flag=True, help="Show the text of the rules as well.")
def show_governance(home: Path | None, *, rules: bool) -> Answer:
    """Show who may ask for what, how many others must approve it, and who may."""
    with open_workspace(home) as workspace:
        return _standing(workspace.governance.standing(), rules=rules)


@command.use_case("start", examples=("credenza governance start",))
def start(home: Path | None) -> Answer:
    """Begin to govern: from here on every act needs the word of a member, and many of two.

    Refused while the members could not change members or rules, or release anything:
    a workspace must not be locked for good. There is no way back.
    """
    with open_workspace(home) as workspace:
        return _standing(workspace.governance.start(), rules=False)


@command.use_case("adopt", governed=True, examples=("credenza governance adopt",))
@click.argument("path", required=False, type=click.Path(dir_okay=False, path_type=Path))
def adopt(home: Path | None, path: Path | None) -> Answer:
    """Put other rules in force: PATH, or the workspace's governance.cedar as you edited it."""
    with open_workspace(home) as workspace:
        return _standing(workspace.governance.adopt_rules(path), rules=False)


@command.use_case("audit", judges=True, examples=("credenza governance audit",))
def audit(home: Path | None) -> Answer:
    """Recompute from the ledger whether everything was allowed when it was done.

    Reads no index: signatures, members and rules are those of the ledger at each entry.
    Exits with 3 when something was done that nobody was allowed to do.
    """
    with open_workspace(home) as workspace:
        found = workspace.governance.audit()

    def show(screen: Screen) -> None:
        if found.governed_from is None:
            screen.line(UNGOVERNED)
        else:
            screen.line(f"governed since entry {found.governed_from}")
        for problem in found.problems:
            screen.line(problem)
        screen.line(f"{count(found.entries, 'act')}, {count(len(found.problems), 'problem')}")

    return Answer(
        "credenza.governance-audit/1",
        {"audit": jsonable(found)},
        show,
        BROKEN_EXIT if found.problems else 0,
    )


def _standing(standing: Standing, *, rules: bool) -> Answer:
    def show(screen: Screen) -> None:
        screen.line("governed" if standing.is_governed else UNGOVERNED)
        screen.line(count(len(standing.members), "member"))
        if standing.members:
            screen.table(
                ("action", "who may ask", "approvals", "who may approve"),
                [
                    (action, name, str(needed), " ".join(others) if needed else "")
                    for action, rows in standing.able.items()
                    for name, needed, others in rows
                ],
            )
        for name in standing.drafts:
            screen.line(f"{name} differs from what is in force: a draft until it is adopted")
        if rules:
            for line in standing.rules.splitlines():
                screen.line(line)

    return Answer("credenza.governance/1", {"governance": jsonable(standing)}, show)
