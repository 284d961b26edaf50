"""The options by which a command line says what is under suspicion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.core.spans import Spans
    from credenza.response.suspicion import Suspicion

F = TypeVar("F", bound="Callable[..., Any]")

_OPTIONS = (
    click.option("--source", "sources", multiple=True, help="A sender. May be repeated."),
    click.option("--key", "keys", multiple=True, help="A sender's public key, 64 hex digits."),
    click.option("--batch", "batches", multiple=True, help="A batch, by its first digits."),
    click.option(
        "--row",
        "rows",
        type=(str, str),
        multiple=True,
        metavar="BATCH ROWS",
        help="Rows of a batch, such as 0-99,120; counted from 0.",
    ),
    click.option("--detector", "detectors", multiple=True, help="What its findings are about."),
    click.option("--since", default="", metavar="DATE", help="Windows that begin on or after it."),
    click.option("--until", default="", metavar="DATE", help="Windows that begin before it."),
)


def suspicion_options(function: F) -> F:
    """Add them, and the dataset, to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return click.argument("dataset")(function)


def suspicion_of(told: dict[str, Any]) -> Suspicion:
    """Take the options out of a command's parameters.

    Raises:
        UsageError: rows are no ranges.
    """
    from credenza.core.spans import united  # noqa: PLC0415 - help stays light
    from credenza.response.suspicion import Suspicion  # noqa: PLC0415

    rows: dict[str, Spans] = {}
    for batch, text in told.pop("rows"):
        rows[batch] = united([*rows.get(batch, ()), *row_ranges(text)])
    names = ("dataset", "batches", "sources", "keys", "detectors", "since", "until")
    return Suspicion(rows=rows, **{name: told.pop(name) for name in names})


def row_ranges(text: str) -> list[tuple[int, int]]:
    """Such as 0-99,120, both ends counted."""
    found = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            raise UsageError(
                "bad-rows",
                f"{text[:60]!r} are no rows",
                why="rows are whole numbers from 0 and ranges of them",
                fix="like 0-99,120",
            )
        found.append((int(first), int(last or first) + 1))
    return found
