"""``credenza request``: what was asked for and waits for others."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.key import signing
from credenza.interfaces.cli.terminal import Screen, count, short

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.gate.governance.requests import Asked
    from credenza.gate.governance.statements import Request


@family("request")
def command() -> None:
    """What members asked for; made by any governed command that one person may not do alone."""


@command.use_case("list", examples=("credenza request list",))
@click.option("--all", "every", is_flag=True, help="Those that are done or void, too.")
def list_requests(home: Path | None, *, every: bool) -> Answer:
    """List what waits for approval, or has it and was not done yet."""
    with open_workspace(home) as workspace:
        found = workspace.requests.all()
    shown = [one for one in found if every or one.standing in ("open", "approved")]

    def show(screen: Screen) -> None:
        screen.table(
            ("request", "action", "by", "standing", "approvals", "until"),
            [
                (
                    short(one.digest),
                    one.request.action,
                    one.requester,
                    one.standing,
                    _approvals(one),
                    one.request.expires,
                )
                for one in shown
            ],
        )
        screen.line(count(len(shown), "request"))

    return Answer("credenza.requests/1", {"requests": [jsonable(one) for one in shown]}, show)


@command.use_case("show", examples=("credenza request show REQUEST --out request.json",))
@click.argument("request")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it as it was signed, to be approved on another machine.",
)
def show_request(home: Path | None, request: str, out: Path | None) -> Answer:
    """Show exactly what REQUEST asks for, and what it still takes."""
    with open_workspace(home) as workspace:
        found = workspace.requests.show(request)
        if out is not None:
            out.write_bytes(workspace.requests.envelope(request))
    return request_answer(found)


@command.use_case(
    "sign",
    at_home=False,
    examples=("credenza request sign request.json --as bob.key --out bob.approval",),
)
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@signing
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write."
)
def sign(path: Path, key: str, out: Path) -> Answer:
    """Approve a request on the machine where your key is: no workspace is needed.

    It shows what you sign; the approval is of exactly that.
    """
    from credenza.gate.governance.statements import look_at  # noqa: PLC0415 - help stays light
    from credenza.workspace.requests import approval_of  # noqa: PLC0415

    asked = path.read_bytes()
    out.write_bytes(approval_of(asked, key, int(time.time())))
    request = look_at(asked)

    def show(screen: Screen) -> None:
        screen.fields(_told(request))
        screen.line(f"wrote {out}: take it back with `credenza request accept {out}`")

    return Answer(
        "credenza.approval-signed/1", {"request": jsonable(request), "out": str(out)}, show
    )


@command.use_case("accept", examples=("credenza request accept bob.approval",))
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
def accept(home: Path | None, path: Path) -> Answer:
    """Record an approval that was signed elsewhere."""
    with open_workspace(home) as workspace:
        return request_answer(workspace.requests.accept(path.read_bytes()))


def request_answer(asked: Asked) -> Answer:
    """One request; ``approve`` gives the same."""

    def show(screen: Screen) -> None:
        screen.fields(
            [
                ("request", asked.digest),
                ("by", asked.requester),
                ("standing", asked.standing),
                *([("void", asked.why)] if asked.why else []),
                *_told(asked.request),
            ]
        )
        judged = asked.judgement
        if judged is not None:
            screen.fields(
                [
                    ("approved by", " ".join(judged.approvers) or "nobody yet"),
                    ("takes", _approvals(asked)),
                    ("who may approve", " ".join(judged.eligible) or "nobody else"),
                    *(("does not count", why) for why in judged.void),
                    *(("rule", rule) for rule in judged.rules),
                    *(("failed rule", error) for error in judged.errors),
                ]
            )

    return Answer("credenza.request/1", {"request": jsonable(asked)}, show)


def _approvals(asked: Asked) -> str:
    judged = asked.judgement
    if judged is None:
        return ""
    return f"{len(judged.approvers)} of {'no number' if judged.needed is None else judged.needed}"


def _told(request: Request) -> Iterator[tuple[str, object]]:
    """Everything that is signed, for people."""
    yield "action", request.action
    yield from ((name, value) for name, value in request.terms.items())
    yield "ledger", f"{request.origin}, {count(request.size, 'entry', 'entries')}"
    yield "created", request.created
    yield "expires", request.expires
