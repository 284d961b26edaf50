"""Signed bytes: the DSSE envelope with Ed25519, one encoding per envelope.

The signature covers the exact payload and its type, so what is verified is what is
parsed next and never a re-serialisation of it. Needs ``cryptography`` and nothing else,
so that a training machine verifies with one dependency.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from credenza.core.canonical import MAX_BYTES, Json, canonical_json, sha256_hex, strict_json
from credenza.core.errors import UntrustedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_KEY = re.compile(r"[0-9a-f]{64}\Z")
_ENVELOPE_FIELDS = frozenset({"payload", "payloadType", "signatures"})
_SIGNATURE_FIELDS = frozenset({"keyid", "sig"})
_SIGNATURE_BYTES = 64


class Signed(NamedTuple):
    """What an envelope says once its signature holds."""

    payload_type: str
    payload: bytes
    keyid: str


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: both parts with their lengths, so none can run into the other.

    Source:
        DSSE v1.0, https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
    """
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def public_hex(private_key: Ed25519PrivateKey) -> str:
    """The public half of a key as 64 hex digits."""
    return private_key.public_key().public_bytes_raw().hex()


def keyid_of(public_key: str) -> str:
    """The one name of a key: SHA-256 of its raw bytes, so one key cannot have two names.

    Raises:
        UsageError: not 64 lower-case hex digits.
    """
    if not _KEY.match(public_key):
        raise UsageError(
            "bad-key",
            "a public key is not 64 lower-case hex digits",
            why=f"it reads {public_key[:70]!r}",
            fix="give the raw Ed25519 public key in hex",
        )
    return sha256_hex(bytes.fromhex(public_key))


def keys_by_id(public_keys: Iterable[str]) -> dict[str, str]:
    """Public keys under their names, for ``verify``.

    Raises:
        UsageError: one of them is not 64 lower-case hex digits.
    """
    return {keyid_of(key): key for key in public_keys}


def sign(payload_type: str, payload: bytes, private_key: Ed25519PrivateKey) -> bytes:
    """An envelope over exactly these bytes, with one signature.

    Args:
        payload_type: media type of ``payload``; it is signed too.
        payload: any bytes; the envelope around them may take ``MAX_BYTES``.
        private_key: Ed25519.

    Returns:
        Canonical JSON; Ed25519 is deterministic, so the same call gives the same bytes.

    Raises:
        UsageError: the envelope would be larger than ``verify`` accepts.
    """
    signature = private_key.sign(pre_authentication_encoding(payload_type, payload))
    envelope = canonical_json(
        {
            "payload": base64.b64encode(payload).decode("ascii"),
            "payloadType": payload_type,
            "signatures": [
                {
                    "keyid": keyid_of(public_hex(private_key)),
                    "sig": base64.b64encode(signature).decode("ascii"),
                }
            ],
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


def verify(envelope: bytes, keys: Mapping[str, str]) -> Signed:
    """What one of ``keys`` signed.

    The envelope must be the canonical encoding of itself. DSSE allows any JSON, but an
    envelope's SHA-256 names things here, and a name that a bystander could change by
    adding a space would let a recalled or replayed document pass for a new one. The
    algorithm is Ed25519 because the key is; the envelope has no say in it.

    Blind to whether the key should still be trusted, and to replay: the caller knows.

    Args:
        envelope: received bytes.
        keys: trusted public keys (64 hex digits) by ``keyid_of`` them.

    Returns:
        Payload type, payload and the name of the key that signed.

    Raises:
        UntrustedError: the envelope is not exactly what ``sign`` writes, its key is not
            among ``keys``, or the signature does not fit.
    """
    document = strict_json(envelope)
    if not isinstance(document, dict) or document.keys() != _ENVELOPE_FIELDS:
        raise _bad("its fields are not exactly payload, payloadType and signatures")
    if canonical_json(document) != envelope:
        raise _bad("it is not in canonical form")
    kind, signatures = document["payloadType"], document["signatures"]
    if not isinstance(kind, str) or not kind:
        raise _bad("its payloadType is not a string")
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise _bad("it does not have exactly one signature")
    named = signatures[0]
    if not isinstance(named, dict) or named.keys() != _SIGNATURE_FIELDS:
        raise _bad("the fields of its signature are not exactly keyid and sig")
    payload = _decode("payload", document["payload"])
    signature = _decode("sig", named["sig"])
    keyid = named["keyid"]
    if not isinstance(keyid, str) or not _KEY.match(keyid):
        raise _bad("its keyid is not 64 lower-case hex digits")
    if len(signature) != _SIGNATURE_BYTES:
        raise _bad(f"its signature has {len(signature)} bytes, not {_SIGNATURE_BYTES}")
    key = _trusted(keyid, keys)
    try:
        key.verify(signature, pre_authentication_encoding(kind, payload))
    except InvalidSignature as wrong:
        raise UntrustedError(
            "bad-signature",
            "a signature does not fit what it signs",
            why=f"key {keyid[:16]}… did not sign these bytes",
            fix="fetch the document again from its signer; if it fails again, it was altered",
        ) from wrong
    return Signed(kind, payload, keyid)


def _trusted(keyid: str, keys: Mapping[str, str]) -> Ed25519PublicKey:
    public_key = keys.get(keyid)
    if public_key is None:
        raise UntrustedError(
            "unknown-key",
            "a document is signed by a key that is not trusted",
            why=f"its key is {keyid[:16]}…; trusted: "
            + (", ".join(f"{known[:16]}…" for known in sorted(keys)) or "none"),
            fix="check who signed it before you trust that key",
        )
    if keyid_of(public_key) != keyid:
        raise UsageError(
            "bad-key",
            "a trusted key is listed under another key's name",
            why=f"{keyid[:16]}… names a key whose name is {keyid_of(public_key)[:16]}…",
            fix="list keys with keys_by_id",
        )
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))


def _decode(field: str, text: Json) -> bytes:
    """Standard padded base64; the caller's canonical check cannot see a loose last digit."""
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
