"""Registered senders: each change is an event in the ledger, and the roster is their sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.errors import UsageError
from credenza.gate.journal import Event
from credenza.store.rows import EntryRow

if TYPE_CHECKING:
    from credenza.core.canonical import Json
    from credenza.core.types import Source
    from credenza.gate.stores import Stores
    from credenza.provenance.roster import Roster


def roster(stores: Stores) -> Roster:
    """Every registered source, as the ledger says.

    Complexity:
        One document for each registration ever made; later calls read the new ones only.
    """
    with stores.journal.catalog.snapshot() as index:
        entries = index.find(EntryRow, kind="source")
    known = stores.roster
    for entry in entries[known.events :]:
        known.roster = known.roster.after(stores.journal.document(entry.digest))
        known.events += 1
    return known.roster


def add_source(stores: Stores, name: str, keys: tuple[str, ...], group: str) -> Source:
    """Register a sender.

    Raises:
        CredenzaError: the name is taken or unfit, a key is unfit or belongs to another.
    """
    event: dict[str, Json] = {"event": "source-added", "source": name, "keys": list(keys)}
    if group:
        event["group"] = group
    return _record(stores, name, event)


def freeze_source(stores: Stores, name: str, reason: str) -> Source:
    """Refuse everything from a sender from now on.

    Raises:
        NotFoundError: no such sender.
        UsageError: no reason.
    """
    if not reason.strip():
        raise UsageError("no-reason", "freezing a source needs a reason", fix="add --reason")
    return _record(stores, name, {"event": "source-frozen", "source": name, "reason": reason})


def _record(stores: Stores, name: str, event: dict[str, Json]) -> Source:
    stores.journal.lock()
    roster(stores).after(event)  # refused before it is recorded
    stores.journal.record([Event("source", event)])
    return roster(stores).source(name)
