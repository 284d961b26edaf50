"""What a person decides: on a held batch, on rows kept out, on going back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from credenza.core.errors import ConflictError, NotFoundError, UsageError
from credenza.core.spans import common, from_json, minus, size, spans_of, to_json, united
from credenza.gate.excision import refuse_excised, reinstated
from credenza.gate.journal import Event
from credenza.gate.publication import finish_pending
from credenza.store.rows import BatchRow, VersionRow

if TYPE_CHECKING:
    from credenza.core.canonical import Json
    from credenza.core.spans import Spans
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


def decide_batch(
    stores: Stores, digest: str, outcome: str, reason: str, rows: Spans | None = None
) -> Decision:
    """Admit or reject what was held, quarantined, or kept out of an admitted batch.

    Admitting all that was open also ends the watch on the batch's source: a person has
    looked at it.

    Args:
        stores: the workspace.
        digest: of the batch.
        outcome: "admit" or "reject".
        reason: goes into the ledger.
        rows: positions in the batch that it is about; the others go on waiting. All that
            is open by default.

    Raises:
        UsageError: no such outcome, no reason, or rows that are not open.
        ConflictError: nothing of the batch waits for a decision.
    """
    if outcome not in ("admit", "reject"):
        raise UsageError(
            "bad-outcome",
            f"a review ends in admit or reject, not {outcome!r}",
            why="whoever looked either lets it in or does not",
            fix="say admit or reject",
        )
    _check_reason(reason, "a decision")
    stores.journal.lock()  # from here on nobody else decides on it
    row = _known(stores, digest)
    waiting = open_rows(stores, row)
    if not waiting:
        raise ConflictError(
            "nothing-to-review",
            f"batch {row.digest[:16]} is {row.status}",
            why="only what is held, quarantined or kept out can be decided on",
            fix="run `credenza review list`",
        )
    meant = waiting if rows is None else _open_of(row, united(rows), waiting)
    whole = meant == ((0, row.records),)
    only: Json = None if whole else [place for start, stop in meant for place in range(start, stop)]
    publish: list[Json] = []
    if outcome == "admit":
        publish = [{"batch": row.digest, "only": only, "without": []}]
    document: dict[str, Json] = {
        "batch": row.digest,
        "outcome": outcome,
        "reason": reason,
        "decided": to_json(meant),
        "remaining": to_json(minus(waiting, meant)),
        "publish": publish,
        "rationale": f"reviewed: {reason}",
    }
    stores.journal.record([Event("decision", document)])
    versions = finish_pending(stores)
    return Decision(row.digest, outcome, reason, versions[-1].number if versions else None)


def _open_of(row: BatchRow, meant: Spans, waiting: Spans) -> Spans:
    """The rows that are meant, all of which must wait for a decision."""
    if not meant or common(meant, waiting) != meant:
        raise UsageError(
            "rows-not-open",
            f"some of these rows of batch {row.digest[:16]} do not wait for a decision",
            why=f"{size(minus(meant, waiting))} of {size(meant)} rows; open are {size(waiting)}",
            fix="run `credenza review list`, and count rows from 0",
        )
    return meant


def reopen(stores: Stores, digest: str, reason: str) -> None:
    """Take a rejection back: what it rejected waits for a decision again.

    Raises:
        UsageError: no reason.
        ConflictError: the batch was not rejected by a decision.
    """
    _check_reason(reason, "reopening")
    stores.journal.lock()
    row = _known(stores, digest)
    last = {} if row.decided_index is None else stores.event(row.decided_index)
    if row.status != "rejected" or last.get("outcome") != "reject" or "decided" not in last:
        raise ConflictError(
            "not-rejected",
            f"batch {row.digest[:16]} is {row.status}",
            why="only what a decision rejected can be opened again",
            fix="run `credenza batch list --status rejected`",
        )
    remaining = last["decided"]
    document: dict[str, Json] = {
        "batch": row.digest,
        "outcome": "hold",
        "reason": reason,
        "remaining": remaining,
    }
    stores.journal.record([Event("reopening", document)])


def open_rows(stores: Stores, row: BatchRow) -> Spans:
    """Positions of a batch that wait for a person: () when none do."""
    split = row.status == "admitted" and row.quarantined_rows > 0
    if row.status not in REVIEWABLE and not split:
        return ()
    if row.decided_index is not None:
        return from_json(stores.event(row.decided_index)["remaining"])
    if split and row.verdict_index is not None:
        kept = cast("list[int]", stores.event(row.verdict_index)["quarantined_rows"])
        return spans_of(kept)
    return ((0, row.records),) if row.records else ()


def _known(stores: Stores, digest: str) -> BatchRow:
    with stores.journal.catalog.snapshot() as index:
        row = index.get(BatchRow, digest)
    if row is None:
        raise NotFoundError(
            "no-such-batch",
            f"no batch is {digest[:16]}",
            why="the catalog has none of that digest",
            fix="run `credenza batch list`",
        )
    return row


def _check_reason(reason: str, what: str) -> None:
    if not reason.strip():
        raise UsageError(
            "no-reason",
            f"{what} needs a reason",
            why="whoever reads the log in a year must learn why",
            fix="add --reason",
        )


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
    _check_reason(reason, "a rollback")
    stores.journal.lock()
    with stores.journal.catalog.snapshot() as index:
        known = index.find(VersionRow, dataset=dataset)
    if version not in [row.number for row in known]:
        numbers = ", ".join(str(row.number) for row in known) or "none"
        raise NotFoundError(
            "no-such-version",
            f"{dataset!r} has no version {version}",
            why=f"its versions are: {numbers}",
            fix=f"run `credenza dataset log {dataset}`",
        )
    document: dict[str, Json] = {
        "dataset": dataset,
        "version": version,
        "rationale": f"rolled back to version {version}: {reason}",
        "reinstated": reinstated(stores, dataset, version),
        "at": stores.journal.ledger.size,  # going back to it twice is two rollbacks
    }
    if document["reinstated"] and not reinstate:
        refuse_excised(stores, dataset, version)
    stores.journal.record([Event("rollback", document)])
    return finish_pending(stores)[-1]
