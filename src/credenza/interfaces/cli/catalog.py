"""``credenza catalog``: the index and the parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.terminal import Screen, count

if TYPE_CHECKING:
    from pathlib import Path


@family("catalog")
def command() -> None:
    """The index over the ledger, and the parts that scans and gates are made of."""


@command.use_case("rebuild", examples=("credenza catalog rebuild",))
def rebuild(home: Path | None) -> Answer:
    """Drop the SQL index and make it again from the ledger, which is the truth."""
    with open_workspace(home) as workspace:
        entries = workspace.log.rebuild_catalog()

    def show(screen: Screen) -> None:
        screen.line(f"rebuilt from {count(entries, 'ledger entry', 'ledger entries')}")

    return Answer("credenza.rebuild/1", {"entries": entries}, show)


@command.use_case("parts", at_home=False, examples=("credenza catalog parts",))
def parts() -> Answer:
    """List the detectors, attacks, intakes and other parts by kind.

    Detectors of other installed packages are named with the package that brings them.
    """
    from credenza.workspace.parts import installed  # noqa: PLC0415 - help stays light

    found = installed()

    def show(screen: Screen) -> None:
        for kind, rows in found.items():
            screen.line(kind, style="bold")
            screen.fields([(f"  {name}", summary or "-") for name, summary in rows])

    body = {
        kind: [{"name": name, "summary": summary} for name, summary in rows]
        for kind, rows in found.items()
    }
    return Answer("credenza.parts/1", {"parts": body}, show)


@command.use_case(
    "check", at_home=False, judges=True, examples=("credenza catalog check duplicates",)
)
@click.argument("detector")
def check(detector: str) -> Answer:
    """Try whether a detector keeps what all detectors promise.

    It is asked about made-up rows that hold a flood, a trigger and flipped labels, and
    about odd ones: none, one, all missing. Exits with 1 when a promise is broken.
    """
    from credenza.testing import DETECTOR_PROMISES, broken_promises  # noqa: PLC0415 - help stays light
    from credenza.workspace import guests  # noqa: PLC0415 - as above

    known = guests.detectors()
    known.make(detector)  # refused before anything is promised in its name
    broken = broken_promises(lambda: known.make(detector))

    def show(screen: Screen) -> None:
        for promise in DETECTOR_PROMISES:
            screen.line(f"{'BROKEN' if promise in broken else 'kept  '}  {promise}")
            if promise in broken:
                screen.line(f"        {broken[promise]}")

    body = {
        "detector": detector,
        "package": known.brought_by(detector),
        "promises": [
            {"promise": one, "kept": one not in broken, "why": broken.get(one, "")}
            for one in DETECTOR_PROMISES
        ],
    }
    return Answer("credenza.check/1", body, show, 1 if broken else 0)
