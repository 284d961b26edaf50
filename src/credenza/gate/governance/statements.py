"""Requests and approvals: what a member signs, and nothing else, can move a governed gate.

Both are in-toto statements in DSSE envelopes. A request says exactly what is to be done,
to which digests, under which rules and policy, in which ledger, and until when; its nonce
makes it one of its kind. An approval names the request by the digest of its envelope, so
it can be neither widened nor carried over to another.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from credenza.core import dsse
from credenza.core.canonical import canonical_json, sha256_hex, strict_json
from credenza.core.errors import UntrustedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from credenza.core.canonical import Json
    from credenza.provenance.keys import SigningKey

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
REQUEST_TYPE = "urn:credenza:request:1"
APPROVAL_TYPE = "urn:credenza:approval:1"
MAX_REQUEST_BYTES = 2**20

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_NONCE = re.compile(r"[0-9a-f]{32}\Z")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")


@dataclass(frozen=True, slots=True)
class Request:
    """What a member asks for.

    Attributes:
        action: such as "release".
        terms: everything that decides what will be done, by name; digests for content.
        origin: name of the ledger it is for.
        size: entries of that ledger when it was written.
        rules: digest of the rules of governance in force then; others void it.
        policy: digest of the gate's policy in force then; another voids it.
        nonce: 32 hex digits, so that what is asked for twice is two requests.
        created, expires: ISO 8601 UTC; from ``expires`` on it is void.
    """

    action: str
    terms: Mapping[str, Json]
    origin: str
    size: int
    rules: str
    policy: str
    nonce: str
    created: str
    expires: str


@dataclass(frozen=True, slots=True)
class Signed:
    """A request or approval with the one key that signed it.

    Attributes:
        digest: SHA-256 of the envelope: its name.
        keyid: of the signer.
        request: what is asked for; of an approval, None.
        approves: of an approval, the digest of the request; else "".
        envelope: the signed bytes.
    """

    digest: str
    keyid: str
    request: Request | None
    approves: str = ""
    envelope: bytes = field(default=b"", repr=False)


def sign_request(request: Request, key: SigningKey) -> bytes:
    """The envelope; its SHA-256 is the request's name."""
    predicate: dict[str, Json] = {
        "action": request.action,
        "terms": dict(request.terms),
        "origin": request.origin,
        "size": request.size,
        "rules": request.rules,
        "policy": request.policy,
        "nonce": request.nonce,
        "created": request.created,
        "expires": request.expires,
    }
    terms = sha256_hex(canonical_json(dict(request.terms)))
    return dsse.sign(_statement(REQUEST_TYPE, request.action, terms, predicate), [key.private])


def sign_approval(request: str, origin: str, created: str, key: SigningKey) -> bytes:
    """The envelope of an approval.

    Args:
        request: SHA-256 of the request's envelope.
        origin: name of the ledger that both are for.
        created: ISO 8601 UTC.
        key: the approver's.
    """
    predicate: dict[str, Json] = {"origin": origin, "created": created}
    return dsse.sign(_statement(APPROVAL_TYPE, "request", request, predicate), [key.private])


def read_request(envelope: bytes, keys: Iterable[str]) -> Signed:
    """A request, once its signature and form hold.

    Args:
        envelope: as signed.
        keys: public keys that may have signed.

    Raises:
        UntrustedError: by somebody else, altered or malformed.
    """
    keyid, payload = _signed(envelope, keys)
    return Signed(sha256_hex(envelope), keyid, _request(payload), envelope=envelope)


def look_at(envelope: bytes) -> Request:
    """What a request asks for, with nobody's signature checked: for whoever is to approve it.

    The gate checks who signed; an approval is of these bytes and no others.

    Raises:
        UntrustedError: it is malformed.
    """
    _check_size(envelope)
    return _request(dsse.parse(envelope).payload)


def read_approval(envelope: bytes, keys: Iterable[str], origin: str) -> Signed:
    """An approval for a ledger, once its signature and form hold.

    Raises:
        UntrustedError: by somebody else, for another ledger, altered or malformed.
    """
    keyid, payload = _signed(envelope, keys)
    name, subject, found = _parts(payload, APPROVAL_TYPE)
    if set(found) != {"origin", "created"} or name != "request":
        raise _bad("an approval has exactly the fields created, origin")
    _matching(found, "created", _INSTANT)
    if found["origin"] != origin:
        raise _bad("it is for another ledger")
    return Signed(sha256_hex(envelope), keyid, None, subject, envelope)


def instant(time_s: int) -> str:
    """Seconds since the epoch as ISO 8601 UTC."""
    return dt.datetime.fromtimestamp(time_s, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _statement(kind: str, name: str, digest: str, predicate: dict[str, Json]) -> bytes:
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": digest}}],
            "predicateType": kind,
            "predicate": predicate,
        }
    )


def _signed(envelope: bytes, keys: Iterable[str]) -> tuple[str, bytes]:
    """The one key that signed, and what."""
    _check_size(envelope)
    signed = dsse.verify(envelope, keys)
    if len(signed.keyids) != 1:
        raise _bad("one person signs it, not several")
    return signed.keyids[0], signed.payload


def _check_size(envelope: bytes) -> None:
    if len(envelope) > MAX_REQUEST_BYTES:
        raise _bad(f"it is longer than {MAX_REQUEST_BYTES} bytes")


def _request(payload: bytes) -> Request:
    name, subject, found = _parts(payload, REQUEST_TYPE)
    expected = {
        *("action", "terms", "origin", "size", "rules", "policy", "nonce"),
        *("created", "expires"),
    }
    if set(found) != expected or not isinstance(found["terms"], dict):
        raise _bad(f"a request has exactly the fields {', '.join(sorted(expected))}")
    if name != found["action"] or subject != sha256_hex(canonical_json(found["terms"])):
        raise _bad("its subject is not the digest of its terms")
    size = found["size"]
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise _bad("size must be an integer of at least 0")
    return Request(
        action=_matching(found, "action", re.compile(r"[a-z]+(-[a-z]+)*\Z")),
        terms=found["terms"],
        origin=_matching(found, "origin", re.compile(r"\S{1,256}\Z")),
        size=size,
        rules=_matching(found, "rules", _DIGEST),
        policy=_matching(found, "policy", _DIGEST),
        nonce=_matching(found, "nonce", _NONCE),
        created=_matching(found, "created", _INSTANT),
        expires=_matching(found, "expires", _INSTANT),
    )


def _parts(payload: bytes, kind: str) -> tuple[str, str, dict[str, Json]]:
    """Name and digest of a statement's one subject, and its predicate."""
    match strict_json(payload):
        case {
            "subject": [{"name": str(name), "digest": {"sha256": str(digest)}}],
            "predicate": dict(predicate),
        }:
            found = cast("dict[str, Json]", predicate)
            # The one spelling of a statement: nothing beside what was understood is in it.
            if _statement(kind, name, digest, found) == payload and _DIGEST.match(digest):
                return name, digest, found
    raise _bad(f"it is no statement of the type {kind}")


def _matching(found: Mapping[str, Json], field: str, pattern: re.Pattern[str]) -> str:
    value = found[field]
    if not isinstance(value, str) or not pattern.match(value):
        raise _bad(f"{field} must match {pattern.pattern}")
    return value


def _bad(why: str) -> UntrustedError:
    return UntrustedError(
        "bad-request", "a signed request or approval is malformed", why=why, fix="sign it again"
    )
