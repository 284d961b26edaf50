"""What the ledger signs: its name, its size and its root.

Source:
    c2sp.org/tlog-checkpoint. Narrower: extension lines are refused.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.core.canonical import MAX_INTEGER
from credenza.core.errors import UntrustedError
from credenza.store.ledger.note import open_note, sign_note, split_note, strict_base64
from credenza.store.ledger.tree import EMPTY_ROOT, HASH_BYTES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

_BODY = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head.

    Attributes:
        origin: the ledger's name.
        size: number of entries.
        root: 32 bytes.
        note: the signed bytes it was read from.
    """

    origin: str
    size: int
    root: bytes
    note: bytes


def sign_checkpoint(
    origin: str, size: int, root: bytes, private_key: Ed25519PrivateKey
) -> Checkpoint:
    """Vouch for a tree head."""
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    return Checkpoint(origin, size, root, sign_note(text, origin, private_key))


def read_checkpoint(note: bytes, origin: str, public_key: Ed25519PublicKey | None) -> Checkpoint:
    """The tree head in a signed note.

    Args:
        note: the exact bytes.
        origin: the ledger that must have made it.
        public_key: whose signature it must bear; None reads without any trust.

    Raises:
        UntrustedError: malformed, of another ledger, or not signed by the key.
    """
    text = split_note(note)[0] if public_key is None else open_note(note, origin, public_key)
    matched = _BODY.fullmatch(text)
    if matched is None:
        raise _refused("it is not origin, size and root on three lines")
    if matched[1] != origin:
        raise _refused(f"it is of {matched[1]!r}, not of {origin!r}")
    size, root = int(matched[2]), strict_base64(matched[3])
    if size > MAX_INTEGER or len(root) != HASH_BYTES:
        raise _refused("its size or root is out of range")
    if size == 0 and root != EMPTY_ROOT:
        raise _refused("it gives the empty tree another root")
    return Checkpoint(origin, size, root, note)


def _refused(why: str) -> UntrustedError:
    return UntrustedError(
        "bad-checkpoint",
        "a ledger checkpoint was refused",
        why=why,
        fix="fetch it again, and check the ledger's name and key",
    )
