"""What a witness says: as of this second, this is the largest tree of that log I have seen.

Source:
    c2sp.org/tlog-cosignature, the Ed25519 type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.errors import UntrustedError
from credenza.store.ledger.note import (
    COSIGNATURE,
    Verifier,
    key_id,
    signature_line,
    signature_of,
    split_note,
    verify_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

TIME_BYTES = 8
SIGNATURE_BYTES = 64


def cosign(text: str, name: str, private_key: Ed25519PrivateKey, time_s: int) -> str:
    """The signature line of a witness under a checkpoint.

    Args:
        text: the checkpoint's text, without its signatures.
        name: of the witness.
        private_key: its Ed25519 key, used for nothing else.
        time_s: seconds since the epoch.
    """
    identity = key_id(name, private_key.public_key(), COSIGNATURE)
    signature = private_key.sign(_message(text, time_s))
    return signature_line(name, identity, time_s.to_bytes(TIME_BYTES, "big") + signature)


def cosigned_at(note: bytes, witnesses: Mapping[str, Verifier]) -> dict[str, int]:
    """When each of the known witnesses cosigned a checkpoint, by name.

    Lines of unknown keys are ignored; a bad line of a known one refuses the note, since
    somebody tampered with it.

    Args:
        note: a checkpoint with all its signatures.
        witnesses: the known ones, by whatever names the caller has for them.

    Returns:
        Seconds since the epoch, by those names; only of those that cosigned.

    Raises:
        UntrustedError: malformed, or a known witness's line does not verify.
    """
    text, lines = split_note(note)
    found = {}
    for name, witness in witnesses.items():
        signature = signature_of(lines, witness)
        if signature is None:
            continue
        if len(signature) != TIME_BYTES + SIGNATURE_BYTES:
            raise UntrustedError(
                "bad-note",
                "a checkpoint was refused",
                why=f"the cosignature of {witness.name} has {len(signature)} bytes, not 72",
                fix="fetch it again",
            )
        time_s = int.from_bytes(signature[:TIME_BYTES], "big")
        verify_bytes(signature[TIME_BYTES:], _message(text, time_s), witness)
        found[name] = time_s
    return found


def _message(text: str, time_s: int) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()
