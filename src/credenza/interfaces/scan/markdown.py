"""A scan as Markdown, for a pull request or a ticket."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from credenza.interfaces.cli.terminal import plain
from credenza.interfaces.scan.text import headline, reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from credenza.scanning.result import ScanResult

MAX_LINES = 50
_MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>:@/=])")


def render(result: ScanResult) -> str:
    """The result as one Markdown text; no value of the data can become markup or a link."""
    return "\n".join(_lines(result)) + "\n"


def safe(value: object) -> str:
    """``value`` as one line in which nothing is markup: entities first, then backslashes."""
    return _MARKS.sub(r"\\\1", html.escape(plain(value, limit=2_000), quote=False))


def _lines(result: ScanResult) -> Iterator[str]:
    yield f"# credenza scan: {safe(result.name)}"
    yield ""
    yield f"**{safe(headline(result))}**"
    if result.findings:
        yield from ("", "## Found", "")
        yield from _table(
            ("detector", "about", "rows", "p", "what"),
            [
                (one.detector, one.unit.value, len(one.rows), f"{one.p_value:.1g}", one.sentence)
                for one in result.findings
            ],
        )
    if result.sources:
        yield from ("", "## Sources", "")
        yield from _table(
            ("source", "rows", "flagged", "95 % interval", "p", "named"),
            [
                (
                    one.source,
                    one.rows,
                    one.flagged,
                    f"{one.low:.2%} to {one.high:.2%}",
                    f"{one.p_value:.2g}",
                    "yes" if one.is_named else "",
                )
                for one in result.sources
            ],
        )
    if result.silences:
        yield from ("", "## Not assessed", "")
        yield from (f"- {safe(one.detector)}: {safe(one.reason)}" for one in result.silences)
    yield from ("", "## How it was read", "")
    yield from (f"- {safe(line)}" for line in reading(result))


def _table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(headers)} |"
    yield f"|{' --- |' * len(headers)}"
    for row in rows[:MAX_LINES]:
        yield f"| {' | '.join(safe(cell) for cell in row)} |"
    if len(rows) > MAX_LINES:
        yield f"| and {len(rows) - MAX_LINES} more {'| ' * (len(headers) - 1)}|"
