"""``credenza monitor``: how a dataset stands now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import open_workspace, use_case
from credenza.interfaces.cli.terminal import Screen, count
from credenza.interfaces.documents import monitor_document

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.gate.monitor import SourceState, Standing

NEAREST = 10


@use_case("monitor", examples=("credenza monitor flights",))
@click.argument("dataset")
def command(home: Path | None, dataset: str) -> Answer:
    """Show how DATASET stands: campaigns, false alarms so far, lanes, sources, backlog.

    A source's nearness is its distance from its own past over the distance at which it
    alarms alone; 100 % is an alarm. Charts are those whose textbook limit it exceeds, and
    by how many times; the source lane speaks when it also goes further than sources
    usually do. False alarms are campaigns that reviewers cleared.
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
    screen.table(
        (
            *("source", "nearness", "furthest in", "units"),
            *("charts", "rows", "leverage", "on watch since"),
        ),
        [_source_row(one) for one in found.sources[:NEAREST]],
    )
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


def _source_row(one: SourceState) -> tuple[str, ...]:
    return (
        one.source,
        f"{one.nearness:.0%}",
        one.statistic,
        f"{one.deviation:+.1f}",
        ", ".join(f"{chart} {ratio:.1f}" for chart, ratio in sorted(one.charts.items())),
        f"{one.rows:.1%}",
        f"{one.leverage:.1%}",
        one.watched_since,
    )
