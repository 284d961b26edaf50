"""A recovery drill: what would happen, and how long it would take, found out beforehand.

It runs on a copy. What a drill shows is that *this* workspace can be brought back from
*this* suspicion today: the plan fits, the content store has what the rebuild needs, the
commands run. Blind to what a real incident adds: people who must be found, and a suspicion
that is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import CredenzaError, PendingError, UsageError
from credenza.gate.journal import Event
from credenza.provenance.keys import new_key
from credenza.response import recover
from credenza.response.blast import blast_radius
from credenza.response.declaration import PEOPLE, signed
from credenza.response.plan import draw_up
from credenza.response.steps.codec import encoded
from credenza.response.steps.declare import DeclareClean
from credenza.response.suspicion import Suspicion
from credenza.store.rows import BatchRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.core.canonical import Json
    from credenza.gate.stores import Stores
    from credenza.provenance.keys import SigningKey
    from credenza.response.plan import Plan
    from credenza.response.steps.step import Hands, Wishes

KIND = "rehearsal"


@dataclass(frozen=True, slots=True)
class Timed:
    """A step of the drill and how long it took, in seconds."""

    name: str
    phase: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Scorecard:
    """What a drill showed.

    Attributes:
        suspicion: what was rehearsed.
        rows, batches: under suspicion.
        copied_s: seconds that the copy took: the time to bring a backup back is no less.
        failure: why a step failed, "" when none did.
    """

    suspicion: Suspicion
    rows: int
    batches: int
    copied_s: float
    steps: tuple[Timed, ...]
    failure: str

    def until(self, phase: str) -> float | None:
        """Seconds to the end of a phase; None when the drill did not get there."""
        places = [place for place, step in enumerate(self.steps) if step.phase == phase]
        if self.failure or not places:
            return None
        return sum(step.seconds for step in self.steps[: places[-1] + 1])

    @property
    def document(self) -> dict[str, Json]:
        """For the ledger."""
        return {
            "suspicion": encoded(self.suspicion),
            "rows": self.rows,
            "batches": self.batches,
            "copied_s": f"{self.copied_s:.3f}",
            "steps": [
                {"step": one.name, "phase": one.phase, "seconds": f"{one.seconds:.3f}"}
                for one in self.steps
            ],
            "failure": self.failure,
        }


def draw_suspicion(stores: Stores, dataset: str, seed: int) -> Suspicion:
    """One sender from one window on, drawn by the seed among those whose rows were admitted.

    Raises:
        UsageError: nothing was admitted.
    """
    with stores.journal.catalog.snapshot() as index:
        admitted = index.find(BatchRow, dataset=dataset, status="admitted")
    if not admitted:
        raise UsageError(
            "nothing-admitted",
            f"nothing of {dataset[:70]!r} was admitted, so there is no way back to rehearse",
            why="a rehearsal takes out a part of what was admitted",
            fix="settle something first: `credenza dataset log` lists versions",
        )
    rng = np.random.default_rng(seed)
    ordered = sorted(admitted, key=lambda row: row.submitted_index)
    first = ordered[int(rng.integers(len(ordered) // 2, len(ordered)))]
    later = [row.digest for row in ordered if row.source == first.source]
    return Suspicion(dataset, batches=tuple(later[later.index(first.digest) :]))


def drill(
    stores: Stores,
    hands: Callable[[str, Mapping[str, str]], Hands],
    suspicion: Suspicion,
    wishes: Wishes,
    *,
    copied_s: float,
    timer: Callable[[], float],
) -> Scorecard:
    """Recover the copy, as two made-up members, and time every step.

    Args:
        stores: of the copy, which is changed.
        hands: what steps may do there, by the plan's digest and the members.
        suspicion: what is rehearsed.
        wishes: for the plan; everything unknown is waived.
        copied_s: goes into the scorecard.
        timer: seconds, rising.
    """
    radius = blast_radius(stores, suspicion)
    plan = draw_up(stores, suspicion, wishes)
    keys = [new_key() for _ in range(PEOPLE)]
    ready = hands(plan.digest, {key.public: f"drill-{n}" for n, key in enumerate(keys)})
    timed: list[Timed] = []
    failure = ""
    try:
        _take(stores, ready, plan, timed, timer)
    except PendingError:
        _sign(stores, ready, plan, keys)
        try:
            _take(stores, ready, plan, timed, timer)
        except CredenzaError as wrong:
            failure = f"{wrong.what}; {wrong.why}"
    except CredenzaError as wrong:
        failure = f"{wrong.what}; {wrong.why}"
    suspects = sum(one.suspects for one in radius.batches)
    return Scorecard(suspicion, suspects, len(radius.batches), copied_s, tuple(timed), failure)


def _take(
    stores: Stores, hands: Hands, plan: Plan, timed: list[Timed], timer: Callable[[], float]
) -> None:
    began = timer()
    for step in recover.apply(stores, hands, plan):
        now = timer()
        if step.is_new:
            timed.append(Timed(step.name, step.phase, now - began))
        began = now


def _sign(stores: Stores, hands: Hands, plan: Plan, keys: list[SigningKey]) -> None:
    known = recover.recovery(stores, plan.digest)
    job = recover.job_of(stores, hands, known)
    terms = next(step.terms(job) for step in plan.steps if isinstance(step, DeclareClean))
    stores.journal.record([signed(terms, key) for key in keys])


def scored(card: Scorecard) -> Event:
    """The ledger's event of a drill."""
    return Event(KIND, {"dataset": card.suspicion.dataset, **card.document})
