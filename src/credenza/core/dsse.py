"""Signed bytes: the DSSE envelope with Ed25519, one encoding per envelope.

The signatures cover the exact payload and its type, so what is verified is what is
parsed next and never a re-serialisation of it. Stricter than DSSE asks: the envelope is
canonical JSON, every signature in it must verify, each must come from different key
material, and they stand in the order of the keys' names. So nobody on the wire can
change an envelope's digest, which names things here, without a signer. Needs
``cryptography`` and nothing else, so that a training machine verifies with one
dependency.
"""

from __future__ import annotations

import base64
import binascii
import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from credenza.core.canonical import MAX_BYTES, Json, canonical_json, strict_json
from credenza.core.errors import UntrustedError, UsageError
from credenza.core.keys import keyid_of, public_hex

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_SIGNATURES = 16

_KEYID = re.compile(r"[0-9a-f]{64}\Z")
_SIGNATURE_BYTES = 64


class Signature(NamedTuple):
    """One signature as found: the key it names, and 64 bytes."""

    keyid: str
    sig: bytes


class Envelope(NamedTuple):
    """An envelope whose shape was checked and whose signatures were **not**."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]


class Signed(NamedTuple):
    """A payload every signature of which verified, and the keys that signed it."""

    payload: bytes
    keyids: tuple[str, ...]


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: both parts with their lengths, so none can run into the other.

    Source:
        DSSE v1.0.2, https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
    """
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(
    payload: bytes, keys: Iterable[Ed25519PrivateKey], *, payload_type: str = PAYLOAD_TYPE
) -> bytes:
    """An envelope over exactly these bytes, with one signature per key.

    Args:
        payload: any bytes; the envelope around them may take ``MAX_BYTES``.
        keys: 1 to ``MAX_SIGNATURES`` different keys, in any order.
        payload_type: media type of ``payload``; it is signed too.

    Returns:
        Canonical JSON; Ed25519 is deterministic, so the same call gives the same bytes.

    Raises:
        UsageError: the envelope would be larger than ``verify`` accepts.
    """
    return _sealed(Envelope(payload_type, payload, ()), keys)


def cosign(envelope: bytes, key: Ed25519PrivateKey) -> bytes:
    """The envelope with one more signature: that of another key holder, elsewhere.

    The signatures that are there are kept and **not** checked.

    Raises:
        UntrustedError: ``bad-envelope`` or ``bad-json``.
        UsageError: the envelope would be larger than ``verify`` accepts.
    """
    return _sealed(parse(envelope), [key])


def _sealed(found: Envelope, keys: Iterable[Ed25519PrivateKey]) -> bytes:
    message = pre_authentication_encoding(found.payload_type, found.payload)
    signed = [Signature(keyid_of(public_hex(key)), key.sign(message)) for key in keys]
    signatures: list[Json] = [
        {"keyid": keyid, "sig": base64.b64encode(sig).decode("ascii")}
        for keyid, sig in sorted([*found.signatures, *signed])
    ]
    envelope = canonical_json(
        {
            "payload": base64.b64encode(found.payload).decode("ascii"),
            "payloadType": found.payload_type,
            "signatures": signatures,
        }
    )
    if len(envelope) > MAX_BYTES:
        raise UsageError(
            "envelope-too-large",
            "a signed document is too large",
            why=f"{len(envelope)} bytes, more than {MAX_BYTES}",
            fix="sign less at once",
        )
    return envelope


def parse(envelope: bytes) -> Envelope:
    """Check the shape of an envelope; nothing in the result is to be believed yet.

    Raises:
        UntrustedError: ``bad-envelope`` or ``bad-json``.
    """
    value = strict_json(envelope)
    if canonical_json(value) != envelope:
        raise _bad("it is not canonical JSON, so its digest could be changed in transit")
    found = _exactly(value, {"payload", "payloadType", "signatures"})
    kind, signatures = found["payloadType"], found["signatures"]
    if not isinstance(kind, str) or not kind:
        raise _bad("its payloadType is not a string")
    if not isinstance(signatures, list) or not 1 <= len(signatures) <= MAX_SIGNATURES:
        raise _bad(f"it does not have 1 to {MAX_SIGNATURES} signatures")
    named = tuple(_signature(item) for item in signatures)
    if any(one.keyid >= other.keyid for one, other in pairwise(named)):
        raise _bad("one key signed twice, or the signatures are not in the order of their keys")
    return Envelope(kind, _decode("payload", found["payload"]), named)


