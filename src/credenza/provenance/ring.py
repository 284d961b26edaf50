"""The key ring as its readers follow it: TUF's client rules, over metadata in memory.

A ring is TUF metadata: a root of several keys, one ``targets`` that delegates one role to
each source, and ``snapshot`` and ``timestamp`` that say which version of it is now. A
source's role names its keys, how many of them must sign a batch, the datasets it may
send to, and until when. No target is ever listed: batches are signed by their sources.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from credenza.core.canonical import sha256_hex
from credenza.core.errors import UntrustedError
from credenza.provenance.ring_form import (
    bad_ring,
    check_keys,
    check_signatures,
    expiry_s,
    moment,
    public_of,
    read,
)
from credenza.provenance.roster import SOURCE_ID, Mandate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuf.api.metadata import DelegatedRole, Delegations, MetaFile, Signed

EXPIRES = "expires"
"""The field of a delegation that says until when; TUF hands on fields it does not know."""

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")
_SNAPSHOT_FILE = "snapshot.json"
_TARGETS_FILE = "targets.json"


class RingFiles(NamedTuple):
    """What is fetched at once: roots beyond the trusted one, in order, and the rest."""

    roots: tuple[bytes, ...]
    timestamp: bytes
    snapshot: bytes
    targets: bytes


@dataclass(frozen=True, slots=True)
class Ring:
    """A ring whose signatures, versions and digests fit each other; see ``follow``.

    Attributes:
        mandates: what each source may do, by its id; until when takes the whole ring's
            freshness into account.
        digest: SHA-256 of the root and the timestamp: names this state of the ring.
    """

    root: Metadata[Root]
    timestamp: Metadata[Timestamp]
    snapshot: Metadata[Snapshot]
    targets: Metadata[Targets]
    mandates: Mapping[str, Mandate]
    digest: str

    @property
    def versions(self) -> dict[str, int]:
        """Version by role."""
        return {signed.type: signed.version for signed in self._signed}

    @property
    def expiries_s(self) -> dict[str, int]:
        """Until when each role's metadata stands, in seconds since the epoch."""
        return {signed.type: expiry_s(signed) for signed in self._signed}

    @property
    def _signed(self) -> tuple[Signed, ...]:
        parts = (self.root, self.timestamp, self.snapshot, self.targets)
        return tuple(part.signed for part in parts)


def follow(trusted: Ring | None, files: RingFiles) -> Ring:
    """The ring after one more look at where its keepers publish it.

    Proves that whoever was trusted with each role says so now, and that nothing older
    is passed off as new. Says nothing of time, so that it gives the same answer when a
    ledger is replayed years later: ``check_fresh`` refuses what has expired, and every
    mandate ends when the first of the ring's files does. Blind to a ring that its
    keepers, a threshold of them, altered; and on the first look, to a root that was
    never theirs: compare its digest by another way.

    Args:
        trusted: the ring so far; None on the first look, when the first of the roots is
            trusted because it signed itself.
        files: as fetched.

    Raises:
        UntrustedError: ``bad-json``, ``bad-ring``, ``bad-key``, ``two-ids``,
            ``ring-signatures``, ``ring-rollback`` or ``ring-mix``.

    Source:
        The Update Framework 1.0.31, section 5, "Detailed client workflow"; refused
        besides: one version of the timestamp with two contents.
    """
    root = _follow_roots(None if trusted is None else trusted.root, files.roots)
    before = _still_counts(trusted, root.signed)
    timestamp = read(Timestamp, files.timestamp)
    check_signatures(timestamp, [root.signed])
    _check_timestamp(timestamp, before.timestamp)
    snapshot = read(Snapshot, files.snapshot)
    _check_named(files.snapshot, timestamp.signed.snapshot_meta, snapshot.signed.version)
    check_signatures(snapshot, [root.signed])
    _check_snapshot(snapshot.signed, before.snapshot)
    targets = read(Targets, files.targets)
    _check_named(files.targets, snapshot.signed.meta[_TARGETS_FILE], targets.signed.version)
    check_signatures(targets, [root.signed])
    ends_s = min(expiry_s(part.signed) for part in (root, timestamp, snapshot, targets))
    return Ring(
        root,
        timestamp,
        snapshot,
        targets,
        MappingProxyType(mandates_of(targets.signed, ends_s)),
        sha256_hex(root.signed_bytes + timestamp.signed_bytes),
    )


def check_fresh(ring: Ring, at_s: int) -> None:
    """Refuse a ring of which a part has expired: an attacker may be holding back a newer one.

    Raises:
        UntrustedError: ``ring-expired``, with the role.
    """
    for role, end_s in ring.expiries_s.items():
        if at_s >= end_s:
            raise UntrustedError(
                "ring-expired",
                f"the key ring's {role} has expired",
                why=f"it stood until {moment(end_s):%Y-%m-%dT%H:%M:%SZ}",
                fix=f"have its keepers renew the {role} and publish, then `credenza ring import`",
            )


# -- root


def _follow_roots(trusted: Metadata[Root] | None, roots: tuple[bytes, ...]) -> Metadata[Root]:
    """Along the chain of roots: each is signed by the one before it and by itself."""
    now = trusted
    for data in roots:
        new = read(Root, data)
        check_keys(new.signed.keys, new.signed.roles.values())
        if any(role.unrecognized_fields for role in new.signed.roles.values()):
            raise bad_ring("a role of the root has a field that no role has")
        if now is None:
            check_signatures(new, [new.signed])
        else:
            if new.signed.version != now.signed.version + 1:
                raise _rollback(Root.type, new.signed.version, f"{now.signed.version + 1}")
            check_signatures(new, [now.signed, new.signed])
        now = new
    if now is None:
        raise bad_ring("there is no root to begin with")
    return now


