"""``credenza witness``: a second pair of eyes on somebody's ledger."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family
from credenza.interfaces.cli.key import REFERENCE
from credenza.interfaces.cli.terminal import Screen


@family("witness")
def command() -> None:
    """Cosign the ledgers of others, so that nobody can be shown another history."""


@command.use_case(
    "vkey", at_home=False, examples=("credenza witness vkey --name eyes.example/w1 --key w1.key",)
)
@click.option("--name", required=True, help="The witness's name, as it stands in cosignatures.")
@click.option("--key", required=True, metavar="KEY", help=f"{REFERENCE} Used for nothing else.")
def vkey(name: str, key: str) -> Answer:
    """Print the witness's public key on one line, for trust policies."""
    from credenza.store.ledger.note import COSIGNATURE, Verifier, write_vkey  # noqa: PLC0415
    from credenza.workspace.keys import key_of  # noqa: PLC0415 - help stays light

    line = write_vkey(Verifier(name, key_of(key).private.public_key(), COSIGNATURE))

    def show(screen: Screen) -> None:
        screen.line(line)

    return Answer("credenza.vkey/1", {"vkey": line}, show)


@command.use_case(
    "serve",
    at_home=False,
    examples=(
        (
            "credenza witness serve --name eyes.example/w1 --key w1.key --log LOG_VKEY "
            "--state w1 --stop-after 1"
        ),
    ),
)
@click.option("--name", required=True, help="The witness's name, as it stands in cosignatures.")
@click.option("--key", required=True, metavar="KEY", help=f"{REFERENCE} Used for nothing else.")
@click.option(
    "--log",
    "logs",
    multiple=True,
    required=True,
    metavar="VKEY",
    help="A log to watch over: what its operator's `log vkey` prints. Several may be given.",
)
@click.option(
    "--state",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Its memory. A witness that forgets is none: keep it.",
)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=0, show_default="a free one", type=click.IntRange(0, 65535))
@click.option("--stop-after", "stop_after_s", type=float, help="Serve for so many seconds only.")
def serve(  # noqa: PLR0917 - click passes each option by its name
    name: str,
    key: str,
    logs: tuple[str, ...],
    state: Path,
    host: str,
    port: int,
    stop_after_s: float | None,
) -> Answer:
    """Answer add-checkpoint of C2SP tlog-witness until interrupted.

    Plain HTTP: put a TLS proxy before it when it is not on loopback.
    """
    import contextlib  # noqa: PLC0415 - help stays light
    import threading  # noqa: PLC0415

    from credenza.interfaces.web import WitnessServer  # noqa: PLC0415
    from credenza.store.ledger.note import ED25519, read_vkey  # noqa: PLC0415
    from credenza.store.ledger.witness import Witness  # noqa: PLC0415
    from credenza.workspace.keys import key_of  # noqa: PLC0415

    known = {log.name: log for log in (read_vkey(line, ED25519) for line in logs)}
    witness = Witness(state, name, key_of(key).private, known)
    with WitnessServer((host, port), witness.add_checkpoint) as server:
        url = server.url
        Screen(sys.stderr).line(f"witness {name} listens on {url}")
        if stop_after_s is not None:
            stopping = threading.Timer(stop_after_s, server.shutdown)
            stopping.daemon = True
            stopping.start()
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever(poll_interval=0.2)
    sizes = {origin: head.size if (head := witness.latest(origin)) else 0 for origin in known}

    def show(screen: Screen) -> None:
        screen.fields([(origin, f"{size} entries cosigned") for origin, size in sizes.items()])

    return Answer("credenza.witness/1", {"url": url, "sizes": sizes}, show)
