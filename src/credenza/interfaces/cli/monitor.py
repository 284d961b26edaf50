"""``credenza monitor``: how a dataset stands now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import open_workspace, use_case
from credenza.interfaces.cli.terminal import Screen, count, plain
from credenza.interfaces.documents import monitor_document

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from credenza.gate.monitor import SourceState, Standing

NEAREST = 10
SUBGROUP_CHARACTERS = 40


@use_case("monitor", examples=("credenza monitor flights",))
@click.argument("dataset")
def command(home: Path | None, dataset: str) -> Answer:
    """Show how DATASET stands: campaigns, false alarms so far, lanes, sources, backlog.

    A source's nearness is its distance from its own past over the distance at which it
    alarms alone; 100 % is an alarm. Charts are those whose textbook limit it exceeds, and
    by how many times; the source lane speaks when it also goes further than sources
    usually do. Rows and leverage are its shares of the window, the share beside a subgroup
    is of all rows with that value. False alarms are campaigns that reviewers cleared.
    """
    with open_workspace(home) as workspace, workspace.at_one_moment():
        return _standing(workspace.monitor(dataset))


def _standing(found: Standing) -> Answer:
    return Answer(*monitor_document(found), lambda screen: _show(screen, found))


def _show(screen: Screen, found: Standing) -> None:
    standing = ", ".join(f"{number} {name}" for name, number in found.campaigns.items())
    backlog = ", ".join(f"{number} {name}" for name, number in found.backlog.items())
    screen.fields(
        [
            ("dataset", found.dataset),
            ("newest window", found.window),
            ("judged", count(found.judged, "window")),
            ("vouched for", f"{count(found.vouched, 'window')}, admitted without judging"),
            ("campaigns", standing),
            ("false alarms", f"{found.false_rate:.2%} of judged windows so far"),
            ("accepted", f"{found.accepted_rate:.2%} by the policy"),
            ("backlog", backlog),
        ]
    )
    screen.table(
        ("lane", "batches now", "ever"),
        [(rule, now, ever) for rule, (now, ever) in found.lanes.items()],
    )
    _show_sources(screen, found.sources[:NEAREST])
    if len(found.sources) > NEAREST:
        screen.line(f"and {count(len(found.sources) - NEAREST, 'source')} further from alarm")
    if found.cycle is not None:
        length, likeness = found.cycle
        screen.line(
            f"sources repeat themselves after {length} windows (likeness {likeness:.2f}): "
            f"consider [window] cycles = [{length}] in the policy"
        )
    for warning in found.dominance:
        screen.line(f"warning: {warning}")


def _show_sources(screen: Screen, sources: Sequence[SourceState]) -> None:
    """How near to an alarm, on which charts, on watch, of what weight: each of few columns."""
    screen.table(
        ("source", "nearness", "units", "furthest in"),
        [(s.source, f"{s.nearness:.0%}", f"{s.deviation:+.1f}", s.statistic) for s in sources],
    )
    beyond = [(one.source, _charts(one)) for one in sources if one.charts]
    watched = [(one.source, one.watched_since) for one in sources if one.watched_since]
    for told, rows in (("charts", beyond), ("on watch since", watched)):
        if rows:
            screen.table(("source", told), rows)
    screen.table(
        ("source", "rows", "leverage", "share", "of the subgroup it sends most of"),
        [_weight(one) for one in sources],
    )


def _charts(one: SourceState) -> str:
    return ", ".join(f"{chart} {ratio:.1f}" for chart, ratio in sorted(one.charts.items()))


def _weight(one: SourceState) -> tuple[str, ...]:
    share = f"{one.of_subgroup:.0%}" if one.subgroup else ""
    subgroup = plain(one.subgroup, limit=SUBGROUP_CHARACTERS)
    return one.source, f"{one.rows:.1%}", f"{one.leverage:.1%}", share, subgroup
