"""``credenza metrics``: how well the gate does, counted from the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import open_workspace, use_case
from credenza.interfaces.cli.terminal import Screen, count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.response.metrics import Alarms, Metrics, Share, Times


@use_case(
    "metrics",
    examples=(
        "credenza metrics",
        "credenza metrics --dataset flights --improve --lineage",
        "credenza metrics --prometheus credenza.prom",
    ),
)
@click.option("--dataset", help="Of this dataset only.")
@click.option("--improve", is_flag=True, help="Add settings that decisions speak for.")
@click.option("--lineage", is_flag=True, help="Count rows that lead back to their sender, too.")
@click.option("--days", default=30, show_default=True, help="Decisions to learn from.")
@click.option(
    "--prometheus",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the figures there, too, for Prometheus.",
)
def command(  # noqa: PLR0917 - click gives each option its place
    home: Path | None,
    dataset: str | None,
    improve: bool,
    lineage: bool,
    days: int,
    prometheus: Path | None,
) -> Answer:
    """False alarms, times to detect, contain and recover, backlog, lineage.

    Shares come with their numbers and a 95 % interval. With --improve and a dataset, the
    report ends with settings that reviewers' decisions speak for, and their replay.
    """
    from credenza.response.prometheus import prometheus as text_of  # noqa: PLC0415 - help stays light

    with open_workspace(home) as workspace:
        found = workspace.oversight.metrics(dataset, lineage=lineage)
        proposal = workspace.policies.propose(dataset, days=days) if improve and dataset else None
    if prometheus is not None:
        prometheus.write_text(text_of(found), encoding="ascii")

    def show(screen: Screen) -> None:
        _show(screen, found)
        if proposal is not None:
            for change in proposal.changes:
                screen.line(f"propose {change.key}: {change.before} -> {change.after}")
                screen.line(f"  {change.why}")
            replay = proposal.replay
            screen.line(
                f"{count(len(proposal.changes), 'change')} proposed, none adopted; of "
                f"{replay.batches} batches {replay.released} would pass that were stopped "
                f"({replay.released_rejected} of them rejected by a reviewer), and "
                f"{replay.stopped} would be stopped"
            )

    body = {"metrics": _body(found), "proposal": jsonable(proposal)}
    return Answer("credenza.metrics/1", body, show)


def _show(screen: Screen, found: Metrics) -> None:
    screen.fields(
        [
            ("alarms that a reviewer admitted", _share(found.all.false)),
            ("honest batches that were stopped", _share(found.all.cost)),
            ("suspects' labels confirmed blindly", _share(found.blind)),
            ("time to detect", _times(found.detect)),
            ("time to containment", _times(found.contain)),
            ("time to recovery", _times(found.recover)),
            ("rows whose origin is proved", _share(found.lineage)),
        ]
    )
    groups = {
        "rule": found.by_rule,
        "detector": found.by_detector,
        "source": found.by_source,
        "window": found.by_window,
    }
    for title, group in groups.items():
        _table(screen, title, group)
    for queue in found.queues:
        over = f"; OVER ITS LIMIT: {queue.over}" if queue.over else ""
        screen.line(
            f"queue {queue.name}: {count(queue.batches, 'batch', 'batches')}, oldest waits "
            f"{_span(queue.oldest_s)}{over}"
        )


def _table(screen: Screen, title: str, group: Mapping[str, Alarms]) -> None:
    rows = [
        (name, _share(one.false), _share(one.cost))
        for name, one in group.items()
        if one.false.n or one.cost.k
    ]
    if rows:
        screen.table((title, "alarms admitted", "honest stopped"), rows)


def _share(share: Share) -> str:
    if not share.n:
        return "no cases"
    return f"{share.k} of {share.n} ({share.low:.0%} to {share.high:.0%})"


def _times(times: Times) -> str:
    if times.median is None:
        return f"no cases{f', {times.open} open' if times.open else ''}"
    return (
        f"median {_span(times.median)}, longest {_span(times.longest or 0)} of "
        f"{len(times.known)}{f', {times.open} open' if times.open else ''}"
    )


def _span(seconds: int) -> str:
    from credenza.response.postmortem import span  # noqa: PLC0415 - help stays light

    return span(seconds)


def _body(found: Metrics) -> object:
    """The figures with what is computed from them."""

    def shares(one: Alarms) -> dict[str, object]:
        return {"false": _numbers(one.false), "cost": _numbers(one.cost)}

    body = jsonable(found)
    groups = ("by_source", "by_rule", "by_detector", "by_window")
    extra: dict[str, object] = {"all": shares(found.all)}
    for name in groups:
        extra[name] = {key: shares(one) for key, one in getattr(found, name).items()}
    for name in ("blind", "lineage"):
        extra[name] = _numbers(getattr(found, name))
    return {**body, **extra} if isinstance(body, dict) else extra


def _numbers(share: Share) -> dict[str, object]:
    return {"k": share.k, "n": share.n, "low": share.low, "high": share.high}
