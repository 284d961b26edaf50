"""What whoever answers an incident has at hand, and how the answer is written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.errors import NotFoundError, UsageError
from credenza.datasets.lineage_columns import BATCH, ROW
from credenza.gate.journal import Event
from credenza.gate.policy_file import load_policy
from credenza.response.incident import When
from credenza.response.incident_fold import after
from credenza.store.rows import BatchRow, EntryRow, VersionRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.core.canonical import Json
    from credenza.gate.policy import Policy
    from credenza.gate.stores import Stores
    from credenza.response.incident import Incident

KIND = "incident"


@dataclass(frozen=True, slots=True)
class Levers:
    """What an incident may move; in a governed workspace, only with the approvals it takes.

    Attributes:
        freeze: a source, with a reason: whatever it submits from now on is refused.
        recall: a release, with a reason.
        decide: on a held batch: admit or reject, with a reason.
    """

    freeze: Callable[[str, str], object]
    recall: Callable[[str, str], object]
    decide: Callable[[str, str, str], object]


@dataclass(frozen=True, slots=True)
class Desk:
    """The gate, its policy, its clock, and what may be moved.

    Attributes:
        text: the policy in force.
        clock: seconds since the epoch.
        plan: draws up the way back from an incident; changes nothing.
    """

    stores: Stores
    text: bytes
    clock: Callable[[], int]
    levers: Levers
    plan: Callable[[Incident], Mapping[str, object]]

    @property
    def policy(self) -> Policy:
        """The policy that ``text`` spells."""
        return load_policy(self.text)


def incidents(stores: Stores) -> dict[str, Incident]:
    """Every incident by its id, oldest first, as the ledger tells it."""
    with stores.journal.catalog.snapshot() as index:
        entries = index.find(EntryRow, kind=KIND)
    found: dict[str, Incident] = {}
    for entry in entries:
        document = stores.journal.document(entry.digest)
        name = str(document["incident"])
        found[name] = after(found.get(name), document, When(entry.index, entry.time_s))
    return found


def incident(stores: Stores, name: str) -> Incident:
    """One incident by its id.

    Raises:
        NotFoundError: there is none.
    """
    known = incidents(stores)
    if name not in known:
        raise NotFoundError(
            "no-such-incident",
            f"no incident is called {name[:60]!r}",
            why=f"the newest are: {', '.join(list(known)[-5:]) or 'none'}",
            fix="run `credenza incident list`",
        )
    return known[name]


def record(desk: Desk, known: Incident, event: str, by: str, **content: Json) -> Incident:
    """Write the next moment of an incident, if it may come next; the incident after it.

    Raises:
        ConflictError: the incident does not stand where this could happen; nothing is
            recorded.
        UsageError: nobody is named, or a reason is missing.
    """
    document = next_moment(desk, known, event, by, **content)
    desk.stores.journal.record([Event(KIND, document)])
    return incident(desk.stores, known.id)


def next_moment(
    desk: Desk, known: Incident, event: str, by: str, **content: Json
) -> dict[str, Json]:
    """What would be recorded of an incident's next moment; raises as ``record``."""
    if not by.strip():
        raise UsageError(
            "nobody",
            "somebody must answer for it",
            why="the ledger keeps who did what",
            fix="add --by NAME",
        )
    document: dict[str, Json] = {"incident": known.id, "event": event, "by": by, **content}
    journal = desk.stores.journal
    journal.lock()
    latest = incident(desk.stores, known.id)
    after(latest, document, When(journal.ledger.size, desk.clock()))
    return document


def batch_rows(stores: Stores, digests: tuple[str, ...]) -> list[BatchRow]:
    """The catalog's rows of the batches that are known, in the order of the ledger."""
    if not digests:
        return []
    with stores.journal.catalog.snapshot() as index:
        rows = index.find(BatchRow, digest=list(digests))
    return sorted(rows, key=lambda row: row.submitted_index)


def rows_left(stores: Stores, known: Incident) -> int:
    """How many of the rows that an incident is about the newest version still holds.

    Reads the two lineage columns of that version, so the answer does not rest on what the
    catalog says was published or removed. Blind to copies outside the dataset.
    """
    with stores.journal.catalog.snapshot() as index:
        newest = index.newest(VersionRow, dataset=known.dataset)
    if newest is None or not known.batches:
        return 0
    left = 0
    wanted = pa.array(known.batches, pa.string())
    for rows in stores.datasets.read(known.dataset, newest.number, columns=[BATCH, ROW]):
        meant = rows.filter(pc.is_in(rows[BATCH], value_set=wanted))
        for batch in pc.unique(meant[BATCH]).to_pylist():
            own = meant.filter(pc.equal(meant[BATCH], batch))
            only = known.rows.get(batch)
            left += (
                own.num_rows
                if only is None
                else int(pc.sum(pc.is_in(own[ROW], value_set=pa.array(only, pa.int64()))).as_py())
            )
    return left
