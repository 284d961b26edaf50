"""``credenza log``: the ledger, checked and proved."""

from __future__ import annotations

from pathlib import Path

import click

from credenza.interfaces.cli.answer import Answer, jsonable
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.key import public_key
from credenza.interfaces.cli.terminal import Screen, count

INTEGRITY_EXIT = 3


@family("log")
def command() -> None:
    """The ledger: a transparency log of everything that was decided."""


@command.use_case("audit", judges=True, examples=("credenza log audit",))
def audit(home: Path | None) -> Answer:
    """Check every entry, every proof, the checkpoint and the content behind them.

    Exits with 3 when anything does not fit.
    """
    with open_workspace(home) as workspace:
        found = workspace.audit()

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
        proof = workspace.prove(index)
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
def verify(proof: Path, trusted: str) -> Answer:
    """Check a proof offline: no workspace, no network. Exits with 3 when it fails."""
    from credenza.workspace import Workspace  # noqa: PLC0415 - help stays light

    entry = Workspace.verify_proof(proof.read_text(encoding="utf-8"), trust=public_key(trusted))

    def show(screen: Screen) -> None:
        screen.line("verified")
        screen.fields([("entry", entry.index), ("kind", entry.kind), ("digest", entry.digest)])

    return Answer("credenza.proof-verified/1", {"verified": True, "entry": jsonable(entry)}, show)
