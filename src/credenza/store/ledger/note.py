"""Signed notes: a text and the keys that vouch for its exact bytes.

Source:
    c2sp.org/signed-note. Narrower in one way: only Ed25519 (type 0x01) is known.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature

from credenza.core.errors import UntrustedError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

NOTE_BYTES_MAX = 64 * 2**10
SIGNATURES_MAX = 64
ED25519 = b"\x01"

_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_SIGNATURE_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


def key_id(name: str, public_key: Ed25519PublicKey) -> bytes:
    """Four bytes that tell keys apart; no proof of anything."""
    material = public_key.public_bytes_raw()
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + material).digest()[:4]


def sign_note(text: str, name: str, private_key: Ed25519PrivateKey) -> bytes:
    """The note: text, blank line, one signature line.

    Args:
        text: ends with a newline and has no other control characters.
        name: of the key; no spaces, no plus sign.
        private_key: Ed25519.

    Raises:
        UsageError: text or name would make a note that nobody may accept.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            "bad-origin",
            f"{name!r} cannot name a ledger",
            why="the name is empty, or has a space, a plus sign or a control character",
            fix="use a URL without its scheme, such as example.com/ledger",
        )
    if not text.endswith("\n") or _CONTROL.search(text):
        raise UsageError("bad-note", "a note is lines of text without control characters")
    body = text.encode()
    signature = key_id(name, private_key.public_key()) + private_key.sign(body)
    return body + f"\n— {name} {base64.b64encode(signature).decode()}\n".encode()


def open_note(note: bytes, name: str, public_key: Ed25519PublicKey) -> str:
    """The text, if this key signed exactly these bytes under this name.

    Signatures by other keys are ignored, as cosignatures must be; a bad or repeated
    signature by this key refuses the whole note.

    Raises:
        UntrustedError: malformed, or not signed by the key.
    """
    text, lines = split_note(note)
    wanted = key_id(name, public_key)
    verified = 0
    for line in lines:
        matched = _SIGNATURE_LINE.fullmatch(line)
        if matched is None:
            raise _refused("a signature line is malformed")
        signature = strict_base64(matched[2])
        if len(signature) <= len(wanted):
            raise _refused("a signature is empty")
        if (matched[1], signature[:4]) != (name, wanted):
            continue
        try:
            public_key.verify(signature[4:], text.encode())
        except InvalidSignature as wrong:
            raise _refused(f"the signature of {name} does not fit the text") from wrong
        verified += 1
    if verified != 1:
        raise _refused(f"it bears {verified} signatures of the expected key of {name}, not one")
    return text


def split_note(note: bytes) -> tuple[str, list[str]]:
    """Text and signature lines, without looking at the signatures.

    Raises:
        UntrustedError: too long, not UTF-8, control characters, or no blank line.
    """
    if len(note) > NOTE_BYTES_MAX:
        raise _refused(f"{len(note)} bytes, more than {NOTE_BYTES_MAX}")
    try:
        whole = note.decode("utf-8", errors="strict")
    except UnicodeDecodeError as wrong:
        raise _refused("not UTF-8") from wrong
    if _CONTROL.search(whole):
        raise _refused("it has control characters")
    text, blank, signatures = whole.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        raise _refused("no signature lines after a blank line")
    lines = signatures[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise _refused(f"more than {SIGNATURES_MAX} signatures")
    return text + "\n", lines


def strict_base64(text: str) -> bytes:
    """Decode base64 that has exactly one spelling.

    Raises:
        UntrustedError: another alphabet, padding, or stray trailing bits.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as wrong:
        raise _refused("a field is not base64") from wrong
    if base64.b64encode(data).decode() != text:
        raise _refused("a field is not canonical base64")
    return data


def _refused(why: str) -> UntrustedError:
    return UntrustedError(
        "bad-note",
        "a signed note was refused",
        why=why,
        fix="fetch it again, and check that the key is the ledger's",
    )
