"""Where a private key is, in one word: a file, an environment variable, a token."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from credenza.core.errors import NotFoundError
from credenza.provenance.keys import SigningKey, key_from_pem, key_from_seed, load_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PASSPHRASE_VARIABLE = "CREDENZA_PASSPHRASE"  # noqa: S105 - the name of a variable
PIN_VARIABLE = "CREDENZA_PIN"
MODULE_VARIABLE = "PKCS11_MODULE_PATH"

_SEED_DIGITS = 64


def key_of(reference: str | Path) -> SigningKey:
    """The private key that a reference names.

    Args:
        reference: a file (its passphrase, if it has one, in ``$CREDENZA_PASSPHRASE``);
            ``env:NAME``, a variable that holds PEM or the 64 hex digits of a seed; or
            ``pkcs11:token=…;object=…?module-path=…`` (the PIN in ``$CREDENZA_PIN``).

    Raises:
        NotFoundError: there is nothing of that name.
        UsageError: it is no Ed25519 key, or cannot be opened.
    """
    text = str(reference)
    opened = _SCHEMES.get(text.partition(":")[0], _from_file)
    return opened(text)


def passphrase() -> str | None:
    """What key files are encrypted with, from ``$CREDENZA_PASSPHRASE``; None when it is not set."""
    return os.environ.get(PASSPHRASE_VARIABLE)


def _from_file(path: str) -> SigningKey:
    return load_key(Path(path), passphrase=passphrase())


def _from_environment(reference: str) -> SigningKey:
    name = reference.removeprefix("env:")
    text = os.environ.get(name, "").strip()
    if not text:
        raise NotFoundError(
            "no-such-key",
            f"the environment has no key in ${name}",
            why="the variable is not set, or holds something else",
            fix=f"put PEM, or the 64 hex digits of a seed, into ${name}",
        )
    if len(text) == _SEED_DIGITS and set(text) <= set("0123456789abcdefABCDEF"):
        return key_from_seed(bytes.fromhex(text))
    return key_from_pem(text.encode("utf-8"), f"${name}", passphrase=passphrase())


def _from_token(uri: str) -> SigningKey:
    from credenza.provenance.keys_token import token_key  # noqa: PLC0415 - an extra

    return token_key(uri, pin=os.environ.get(PIN_VARIABLE), module=os.environ.get(MODULE_VARIABLE))


_SCHEMES: Mapping[str, Callable[[str], SigningKey]] = {
    "env": _from_environment,
    "pkcs11": _from_token,
}
