"""What a person decides: on a held batch, on rows kept out, on going back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.core.errors import ConflictError, NotFoundError, UsageError
from credenza.gate.excision import refuse_excised, reinstated
from credenza.gate.journal import Event
from credenza.gate.publication import finish_pending
from credenza.store.rows import BatchRow, VersionRow

if TYPE_CHECKING:
    from credenza.core.canonical import Json
    from credenza.core.types import Version
    from credenza.gate.stores import Stores

REVIEWABLE = ("held", "quarantined")


@dataclass(frozen=True, slots=True)
class Decision:
    """A reviewer's word on a batch.

    Attributes:
        version: the dataset version it made, when it admitted rows.
    """

    batch: str
    outcome: str
    reason: str
    version: int | None


def decide_batch(stores: Stores, digest: str, outcome: str, reason: str) -> Decision:
    """Admit or reject what was held, quarantined, or kept out of an admitted batch.

    Admitting also ends the watch on the batch's source: a person has looked at it.

    Raises:
        UsageError: no such outcome, or no reason.
        ConflictError: nothing of the batch waits for a decision.
    """
    if outcome not in ("admit", "reject"):
        raise UsageError("bad-outcome", f"a review ends in admit or reject, not {outcome!r}")
    if not reason.strip():
        raise UsageError(
            "no-reason",
            "a decision needs a reason",
            why="whoever reads the log in a year must learn why",
            fix="add --reason",
        )
    stores.journal.lock()  # from here on nobody else decides on it
    with stores.journal.catalog.snapshot() as index:
        row = index.get(BatchRow, digest)
    if row is None:
        raise NotFoundError("no-such-batch", f"no batch is {digest[:16]}")
    split = row.status == "admitted" and row.quarantined_rows > 0
    if row.status not in REVIEWABLE and not split:
        raise ConflictError(
            "nothing-to-review",
            f"batch {row.digest[:16]} is {row.status}",
            why="only what is held, quarantined or kept out can be decided on",
            fix="run `credenza review list`",
        )
    only: Json = None
    if split and row.verdict_index is not None:
        only = stores.event(row.verdict_index)["quarantined_rows"]
    publish: list[Json] = []
    if outcome == "admit":
        publish = [{"batch": row.digest, "only": only, "without": []}]
    document: dict[str, Json] = {
        "batch": row.digest,
        "outcome": outcome,
        "reason": reason,
        "publish": publish,
        "rationale": f"reviewed: {reason}",
    }
    stores.journal.record([Event("decision", document)])
    versions = finish_pending(stores)
    return Decision(row.digest, outcome, reason, versions[-1].number if versions else None)


def roll_back(
    stores: Stores, dataset: str, version: int, reason: str, *, reinstate: bool = False
) -> Version:
    """Make an earlier version's content the newest version; nothing is destroyed.

    Args:
        stores: the workspace.
        dataset: its name.
        version: of which the content comes back.
        reason: goes into the ledger.
        reinstate: also bring back what was excised since: an excision that was a mistake.

    Raises:
        NotFoundError: no such version.
        UsageError: no reason.
        ConflictError: it holds excised rows, and they are not to be reinstated.
    """
    if not reason.strip():
        raise UsageError("no-reason", "a rollback needs a reason", fix="add --reason")
    stores.journal.lock()
    with stores.journal.catalog.snapshot() as index:
        known = index.find(VersionRow, dataset=dataset)
    if version not in [row.number for row in known]:
        numbers = ", ".join(str(row.number) for row in known) or "none"
        raise NotFoundError(
            "no-such-version",
            f"{dataset!r} has no version {version}",
            why=f"its versions are: {numbers}",
        )
    document: dict[str, Json] = {
        "dataset": dataset,
        "version": version,
        "rationale": f"rolled back to version {version}: {reason}",
        "reinstated": reinstated(stores, dataset, version),
    }
    if document["reinstated"] and not reinstate:
        refuse_excised(stores, dataset, version)
    stores.journal.record([Event("rollback", document)])
    return finish_pending(stores)[-1]