class _Before(NamedTuple):
    """What of the trusted ring still bounds the versions of the next."""

    timestamp: Metadata[Timestamp] | None = None
    snapshot: Snapshot | None = None


def _still_counts(trusted: Ring | None, root: Root) -> _Before:
    """Versions that a role's former keys reached bound nobody once its keys were rotated.

    Else a thief who signed version 2^31 before the rotation would have ended the ring:
    the specification's recovery from fast-forward attacks (5.3.11).
    """
    if trusted is None:
        return _Before()
    timestamp, snapshot = trusted.timestamp, trusted.snapshot
    return _Before(
        timestamp if _verifies(timestamp, root) else None,
        snapshot.signed if _verifies(snapshot, root) else None,
    )


def _verifies(part: Metadata[Timestamp] | Metadata[Snapshot], root: Root) -> bool:
    return root.get_verification_result(
        part.signed.type, part.signed_bytes, part.signatures
    ).verified


# -- timestamp, snapshot


def _check_timestamp(new: Metadata[Timestamp], before: Metadata[Timestamp] | None) -> None:
    _check_meta_file(new.signed.snapshot_meta)
    if before is None:
        return
    known = before.signed
    if new.signed.version < known.version:
        raise _rollback(Timestamp.type, new.signed.version, f"{known.version} or more")
    if new.signed.version == known.version and new.signed_bytes != before.signed_bytes:
        raise _mix(f"timestamp version {known.version} was published with two contents")
    if new.signed.snapshot_meta.version < known.snapshot_meta.version:
        raise _rollback(
            _SNAPSHOT_FILE,
            new.signed.snapshot_meta.version,
            f"{known.snapshot_meta.version} or more",
        )


def _check_snapshot(new: Snapshot, before: Snapshot | None) -> None:
    if set(new.meta) != {_TARGETS_FILE}:
        raise bad_ring("its snapshot names other files than targets.json")
    meta = new.meta[_TARGETS_FILE]
    _check_meta_file(meta)
    if before is not None and meta.version < before.meta[_TARGETS_FILE].version:
        known = before.meta[_TARGETS_FILE].version
        raise _rollback(Targets.type, meta.version, f"{known} or more")


def _check_meta_file(meta: MetaFile) -> None:
    """Version, length and SHA-256 are all there: the next file is exactly one string of bytes."""
    whole = type(meta.version) is int and type(meta.length) is int
    if not whole or set(meta.hashes or {}) != {"sha256"} or meta.unrecognized_fields:
        raise bad_ring("it names another file without version, length and SHA-256")


def _check_named(data: bytes, meta: MetaFile, version: int) -> None:
    """The file is the one that its predecessor names: no mix of two moments."""
    try:
        meta.verify_length_and_hashes(data)
    except LengthOrHashMismatchError as wrong:
        raise _mix("a file's bytes are not those that the ring names now") from wrong
    if version != meta.version:
        raise _mix(f"a file is version {version} where the ring names {meta.version}")


# -- delegations


def mandates_of(targets: Targets, ends_s: int) -> dict[str, Mandate]:
    """What each source may do; one key speaks for one source only."""
    if targets.targets:
        raise bad_ring("it lists targets; a ring delegates and lists none")
    delegations = targets.delegations
    if delegations is None:
        return {}
    if delegations.roles is None or delegations.unrecognized_fields:
        raise bad_ring("it delegates otherwise than by naming each source")
    check_keys(delegations.keys, delegations.roles.values())
    found = {name: _mandate(role, delegations, ends_s) for name, role in delegations.roles.items()}
    named = [key for mandate in found.values() for key in mandate.keys]
    if len(set(named)) != len(named):
        raise bad_ring("one key is delegated to two sources")
    return found


def _mandate(role: DelegatedRole, delegations: Delegations, ends_s: int) -> Mandate:
    if not SOURCE_ID.match(role.name):
        raise bad_ring("a delegated role is not named like a source")
    paths = role.paths
    if not paths or role.terminating is not True or set(role.unrecognized_fields) != {EXPIRES}:
        raise bad_ring(f"the role of {role.name!r} has not exactly paths and an expiry")
    datasets = tuple(path.removesuffix("/*") for path in paths)
    if any(
        not path.endswith("/*") or not SOURCE_ID.match(dataset)
        for path, dataset in zip(paths, datasets, strict=True)
    ):
        raise bad_ring(f"a path of {role.name!r} is not DATASET/*")
    return Mandate(
        keys=tuple(public_of(delegations.keys[keyid]) for keyid in role.keyids),
        threshold=role.threshold,
        datasets=datasets,
        until_s=min(ends_s, _instant_s(role.unrecognized_fields[EXPIRES])),
    )


def _instant_s(value: object) -> int:
    if not isinstance(value, str) or not _INSTANT.match(value):
        raise bad_ring("a delegation's expiry is not a moment in UTC")
    try:
        return int(dt.datetime.fromisoformat(value).timestamp())
    except ValueError as wrong:
        raise bad_ring("a delegation expires at a moment that does not exist") from wrong


# -- refusals


def _rollback(what: str, found: int, wanted: str) -> UntrustedError:
    return UntrustedError(
        "ring-rollback",
        f"the key ring's {what} is not the next one",
        why=f"version {found} was offered, {wanted} is wanted",
        fix="fetch the newest ring; if its keepers published this one, ask them why",
    )


def _mix(why: str) -> UntrustedError:
    return UntrustedError(
        "ring-mix",
        "the key ring's files are not of one moment",
        why=why,
        fix="have its keepers run `credenza ring publish`, and fetch all files again",
    )
