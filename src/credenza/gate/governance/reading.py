"""The charter as of now, read from the ledger itself and not from the SQL index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from credenza.core.canonical import strict_json
from credenza.gate.governance.charter import KINDS, Charter
from credenza.gate.registry import RING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.canonical import Json
    from credenza.core.types import Entry
    from credenza.gate.stores import Stores

GOVERNING = frozenset({*KINDS, RING})
"""Kinds of entries that say who may do what; a ring's says it in files beside the ledger."""


def charter(stores: Stores) -> Charter:
    """Who may do what as of the newest entry that this process knows.

    Complexity:
        Reads the ledger once for each process (a quarter of a million entries a second),
        then only what is new; documents only of the ``GOVERNING`` kinds.
    """
    known, ledger = stores.charter, stores.journal.ledger
    for entry in ledger.entries(known.size):
        known.size = entry.index + 1
        if entry.kind in GOVERNING:
            learn(stores, known, entry, stores.journal.document(entry.digest))
    return known


def learn(stores: Stores, known: Charter, entry: Entry, document: Mapping[str, Json]) -> None:
    """Let a charter take one more entry of one of the ``GOVERNING`` kinds."""
    if entry.kind != RING:
        known.take(entry, document, stores.journal.ledger.origin)
        return
    known.follows_ring = True
    targets = stores.journal.blobs.get(str(document["targets"]))
    for name, keys in delegated_keys(targets).items():
        known.source_keys.setdefault(name, set()).update(keys)


def delegated_keys(targets: bytes) -> dict[str, set[str]]:
    """Public keys by source in the TUF targets of a key ring that was accepted.

    Read without the package that verified it, which only workspaces with a ring need.
    """
    signed = cast("dict[str, Any]", strict_json(targets))["signed"]
    delegations = signed.get("delegations") or {"keys": {}, "roles": []}
    return {
        role["name"]: {delegations["keys"][one]["keyval"]["public"] for one in role["keyids"]}
        for role in delegations["roles"]
    }
