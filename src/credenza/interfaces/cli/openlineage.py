"""``credenza openlineage``: what happened, for lineage tools."""

from __future__ import annotations

from pathlib import Path

import click

from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import open_workspace, use_case
from credenza.interfaces.cli.terminal import Screen, count

POST_TIMEOUT_S = 5


@use_case(
    "openlineage",
    examples=(
        "credenza openlineage --out events.jsonl",
        "credenza openlineage --since 10 --out later.jsonl",
    ),
)
@click.option("--since", default=0, show_default=True, metavar="ENTRY", help="First ledger entry.")
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write."
)
@click.option(
    "--post",
    "url",
    metavar="URL",
    help="Send each event there as well; the first failure ends it, and is only said.",
)
def command(home: Path | None, since: int, out: Path, url: str | None) -> Answer:
    """Tell submissions, verdicts and versions as OpenLineage events, one on each line.

    The workspace keeps the same in its openlineage.jsonl. A release is told by
    `credenza release export --format openlineage`.
    """
    with open_workspace(home) as workspace:
        events = list(workspace.lineage.told(since))
    out.write_bytes(b"".join(event for _, event in events))
    sent, status = _send(url, [event for _, event in events]) if url else (0, None)

    def show(screen: Screen) -> None:
        screen.line(f"wrote {out}: {count(len(events), 'event')}")
        if url:
            screen.line(f"{url} took {sent} of them, and answered {status or 'nothing'} last")

    following = events[-1][0] + 1 if events else since
    return Answer(
        "credenza.openlineage/1",
        {"out": str(out), "events": len(events), "next": following, "posted": sent},
        show,
    )


def _send(url: str, events: list[bytes]) -> tuple[int, int | None]:
    """How many were taken before one was not, and the last status."""
    from credenza.interfaces.web import post  # noqa: PLC0415 - help stays light

    status: int | None = None
    for sent, event in enumerate(events):
        status = post(url, event, "application/json", POST_TIMEOUT_S)[0]
        if not 200 <= status < 300:
            return sent, status
    return len(events), status
