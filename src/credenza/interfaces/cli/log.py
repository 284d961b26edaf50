"""``credenza log``: the ledger, checked and proved."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

import click

from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.key import public_key
from credenza.interfaces.cli.terminal import Screen, count, instant

INTEGRITY_EXIT = 3
HELD_EXIT = 4

_policy = click.option(
    "--policy",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A C2SP trust policy: demand that its quorum of witnesses has cosigned.",
)


@family("log")
def command() -> None:
    """The ledger: a transparency log of everything that was decided."""


@command.use_case("audit", judges=True, examples=("credenza log audit",))
def audit(home: Path | None) -> Answer:
    """Check every entry, every proof, the checkpoint and the content behind them.

    Exits with 3 when anything does not fit.
    """
    with open_workspace(home) as workspace:
        found = workspace.log.audit()

    def show(screen: Screen) -> None:
        state = "consistent" if not found.problems else count(len(found.problems), "problem")
        screen.line(f"{count(found.entries, 'entry', 'entries')}, {state}")
        screen.fields([("root", found.root), *(("problem", text) for text in found.problems)])

    return Answer(
        "credenza.audit/1",
        {"audit": jsonable(found)},
        show,
        INTEGRITY_EXIT if found.problems else 0,
    )


@command.use_case("prove", examples=("credenza log prove 0 --out entry-0.tlog-proof",))
@click.argument("index", type=click.IntRange(min=0))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the proof to a file instead of the screen.",
)
def prove(home: Path | None, index: int, out: Path | None) -> Answer:
    """Prove offline that entry INDEX is in the log: a C2SP .tlog-proof."""
    with open_workspace(home) as workspace:
        proof = workspace.log.prove(index)
        key = workspace.public_key
    if out is not None:
        out.write_text(proof, encoding="utf-8")

    def show(screen: Screen) -> None:
        if out is None:
            for line in proof.splitlines():
                screen.line(line)
        else:
            screen.line(f"wrote {out}; verify it with: credenza log verify {out} --trust {key}")

    return Answer("credenza.proof/1", {"index": index, "proof": proof, "public_key": key}, show)


@command.use_case(
    "verify",
    at_home=False,
    judges=True,
    examples=("credenza log verify entry-0.tlog-proof --trust KEY",),
)
@click.argument("proof", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--trust", "trusted", required=True, metavar="KEY", help="Public key of the log: hex or file."
)
@_policy
def verify(proof: Path, trusted: str, policy: Path | None) -> Answer:
    """Check a proof offline: no workspace, no network. Exits with 3 when it fails."""
    from credenza.workspace.log import check_proof  # noqa: PLC0415 - help stays light

    entry = check_proof(
        proof.read_text(encoding="utf-8"), trust=public_key(trusted), policy=_text_of(policy)
    )

    def show(screen: Screen) -> None:
        screen.line("verified")
        screen.fields([("entry", entry.index), ("kind", entry.kind), ("digest", entry.digest)])

    return Answer("credenza.proof-verified/1", {"verified": True, "entry": jsonable(entry)}, show)


@command.use_case("vkey", examples=("credenza log vkey",))
def vkey(home: Path | None) -> Answer:
    """Print the ledger's name and key on one line, for witnesses and trust policies."""
    with open_workspace(home) as workspace:
        line = workspace.log.vkey()

    def show(screen: Screen) -> None:
        screen.line(line)

    return Answer("credenza.vkey/1", {"vkey": line}, show)


@command.use_case("cosign", judges=True, examples=("credenza log cosign --policy trust.txt",))
@click.option(
    "--policy",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A C2SP trust policy that says where each witness listens.",
)
def cosign(home: Path | None, policy: Path) -> Answer:
    """Show the latest checkpoint to the witnesses, and keep what they sign.

    Exits with 4 when fewer than the quorum signed. Proofs made from then on carry the
    cosignatures.
    """
    from credenza.interfaces.web import post  # noqa: PLC0415 - help stays light

    with open_workspace(home) as workspace:
        found = workspace.log.cosign(policy.read_text(encoding="utf-8"), post)

    def show(screen: Screen) -> None:
        state = "a quorum has signed" if found.met else "no quorum"
        screen.line(f"{count(found.size, 'entry', 'entries')}: {state}")
        screen.fields(
            [
                *((name, f"signed at {time_s}") for name, time_s in found.signed.items()),
                *((name, f"did not sign: {why}") for name, why in found.refusals.items()),
            ]
        )

    return Answer(
        "credenza.cosigning/1",
        {"cosigning": jsonable(found)},
        show,
        0 if found.met else HELD_EXIT,
    )


