"""Registered senders and the key ring: each change is an event, and the roster is their sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from credenza.core.canonical import sha256_hex
from credenza.core.errors import ConflictError, UsageError
from credenza.gate.journal import Event
from credenza.provenance.roster import SOURCE_ID
from credenza.store.rows import EntryRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credenza.core.canonical import Json
    from credenza.core.types import Source
    from credenza.gate.stores import Stores
    from credenza.provenance.ring import Ring, RingFiles
    from credenza.provenance.roster import Roster

RING = "ring"
MAX_RING_FILE_BYTES = 2**20


def roster(stores: Stores) -> Roster:
    """Every registered source and the keys that sign for it, as the ledger says.

    Complexity:
        One document for each registration ever made; later calls read the new ones only.
    """
    with stores.journal.catalog.snapshot() as index:
        entries = index.find(EntryRow, kind=["source", RING])
    known = stores.roster
    for entry in entries[known.events :]:
        document = stores.journal.document(entry.digest)
        if entry.kind == RING:
            from credenza.provenance.ring import follow  # noqa: PLC0415 - tuf: where there is a ring

            known.ring = follow(known.ring, _ring_files(stores, document))
            known.roster = known.roster.under(known.ring.mandates)
        else:
            known.roster = known.roster.after(document)
        known.events += 1
    return known.roster


def ring(stores: Stores) -> Ring | None:
    """The key ring that is followed now, or None."""
    roster(stores)
    return stores.roster.ring


def ring_event(stores: Stores, files: RingFiles) -> tuple[Event, list[bytes]]:
    """The event that takes up what a ring's keepers published, and the content it names.

    From the first ring on, keys, scope, threshold and expiry of every source are those
    that the ring delegates; registrations keep saying which sources there are.

    Raises:
        UntrustedError: see ``ring.follow`` and ``ring.check_fresh``; or a delegated key
            was another source's.
        ConflictError: this is the ring that is followed already.
    """
    from credenza.provenance.ring import check_fresh, follow  # noqa: PLC0415 - tuf: used by rings

    stores.journal.lock()
    known, before = roster(stores), stores.roster.ring
    now = follow(before, files)
    check_fresh(now, stores.journal.now_s())
    known.under(now.mandates)  # refused before it is recorded
    if before is not None and now.digest == before.digest:
        raise ConflictError(
            "same-ring",
            "this is the key ring that is followed already",
            why=f"its timestamp is version {now.versions['timestamp']}",
            fix="nothing needs to be done until its keepers publish another",
        )
    parts = [files.timestamp, files.snapshot, files.targets]
    timestamp, snapshot, targets = map(sha256_hex, parts)
    document: dict[str, Json] = {
        "roots": [sha256_hex(root) for root in files.roots],
        "timestamp": timestamp,
        "snapshot": snapshot,
        "targets": targets,
    }
    return Event(RING, document), [*files.roots, *parts]


def add_source(stores: Stores, name: str, keys: tuple[str, ...], group: str) -> Source:
    """Register a sender.

    Raises:
        CredenzaError: the name is taken or unfit, a key is unfit, belongs to another, or
            is not delegated by the key ring where one is followed.
    """
    for what, said in (("source", name), ("group", group or name)):
        if not SOURCE_ID.match(said):
            raise UsageError(
                f"bad-{what}",
                f"no {what} can be called {said[:80]!r}",
                why="a name is 1 to 64 of a-z, 0-9, '.', '_' and '-', and begins with a letter "
                "or a digit",
                fix="choose another name, like acme-2",
            )
    event: dict[str, Json] = {"event": "source-added", "source": name, "keys": list(keys)}
    if group:
        event["group"] = group
    return _record(stores, name, event)


def keys_for(stores: Stores, name: str, given: Sequence[str]) -> tuple[str, ...]:
    """The keys that a new sender is registered with: those given, or those of the key ring.

    Raises:
        UsageError: there are none.
    """
    mandate = (roster(stores).mandates or {}).get(name)
    held = tuple(given) or (() if mandate is None else mandate.keys)
    if not held:
        raise UsageError(
            "no-key",
            f"{name[:64]!r} has no key to sign its batches with",
            why="none is given, and no key ring delegates one to it",
            fix="make a pair with `credenza key new NAME.key`, and add `--key NAME.key.pub`",
        )
    return held


def freeze_source(stores: Stores, name: str, reason: str) -> Source:
    """Refuse everything from a sender from now on.

    Raises:
        NotFoundError: no such sender.
        UsageError: no reason.
    """
    return _turn(stores, name, "source-frozen", reason)


def unfreeze_source(stores: Stores, name: str, reason: str) -> Source:
    """Let a sender that was frozen submit again; batches refused meanwhile stay refused.

    Raises:
        NotFoundError: no such sender.
        ConflictError: it is not frozen.
        UsageError: no reason.
    """
    return _turn(stores, name, "source-unfrozen", reason)


def add_key(stores: Stores, name: str, key: str) -> Source:
    """Let a sender sign with one more key.

    Raises:
        NotFoundError: no such sender.
        UntrustedError: the key is unfit, belongs to another, or is not delegated by the key
            ring where one is followed.
    """
    return _record(stores, name, {"event": "key-added", "source": name, "key": key})


def _turn(stores: Stores, name: str, event: str, reason: str) -> Source:
    if not reason.strip():
        raise UsageError(
            "no-reason",
            "whether a source may submit is changed with a reason",
            why="whoever reads the log in a year must learn why",
            fix="add --reason",
        )
    return _record(stores, name, {"event": event, "source": name, "reason": reason})


def _record(stores: Stores, name: str, event: dict[str, Json]) -> Source:
    stores.journal.lock()
    roster(stores).after(event)  # refused before it is recorded
    stores.journal.record([Event("source", event)])
    return roster(stores).source(name)


def _ring_files(stores: Stores, document: Mapping[str, Json]) -> RingFiles:
    from credenza.provenance.ring import RingFiles  # noqa: PLC0415 - tuf: where there is a ring

    blobs = stores.journal.blobs

    def part(digest: Json) -> bytes:
        return blobs.get(str(digest), max_bytes=MAX_RING_FILE_BYTES)

    roots = cast("list[Json]", document["roots"])
    return RingFiles(
        tuple(part(root) for root in roots),
        part(document["timestamp"]),
        part(document["snapshot"]),
        part(document["targets"]),
    )
