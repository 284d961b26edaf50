"""What the signer of a release says: which files, from which batches, until when.

Needs the standard library and ``cryptography``, no more: it is read where training
happens.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from credenza.core import dsse
from credenza.core.canonical import Json, canonical_json, sha256_hex, strict_json
from credenza.core.errors import UntrustedError
from credenza.core.types import FileDigest, Release

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# Arrow, Spark and Hive read every file of a directory but those that start with "_".
ATTESTATION = "_release.dsse.json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:credenza:release:1"
RECALLS_TYPE = "application/vnd.credenza.recalls+json"

MAX_NAME = 128
# Lower-case ASCII, no dot at either end or beside another: so no hidden file, no dot
# segment, no separator, no newline, and no two names that a file system could confuse.
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*(?:\.[a-z0-9_-]+)*\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")
_STATEMENT_FIELDS = frozenset({"_type", "subject", "predicateType", "predicate"})
_PREDICATE_FIELDS = frozenset(
    {"dataset", "version", "rows", "batches", "files", "policy", "checkpoint", "created", "expires"}
)


class Attestation(NamedTuple):
    """What the signer said: the release, and what surrounds it.

    Attributes:
        checkpoint: the ledger's signed checkpoint that covers every verdict, as text.
        created: when, as the operator says, ISO 8601 UTC.
        expires: from when on it must not be used, "" for never.
        keyid: name of the key that signed.
    """

    release: Release
    checkpoint: str
    created: str
    expires: str
    keyid: str


class Recalls(NamedTuple):
    """Releases that must not be used any more.

    Attributes:
        reasons: by digest of the release.
        created: when the list was made, ISO 8601 UTC; a stale list knows less.
    """

    reasons: Mapping[str, str]
    created: str


def is_release_name(name: str) -> bool:
    """Whether a file of a release may have that name."""
    return len(name) <= MAX_NAME and bool(_NAME.match(name))


def read_attestation(envelope: bytes, keys: Iterable[str]) -> Attestation:
    """What a release's envelope says, once its signature and its form hold.

    A release's digest is that of the signed statement, not of the envelope: the same
    statement signed by another trusted key is the same release, and as recalled.

    Raises:
        UntrustedError: signature, type, fields or names are not as they must be.
    """
    signed = dsse.verify(envelope, keys)
    if len(signed.keyids) != 1:
        raise malformed(f"it has {len(signed.keyids)} signatures, not one")
    statement = _object(strict_json(signed.payload), _STATEMENT_FIELDS, "statement")
    if statement["_type"] != STATEMENT_TYPE or statement["predicateType"] != PREDICATE_TYPE:
        raise malformed("it is not a statement about a credenza release")
    predicate = _object(statement["predicate"], _PREDICATE_FIELDS, "predicate")
    files = _files(statement["subject"], predicate["files"])
    batches = [_digest(batch) for batch in _list(predicate["batches"], "batches")]
    if batches != sorted(set(batches)):
        raise malformed("its batches are not sorted or come twice")
    rows = _natural(predicate["rows"], "rows")
    if rows != sum(counted for _, counted in files):
        raise malformed("its rows are not the sum of the rows of its files")
    release = Release(
        digest=sha256_hex(signed.payload),
        dataset=_text(predicate["dataset"], "dataset"),
        version=_natural(predicate["version"], "version"),
        files=tuple(file for file, _ in files),
        rows=rows,
        batches=tuple(batches),
        policy=_text(predicate["policy"], "policy"),
    )
    return Attestation(
        release,
        _text(predicate["checkpoint"], "checkpoint"),
        _instant(predicate["created"], "created"),
        _instant(predicate["expires"], "expires") if predicate["expires"] != "" else "",
        signed.keyids[0],
    )


def _files(subjects: Json, described: Json) -> list[tuple[FileDigest, int]]:
    """Digests from the subjects, sizes and rows from the predicate, by the same names."""
    if not isinstance(described, dict):
        raise malformed("its files are not an object")
    found: dict[str, tuple[FileDigest, int]] = {}
    for item in _list(subjects, "subject"):
        subject = _object(item, frozenset({"name", "digest"}), "subject")
        name = _text(subject["name"], "name")
        if not is_release_name(name):
            raise UntrustedError(
                "release-bad-name",
                "a release names a file that no release may have",
                why=f"{name[:MAX_NAME]!a} is not a plain lower-case name",
                fix="do not use this release; its maker is faulty or hostile",
            )
        if name in found:
            raise malformed(f"it names {name!a} twice")
        digest = _object(subject["digest"], frozenset({"sha256"}), "digest")
        if name not in described:
            raise malformed(f"it does not describe {name!a}")
        detail = _object(described[name], frozenset({"size", "rows"}), "file")
        size = _natural(detail["size"], "size")
        file = FileDigest(name, _digest(digest["sha256"]), size)
        found[name] = (file, _natural(detail["rows"], "rows"))
    if found.keys() != described.keys():
        raise malformed("it describes files that it does not name as subjects")
    return [found[name] for name in sorted(found)]


def sign_recalls(recalls: Recalls, key: Ed25519PrivateKey) -> bytes:
    """The list of recalled releases in a DSSE envelope, to travel to where training happens."""
    body: dict[str, Json] = {"created": recalls.created, "recalled": dict(recalls.reasons)}
    return dsse.sign(canonical_json(body), [key], payload_type=RECALLS_TYPE)


def read_recalls(envelope: bytes, keys: Iterable[str]) -> Recalls:
    """The recalled releases, if one of these keys signed the list.

    Raises:
        UntrustedError: signature or form do not hold.
    """
    payload = dsse.verify(envelope, keys, payload_type=RECALLS_TYPE).payload
    found = _object(strict_json(payload), frozenset({"created", "recalled"}), "recall list")
    recalled = found["recalled"]
    if not isinstance(recalled, dict):
        raise malformed("its recalled releases are not an object")
    reasons = {_digest(digest): _text(reason, "reason") for digest, reason in recalled.items()}
    return Recalls(reasons, _instant(found["created"], "created"))


def _object(value: Json, fields: frozenset[str], called: str) -> dict[str, Json]:
    if not isinstance(value, dict) or value.keys() != fields:
        raise malformed(f"the fields of its {called} are not exactly {', '.join(sorted(fields))}")
    return value


def _list(value: Json, called: str) -> list[Json]:
    if not isinstance(value, list):
        raise malformed(f"its {called} is not a list")
    return value


def _text(value: Json, called: str) -> str:
    if not isinstance(value, str):
        raise malformed(f"its {called} is not a string")
    return value


def _natural(value: Json, called: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise malformed(f"its {called} is not a whole number")
    return value


def _digest(value: Json) -> str:
    if not isinstance(value, str) or not _DIGEST.match(value):
        raise malformed("a digest is not 64 lower-case hex digits")
    return value


def _instant(value: Json, called: str) -> str:
    text = _text(value, called)
    if not _INSTANT.match(text):
        raise malformed(f"its {called} is not a time such as 2024-01-31T12:00:00Z")
    return text


def malformed(why: str) -> UntrustedError:
    """The attestation is not one that could be believed."""
    return UntrustedError(
        "release-bad-attestation",
        "the attestation of a release is malformed",
        why=why,
        fix="fetch the release again; if it fails again, have it made anew",
    )
