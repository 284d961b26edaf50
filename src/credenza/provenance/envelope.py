"""DSSE envelopes: sign bytes, verify bytes, and only then read those same bytes.

The envelope is stricter than DSSE asks: it must itself be canonical JSON, every
signature in it must verify, and each must come from different key material. So
nobody on the wire can change an envelope's digest, which is the batch's name, without
the signer.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from credenza.core.canonical import Json, canonical_json, strict_json
from credenza.core.errors import UntrustedError
from credenza.provenance.keyring import check_public_key, keyid_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from credenza.provenance.keyring import SigningKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_SIGNATURES = 16


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature as found: the key it names, and 64 bytes."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope whose shape was checked and whose signatures were **not**."""

    payload: bytes
    payload_type: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """A payload every signature of which verified, and the keys that signed it."""

    payload: bytes
    keyids: tuple[str, ...]


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: type and payload, each with its length.

    Source:
        DSSE v1.0.2, protocol.md.
    """
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(payload: bytes, keys: Iterable[SigningKey], *, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """An envelope around ``payload`` with one signature per key, ordered by key id."""
    message = pre_authentication_encoding(payload_type, payload)
    signatures: list[Json] = [
        {"keyid": key.keyid, "sig": _b64(key.sign(message))}
        for key in sorted(keys, key=lambda key: key.keyid)
    ]
    return canonical_json(
        {"payload": _b64(payload), "payloadType": payload_type, "signatures": signatures}
    )


def parse_envelope(data: bytes) -> Envelope:
    """Check the shape of an envelope; nothing in the result is to be believed yet.

    Raises:
        UntrustedError: ``bad-envelope`` or ``bad-json``.
    """
    value = strict_json(data)
    if canonical_json(value) != data:
        raise _bad("it is not canonical JSON, so its digest could be changed in transit")
    found = _exactly(value, {"payload", "payloadType", "signatures"})
    kind, signatures = found["payloadType"], found["signatures"]
    if not isinstance(kind, str):
        raise _bad("payloadType is not a string")
    if not isinstance(signatures, list) or not 1 <= len(signatures) <= MAX_SIGNATURES:
        raise _bad(f"there must be 1 to {MAX_SIGNATURES} signatures")
    return Envelope(
        payload=_unb64(found["payload"], "payload"),
        payload_type=kind,
        signatures=tuple(_signature(item) for item in signatures),
    )


def open_envelope(
    data: bytes,
    keys: Iterable[str],
    *,
    threshold: int = 1,
    payload_type: str = PAYLOAD_TYPE,
) -> Opened:
    """The payload, if ``threshold`` distinct keys of ``keys`` signed exactly these bytes.

    Counts key *material*: one key registered under two names signs once. Ed25519 only;
    the envelope cannot choose an algorithm. Blind to when it was signed and to whether
    the keys are still trusted: pass only those that are.

    Args:
        data: the envelope as received.
        keys: trusted public keys as 64 hex digits.
        threshold: how many distinct keys must have signed, at least 1.
        payload_type: the only type accepted.

    Raises:
        UntrustedError: ``bad-envelope``, ``bad-json``, ``wrong-key``, ``bad-signature``
            or ``too-few-signatures``.
    """
    envelope = parse_envelope(data)
    if envelope.payload_type != payload_type:
        raise _bad(f"payloadType is {envelope.payload_type[:60]!r}, not {payload_type!r}")
    trusted = {keyid_of(key): bytes.fromhex(check_public_key(key)) for key in keys}
    message = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    signed: list[str] = []
    for signature in envelope.signatures:
        key = trusted.get(signature.keyid)
        if key is None:
            raise UntrustedError(
                "wrong-key",
                "a signature is by a key that is not trusted for this",
                why=f"key id {signature.keyid[:16]}… is not among the {len(trusted)} trusted",
                fix="sign with a registered key, or register this one",
            )
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature.sig, message)
        except InvalidSignature as wrong:
            raise UntrustedError(
                "bad-signature",
                "a signature does not fit the bytes it came with",
                why=f"key id {signature.keyid[:16]}… did not sign this payload",
                fix="send the envelope as it was signed, or sign again",
            ) from wrong
        signed.append(signature.keyid)
    if len(set(signed)) != len(signed):
        raise _bad("one key signed twice")
    if len(signed) < max(1, threshold):
        raise UntrustedError(
            "too-few-signatures",
            "not enough different keys have signed",
            why=f"{len(signed)} of {max(1, threshold)}",
            fix="have another key holder sign",
        )
    return Opened(envelope.payload, tuple(signed))


def _signature(value: Json) -> Signature:
    found = _exactly(value, {"keyid", "sig"})
    keyid, sig = found["keyid"], _unb64(found["sig"], "sig")
    if not isinstance(keyid, str) or len(keyid) != 64:
        raise _bad("keyid is not 64 hex digits")
    if len(sig) != 64:
        raise _bad(f"a signature has {len(sig)} bytes, not 64")
    return Signature(keyid, sig)


def _exactly(value: Json, names: set[str]) -> dict[str, Json]:
    if not isinstance(value, dict) or set(value) != names:
        raise _bad(f"an object must have exactly the fields {', '.join(sorted(names))}")
    return value


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unb64(value: Json, field: str) -> bytes:
    """Standard base64 in its one spelling."""
    if not isinstance(value, str):
        raise _bad(f"{field} is not a string")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as wrong:
        raise _bad(f"{field} is not base64") from wrong
    if _b64(data) != value:
        raise _bad(f"{field} is base64 with a second spelling")
    return data


def _bad(why: str) -> UntrustedError:
    return UntrustedError(
        "bad-envelope",
        "this is not a signed envelope",
        why=why,
        fix="create it with `credenza submit`, and send it unchanged",
    )
