"""``credenza key``: signing keys of sources."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from credenza.core.errors import ConflictError, UsageError
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family

if TYPE_CHECKING:
    from credenza.interfaces.cli.terminal import Screen

HEX_DIGITS = 64
REFERENCE = "Private key: a file, env:NAME, or pkcs11:token=…;object=…?module-path=…"
_MAX_KEY_FILE_BYTES = 4_096

signing = click.option(
    "--as",
    "key",
    required=True,
    metavar="KEY",
    help="Your private key: FILE, env:NAME or pkcs11:….",
)
"""With whose key a person signs an approval."""


@family("key")
def command() -> None:
    """Signing keys: Ed25519, one file private, one public."""


@command.use_case("new", at_home=False, examples=("credenza key new acme.key",))
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--encrypt", is_flag=True, help="With the passphrase in $CREDENZA_PASSPHRASE, or one you type."
)
def new(path: Path, *, encrypt: bool) -> Answer:
    """Make a key pair: PATH is the private key, PATH.pub the public one.

    Hand the public key to whoever runs the gate; the private one stays with the
    sender and is never overwritten. An encrypted key is used with its passphrase in
    $CREDENZA_PASSPHRASE.
    """
    from credenza.workspace import Workspace  # noqa: PLC0415 - help stays light
    from credenza.workspace.keys import passphrase  # noqa: PLC0415

    public_path = path.with_name(path.name + ".pub")
    if public_path.exists():
        raise ConflictError(
            "key-exists",
            f"{public_path} exists already",
            why="a key that is overwritten is lost",
            fix="choose another name, or move the old key away",
        )
    secret = None
    if encrypt:
        secret = passphrase() or click.prompt(
            "Passphrase", hide_input=True, confirmation_prompt=True, err=True
        )
    public = Workspace.new_key(path, secret)
    public_path.write_text(public + "\n", encoding="ascii")

    def show(screen: Screen) -> None:
        screen.fields(
            [
                ("private", path),
                ("public", public_path),
                ("key", public),
                ("next", f"credenza source add NAME --key {public_path}"),
            ]
        )

    return Answer(
        "credenza.key/1",
        {"private": str(path), "public": str(public_path), "public_key": public},
        show,
    )


def public_key(text: str) -> str:
    """A public key given as 64 hex digits or as a file that holds them.

    Raises:
        UsageError: it is neither.
    """
    if _is_key(text):
        return text.lower()
    path = Path(text)
    if path.is_file() and path.stat().st_size <= _MAX_KEY_FILE_BYTES:
        held = path.read_text(encoding="utf-8", errors="replace").strip()
        if _is_key(held):
            return held.lower()
    raise UsageError(
        "not-a-key",
        f"{text!r} is not a public key",
        why="a public key is 64 hex digits, or a file that holds them",
        fix="`credenza key new NAME.key` writes NAME.key.pub",
    )


def _is_key(text: str) -> bool:
    return len(text) == HEX_DIGITS and all(digit in "0123456789abcdefABCDEF" for digit in text)