def verify(
    envelope: bytes,
    keys: Iterable[str],
    *,
    threshold: int = 1,
    payload_type: str = PAYLOAD_TYPE,
) -> Signed:
    """The payload, if ``threshold`` distinct keys of ``keys`` signed exactly these bytes.

    Counts key *material*: one key listed twice signs once. The algorithm is Ed25519
    because the keys are; the envelope has no say in it. Blind to when it was signed, to
    whether the keys are still trusted, and to replay: the caller knows.

    Args:
        envelope: received bytes.
        keys: trusted public keys as 64 hex digits.
        threshold: how many distinct keys must have signed, at least 1.
        payload_type: the only type accepted.

    Returns:
        The payload, and the names of the keys that signed, sorted.

    Raises:
        UntrustedError: ``bad-envelope``, ``bad-json``, ``bad-key``, ``unknown-key``,
            ``bad-signature`` or ``too-few-signatures``.
    """
    found = parse(envelope)
    if found.payload_type != payload_type:
        raise _bad(f"its payloadType is {found.payload_type[:60]!a}, not {payload_type!a}")
    trusted = {keyid_of(key): bytes.fromhex(key) for key in keys}
    message = pre_authentication_encoding(found.payload_type, found.payload)
    for signature in found.signatures:
        _check(signature, message, trusted)
    if len(found.signatures) < max(1, threshold):
        raise UntrustedError(
            "too-few-signatures",
            "not enough different keys have signed",
            why=f"{len(found.signatures)} of {max(1, threshold)}",
            fix="have another key holder sign",
        )
    return Signed(found.payload, tuple(signature.keyid for signature in found.signatures))


def _check(signature: Signature, message: bytes, trusted: Mapping[str, bytes]) -> None:
    key = trusted.get(signature.keyid)
    if key is None:
        raise UntrustedError(
            "unknown-key",
            "a document is signed by a key that is not trusted for it",
            why=f"its key is {signature.keyid[:16]}…; trusted: "
            + (", ".join(f"{known[:16]}…" for known in sorted(trusted)) or "none"),
            fix="check who signed it before you trust that key",
        )
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature.sig, message)
    except InvalidSignature as wrong:
        raise UntrustedError(
            "bad-signature",
            "a signature does not fit what it signs",
            why=f"key {signature.keyid[:16]}… did not sign these bytes",
            fix="fetch the document again from its signer; if it fails again, it was altered",
        ) from wrong


def _signature(value: Json) -> Signature:
    found = _exactly(value, {"keyid", "sig"})
    keyid, sig = found["keyid"], _decode("sig", found["sig"])
    if not isinstance(keyid, str) or not _KEYID.match(keyid):
        raise _bad("a keyid is not 64 lower-case hex digits")
    if len(sig) != _SIGNATURE_BYTES:
        raise _bad(f"a signature has {len(sig)} bytes, not {_SIGNATURE_BYTES}")
    return Signature(keyid, sig)


def _exactly(value: Json, names: set[str]) -> dict[str, Json]:
    if not isinstance(value, dict) or value.keys() != names:
        raise _bad(f"an object has not exactly the fields {', '.join(sorted(names))}")
    return value


def _decode(field: str, text: Json) -> bytes:
    """Standard padded base64; the canonical check of the JSON cannot see a loose last digit."""
    if not isinstance(text, str):
        raise _bad(f"its {field} is not a string")
    try:
        found = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as wrong:
        raise _bad(f"its {field} is not base64") from wrong
    if base64.b64encode(found).decode("ascii") != text:
        raise _bad(f"its {field} is not in the one base64 form")
    return found


def _bad(why: str) -> UntrustedError:
    return UntrustedError(
        "bad-envelope", "a signed envelope is malformed", why=why, fix="have it signed again"
    )
