"""Public keys: Ed25519 points in one spelling each, named by their SHA-256.

Keys with which anyone could sign (points of small order) and second spellings of a
point are refused wherever a key enters, so that counting names counts key holders.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from credenza.core.canonical import sha256_hex
from credenza.core.errors import UntrustedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_HEX_KEY = re.compile(r"[0-9a-f]{64}\Z")
_PRIME = 2**255 - 19
# Heights of the curve's points of order 1, 2, 4 and 8: under such a key one signature
# fits many messages, so whoever registered it could deny everything.
_SMALL_ORDER = frozenset(
    {
        0,
        1,
        _PRIME - 1,
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        55188659117513257062467267217118295137698188065244968500265048394206261417927,
    }
)


def check_public_key(public: str) -> str:
    """``public`` itself, if it is one Ed25519 key that only its holder can sign with.

    Raises:
        UntrustedError: ``bad-key``.
    """
    why = f"it is not 64 lower-case hex digits but {public[:70]!a}"
    if _HEX_KEY.match(public):
        height = int.from_bytes(bytes.fromhex(public), "little") % 2**255
        if height < _PRIME and height not in _SMALL_ORDER:
            return public
        why = "it is a point that anyone can sign for, or a second spelling of one"
    raise UntrustedError(
        "bad-key",
        "this is not an Ed25519 public key that can be trusted",
        why=why,
        fix="make one with `credenza key new`",
    )


def keyid_of(public: str) -> str:
    """The one name of a key: SHA-256 of its raw bytes, so one key cannot have two names.

    Raises:
        UntrustedError: ``bad-key``.
    """
    return sha256_hex(bytes.fromhex(check_public_key(public)))


def public_hex(private_key: Ed25519PrivateKey) -> str:
    """The public half of a key as 64 hex digits."""
    return private_key.public_key().public_bytes_raw().hex()