@command.use_case(
    "stamp",
    judges=True,
    examples=("credenza log stamp --tsa http://tsa.example/tsr --out stamps",),
)
@click.option("--tsa", required=True, metavar="URL", help="An RFC 3161 time-stamping authority.")
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="SIZE.checkpoint and SIZE.tsr are written there.",
)
def stamp(home: Path | None, tsa: str, out: Path) -> Answer:
    """Have an authority stamp the latest checkpoint: a clock that is not the operator's.

    The authority sees a digest. Exits with 4 when there is no answer; nothing waits for
    it, so run it from cron.
    """
    from credenza.interfaces.web import post  # noqa: PLC0415 - help stays light
    from credenza.store.ledger.stamp import check_answer  # noqa: PLC0415

    with open_workspace(home) as workspace:
        checkpoint, request = workspace.log.stamp_request()
        size = workspace.log.ledger.size
    status, answer = post(tsa, request, "application/timestamp-query")
    stamped = status == HTTPStatus.OK
    if stamped:
        check_answer(request, answer)
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{size}.checkpoint").write_bytes(checkpoint)
        (out / f"{size}.tsr").write_bytes(answer)
    why = "" if stamped else answer[:200].decode("utf-8", "replace")

    def show(screen: Screen) -> None:
        state = "stamped" if stamped else f"no stamp: {status or why}"
        screen.line(f"{count(size, 'entry', 'entries')}: {state}")

    body = {"size": size, "stamped": stamped, "why": why}
    return Answer("credenza.stamping/1", body, show, 0 if stamped else HELD_EXIT)


@command.use_case(
    "verify-stamp",
    at_home=False,
    judges=True,
    examples=("credenza log verify-stamp stamps/7.tsr --trust KEY --tsa tsa.pem",),
)
@click.argument("stamp", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--trust", "trusted", required=True, metavar="KEY", help="Public key of the log: hex or file."
)
@click.option(
    "--tsa",
    "authorities",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificates of the authority, PEM, its root among them.",
)
def verify_stamp(stamp: Path, trusted: str, authorities: Path) -> Answer:
    """Check offline by when the log had the checkpoint beside STAMP. Exits with 3 if not."""
    from credenza.workspace.home import read_file  # noqa: PLC0415 - help stays light
    from credenza.workspace.log import check_stamp  # noqa: PLC0415

    found = check_stamp(
        read_file(stamp),
        read_file(stamp.with_suffix(".checkpoint")),
        trust=public_key(trusted),
        authorities=read_file(authorities),
    )

    def show(screen: Screen) -> None:
        screen.line(f"{count(found.size, 'entry', 'entries')} by {instant(found.by_s)}")
        screen.fields([("root", found.root), ("authority", found.authority)])

    return Answer("credenza.stamp/1", {"stamp": jsonable(found)}, show)


@command.use_case(
    "monitor",
    at_home=False,
    judges=True,
    examples=("credenza log monitor .credenza/ledger --trust KEY --state eyes",),
)
@click.argument("ledger")
@click.option(
    "--trust", "trusted", required=True, metavar="KEY", help="Public key of the log: hex or file."
)
@click.option(
    "--state",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="What it saw the last time, and the evidence of every alarm.",
)
@click.option(
    "--receipt",
    "receipts",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A receipt that the log must honour. Several may be given.",
)
@_policy
def monitor(
    ledger: str, trusted: str, state: Path, receipts: tuple[Path, ...], policy: Path | None
) -> Answer:
    """Compare LEDGER, a directory or a URL, with what it was the last time.

    Exits with 3 on a fork, a rollback, an altered file, a broken promise, an entry
    that is dated back, or a missing quorum; run it from cron, far from the operator.
    """
    from credenza.interfaces.watch import look  # noqa: PLC0415 - help stays light

    found = look(
        ledger,
        public_key(trusted),
        state,
        receipts=[path.read_bytes() for path in receipts],
        policy=_text_of(policy),
    )

    def show(screen: Screen) -> None:
        state = count(len(found.alarms), "alarm") if found.alarms else "as it should be"
        screen.line(f"{count(found.size, 'entry', 'entries')}, {found.read} new: {state}")
        screen.fields([(alarm.kind, alarm.sentence) for alarm in found.alarms])

    return Answer(
        "credenza.monitor/1",
        {"size": found.size, "read": found.read, "alarms": jsonable(found.alarms)},
        show,
        INTEGRITY_EXIT if found.alarms else 0,
    )


def _text_of(policy: Path | None) -> str | None:
    return None if policy is None else policy.read_text(encoding="utf-8")
