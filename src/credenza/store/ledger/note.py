"""Signed notes: a text and the keys that vouch for its exact bytes.

Source:
    c2sp.org/signed-note. Narrower in one way: the only keys are Ed25519, which sign
    notes (type 0x01) or cosign checkpoints (type 0x04, see ``cosignature``).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from credenza.core.errors import UntrustedError, UsageError
from credenza.core.keys import check_public_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NOTE_BYTES_MAX = 64 * 2**10
SIGNATURES_MAX = 64
KEY_ID_BYTES = 4
ED25519 = b"\x01"
COSIGNATURE = b"\x04"

_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_SIGNATURE_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class Verifier(NamedTuple):
    """A key that is known by name.

    Attributes:
        name: of the log or the witness, as it stands in the note.
        public_key: Ed25519.
        kind: ``ED25519`` for a log, ``COSIGNATURE`` for a witness.
    """

    name: str
    public_key: Ed25519PublicKey
    kind: bytes = ED25519


class SignatureLine(NamedTuple):
    """One line under a note: whose it claims to be, and what is left to verify."""

    name: str
    key_id: bytes
    signature: bytes


def key_id(name: str, public_key: Ed25519PublicKey, kind: bytes = ED25519) -> bytes:
    """Four bytes that tell keys apart; no proof of anything."""
    material = public_key.public_bytes_raw()
    return hashlib.sha256(name.encode() + b"\n" + kind + material).digest()[:4]


def write_vkey(verifier: Verifier) -> str:
    """The key on one line, as C2SP writes it: ``name+id+key``."""
    material = verifier.kind + verifier.public_key.public_bytes_raw()
    identity = key_id(*verifier).hex()
    return f"{verifier.name}+{identity}+{base64.b64encode(material).decode()}"


def read_vkey(text: str, kind: bytes) -> Verifier:
    """The key on a line that ``write_vkey`` or another C2SP tool wrote.

    Raises:
        UsageError: malformed, of another kind, or its parts do not fit.
    """
    name, identity, material = ([*text.split("+", 2), "", ""])[:3]
    try:
        key = strict_base64(material)
        if not _NAME.fullmatch(name) or key[:1] != kind:
            raise _refused(f"it does not name a key of type {kind.hex()}")
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(check_public_key(key[1:].hex())))
        if key_id(name, public, kind).hex() != identity:
            raise _refused("its id does not fit name and key")
    except UntrustedError as wrong:
        raise UsageError(
            "bad-vkey",
            f"{text[:100]!a} is not a verifier key",
            why=wrong.why,
            fix="copy the whole line: name, plus sign, 8 hex digits, plus sign, base64",
        ) from wrong
    return Verifier(name, public, kind)


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
        raise UsageError(
            "bad-note",
            "a note is lines of text without control characters",
            why="c2sp.org/signed-note says so",
            fix="leave control characters out",
        )
    body = text.encode()
    identity = key_id(name, private_key.public_key())
    return body + f"\n{signature_line(name, identity, private_key.sign(body))}".encode()


def open_note(note: bytes, name: str, public_key: Ed25519PublicKey) -> str:
    """The text, if this key signed exactly these bytes under this name.

    Signatures by other keys are ignored, as cosignatures must be; a bad or repeated
    signature by this key refuses the whole note.

    Raises:
        UntrustedError: malformed, or not signed by the key.
    """
    text, lines = split_note(note)
    signature = signature_of(lines, Verifier(name, public_key))
    if signature is None:
        raise _refused(f"it bears no signature of the expected key of {name}")
    verify_bytes(signature, text.encode(), Verifier(name, public_key))
    return text


def signature_of(lines: Iterable[str], verifier: Verifier) -> bytes | None:
    """The one signature line of a key, not yet verified; None when it has none.

    Raises:
        UntrustedError: any line is malformed, or the key has several.
    """
    wanted = (verifier.name, key_id(*verifier))
    found = [line.signature for line in map(_parse_line, lines) if line[:2] == wanted]
    if len(found) > 1:
        raise _refused(f"it bears {len(found)} signatures of one key of {verifier.name}, not one")
    return found[0] if found else None


def verify_bytes(signature: bytes, message: bytes, verifier: Verifier) -> None:
    """Pass only if the key signed exactly these bytes.

    Raises:
        UntrustedError: it did not.
    """
    try:
        verifier.public_key.verify(signature, message)
    except InvalidSignature as wrong:
        raise _refused(f"the signature of {verifier.name} does not fit the text") from wrong


def signature_line(name: str, identity: bytes, signature: bytes) -> str:
    """One line under a note, newline included."""
    return f"— {name} {base64.b64encode(identity + signature).decode()}\n"


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


def _parse_line(line: str) -> SignatureLine:
    matched = _SIGNATURE_LINE.fullmatch(line)
    if matched is None:
        raise _refused("a signature line is malformed")
    held = strict_base64(matched[2])
    if len(held) <= KEY_ID_BYTES:
        raise _refused("a signature is empty")
    return SignatureLine(matched[1], held[:KEY_ID_BYTES], held[KEY_ID_BYTES:])


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
