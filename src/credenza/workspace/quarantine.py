"""What waits for a person, and how it is decided, as a workspace offers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.errors import NotFoundError, UsageError
from credenza.gate import questions
from credenza.gate.review import REVIEWABLE, reopen
from credenza.response import quarantine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.core.spans import Spans
    from credenza.gate.review import Decision
    from credenza.gate.stores import Stores
    from credenza.response.quarantine import Held, Queue
    from credenza.workspace.gate import Gate


class Quarantine:
    """Queues, expiry, and decisions on parts of what is held.

    Args:
        gate: whose ``decide`` admits and rejects, under its governance.
        stores: the gate's.
        clock: seconds since the epoch.
    """

    def __init__(self, gate: Gate, stores: Stores, clock: Callable[[], int]) -> None:
        self._gate = gate
        self._stores = stores
        self._clock = clock
        self._rule = gate.policies.in_force().quarantine

    def held(self, queue: str | None = None) -> list[Held]:
        """What waits for a person, oldest first; in one queue, or in all.

        Raises:
            NotFoundError: there is no such queue.
        """
        waiting = quarantine.held(self._stores, self._rule)
        if queue is None:
            return waiting
        names = [one.name for one in self.queues()]
        if queue not in names:
            raise NotFoundError(
                "no-such-queue",
                f"no queue is called {queue[:60]!r}",
                why=f"the queues are: {', '.join(names)}",
                fix="name it under [quarantine] in the policy",
            )
        return [one for one in waiting if one.queue == queue]

    def queues(self) -> list[Queue]:
        """Every queue, and whether it is over its limits."""
        waiting = quarantine.held(self._stores, self._rule)
        return quarantine.queues(waiting, self._rule, self._clock())

    def release(
        self,
        reason: str,
        *,
        outcome: str = "admit",
        batch: str = "",
        source: str = "",
        dataset: str = "",
        rows: Spans | None = None,
        where: Mapping[str, str] | None = None,
    ) -> list[Decision]:
        """Decide on a part of what is held: rows of a batch, a slice, or a whole source.

        Args:
            reason: goes into the ledger.
            outcome: "admit" or "reject".
            batch: digest or first digits; or else:
            source: all that is open of this sender, batch by batch.
            dataset: of that sender's batches, those to this dataset only.
            rows: positions in the batch; all that is open by default.
            where: only rows with these values, as text, by column.

        Raises:
            UsageError: neither a batch nor a source is named, or no open row is meant.
        """
        if bool(batch) == bool(source) or (rows is not None and (source or where)):
            raise UsageError(
                "bad-part",
                "name a batch, perhaps with rows or a slice; or a source, perhaps with a slice",
                why="a decision is about one batch or one source",
                fix="give BATCH, with --rows or --where if need be; or --source, with --where",
            )
        names = [batch] if batch else self._of_source(source, dataset)
        done = []
        for name in names:
            row = questions.batch_row(self._stores, name)
            meant = quarantine.open_where(self._stores, row, where) if where else rows
            if meant != ():
                done.append(self._gate.decide(row.digest, outcome, reason, rows=meant))
        if not done:
            raise UsageError(
                "nothing-meant",
                "no row that waits for a decision is meant",
                why="what was named is decided, or was never stopped",
                fix="run `credenza review list`",
            )
        return done

    def _of_source(self, source: str, dataset: str) -> list[str]:
        self._gate.source(source)
        return [
            one.batch
            for one in self.held()
            if one.source == source
            and dataset in ("", one.dataset)
            and one.status in (*REVIEWABLE, "admitted")
        ]

    def expire(self) -> list[Decision]:
        """Reject what was undecided for longer than the policy allows."""
        return quarantine.expire(self._stores, self._rule, self._clock())

    def reopen(self, prefix: str, reason: str) -> None:
        """Take a rejection back: what it rejected waits for a decision again."""
        batch = questions.batch_row(self._stores, prefix).digest
        with self._gate.warrants.allow("reopen", {"batch": batch, "reason": reason}):
            reopen(self._stores, batch, reason)
