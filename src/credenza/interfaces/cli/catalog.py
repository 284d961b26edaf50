"""``credenza catalog``: the index and the parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.terminal import Screen, count

if TYPE_CHECKING:
    from pathlib import Path


@family("catalog")
def command() -> None:
    """The index over the ledger, and the parts the gate is made of."""


@command.use_case("rebuild", examples=("credenza catalog rebuild",))
def rebuild(home: Path | None) -> Answer:
    """Drop the SQL index and make it again from the ledger, which is the truth."""
    with open_workspace(home) as workspace:
        entries = workspace.log.rebuild_catalog()

    def show(screen: Screen) -> None:
        screen.line(f"rebuilt from {count(entries, 'ledger entry', 'ledger entries')}")

    return Answer("credenza.rebuild/1", {"entries": entries}, show)


@command.use_case("parts", examples=("credenza catalog parts",))
def parts(home: Path | None) -> Answer:
    """List the detectors, attacks, intakes and other parts by kind."""
    with open_workspace(home) as workspace:
        found = workspace.parts()

    def show(screen: Screen) -> None:
        for kind, rows in found.items():
            screen.line(kind, style="bold")
            screen.fields([(f"  {name}", summary or "-") for name, summary in rows])

    body = {
        kind: [{"name": name, "summary": summary} for name, summary in rows]
        for kind, rows in found.items()
    }
    return Answer("credenza.parts/1", {"parts": body}, show)
