"""A scan on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.types import Role
from credenza.interfaces.cli.terminal import count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from credenza.interfaces.cli.terminal import Screen
    from credenza.scanning.result import ScanResult

MAX_FINDINGS = 12
MAX_SOURCES = 8
MAX_ROWS = 8


def headline(result: ScanResult) -> str:
    """The outcome in one sentence, from the tables."""
    rows, flagged = result.rows.num_rows, int(result.flagged.sum())
    if not result.heard and not flagged:
        return f"Nothing could be assessed in {count(rows, 'row')}."
    if not flagged and not result.findings:
        asked = f"at a false discovery rate of {result.fdr:g}"
        return f"Nothing was found in {count(rows, 'row')}, {asked}."
    named = sum(source.is_named for source in result.sources)
    said = f"{flagged:,} of {count(rows, 'row')} should stay out"
    said += f", {count(len(result.findings), 'finding')}"
    return said + (f", {count(named, 'source')} named." if named else ".")


def show(result: ScanResult, screen: Screen) -> None:
    """What was found, by whom, in which rows; then what was not looked at."""
    screen.line(headline(result), style="bold red" if result.exit_code == 1 else "bold")
    screen.line()
    if result.findings:
        screen.line("found", style="bold")
        for finding in result.findings[:MAX_FINDINGS]:
            about = f"{finding.unit.value}, {count(len(finding.rows), 'row')}"
            screen.line(f"  {finding.sentence}")
            screen.line(f"    {finding.detector}, {about}, p = {finding.p_value:.1g}")
        _rest(screen, len(result.findings) - MAX_FINDINGS, "finding")
        screen.line()
    _sources(result, screen)
    _rows(result, screen)
    screen.line("how it was read", style="bold")
    for line in reading(result):
        screen.line(f"  {line}")
    if result.silences:
        screen.line()
        screen.line("not assessed", style="bold")
        for silence in result.silences:
            screen.line(f"  {silence.detector}: {silence.reason}")


def reading(result: ScanResult) -> Iterable[str]:
    """Columns by role, what was guessed, and who was asked."""
    by_role: dict[Role, list[str]] = {}
    for name, role in result.roles.items():
        by_role.setdefault(role, []).append(name)
    for role in Role:
        names = by_role.get(role, [])
        if names:
            more = f" and {len(names) - 12} more" if len(names) > 12 else ""
            yield f"{role.value}: {', '.join(names[:12])}{more}"
    yield from result.notices
    yield f"asked: {', '.join(sorted(result.heard)) or 'nobody could answer'}"
    if result.trusted:
        yield f"compared with {count(result.trusted, 'trusted row')}"


def _sources(result: ScanResult, screen: Screen) -> None:
    if not result.sources:
        return
    screen.line("sources", style="bold")
    screen.table(
        ("source", "rows", "flagged", "share", "95 % interval", "p", ""),
        [
            (
                one.source,
                f"{one.rows:,}",
                f"{one.flagged:,}",
                f"{one.flagged / max(one.rows, 1):.2%}",
                f"{one.low:.2%} to {one.high:.2%}",
                f"{one.p_value:.2g}",
                "named" if one.is_named else "",
            )
            for one in result.sources[:MAX_SOURCES]
        ],
    )
    _rest(screen, len(result.sources) - MAX_SOURCES, "source")
    screen.line()


def _rows(result: ScanResult, screen: Screen) -> None:
    flagged = result.rows.filter(result.rows.column("flagged"))
    if not flagged.num_rows:
        return
    worst = flagged.sort_by([("score", "descending")]).slice(0, MAX_ROWS).to_pylist()
    screen.line("rows to look at first", style="bold")
    screen.table(
        ("row", "id", "source", "score", "reason"),
        [
            (
                row["row"],
                row["id"] or "",
                row["source"] or "",
                "" if row["score"] is None else f"{row['score']:.3g}",
                row["reasons"][0] if row["reasons"] else "",
            )
            for row in worst
        ],
    )
    _rest(screen, flagged.num_rows - MAX_ROWS, "row")
    screen.line()


def _rest(screen: Screen, more: int, noun: str) -> None:
    if more > 0:
        screen.line(f"  and {count(more, noun)} more")
