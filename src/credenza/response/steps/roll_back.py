"""Channels that point to suspicious rows go back to where they pointed before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from credenza.core.errors import ConflictError
from credenza.gate.excision import excised_in
from credenza.gate.holdings import holdings
from credenza.response.channels import channel, emptied, history, rolled_back
from credenza.response.steps.step import CONTAIN, Done
from credenza.store.rows import ReleaseRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.gate.journal import Event
    from credenza.response.channels import Channel
    from credenza.response.steps.step import Case, Job


@dataclass(frozen=True, slots=True)
class RollBackChannels:
    """Each channel becomes what an earlier move of it made it, or points nowhere.

    Attributes:
        to: by channel, ledger index of the move to go back to; None to empty it.
    """

    to: Mapping[str, int | None]
    name: ClassVar[str] = "roll-back-channels"
    phase: ClassVar[str] = CONTAIN
    after: ClassVar[tuple[str, ...]] = ()

    def says(self) -> str:
        """What it does."""
        told = [
            f"{name} to {'nothing' if at is None else f'where entry {at} put it'}"
            for name, at in sorted(self.to.items())
        ]
        return f"roll back {', '.join(told)}"

    def check(self, job: Job) -> None:
        """Every target must be a move of that channel, to a version without suspicious rows."""
        held = holdings(job.stores, job.dataset, job.rows)
        for name, target in self._targets(job).items():
            if target is not None and target.version is not None and held.get(target.version):
                raise ConflictError(
                    "contradictory-plan",
                    f"channel {name!r} would go back to version {target.version}, which holds "
                    "suspicious rows",
                    why="a channel goes back to what nobody suspects",
                    fix="draw the plan up again, or empty the channel",
                )

    def apply(self, job: Job) -> Done:
        """A move for each channel that is not there yet."""
        for name, target in self._targets(job).items():
            now = channel(job.stores, job.dataset, name)
            event = (
                emptied(now, job.reason)
                if target is None
                else rolled_back(job.stores, target, job.reason)
            )
            take(job, "roll-back-channel", event)
        return Done({"channels": dict(self.to)})

    def _targets(self, job: Job) -> dict[str, Channel | None]:
        found: dict[str, Channel | None] = {}
        for name, at in sorted(self.to.items()):
            channel(job.stores, job.dataset, name)
            moves = {move.index: move for move in history(job.stores, job.dataset, name)}
            if at is not None and at not in moves:
                raise ConflictError(
                    "contradictory-plan",
                    f"entry {at} is no move of channel {name!r}",
                    why=f"its moves are entries {', '.join(map(str, moves))}",
                    fix="draw the plan up again",
                )
            found[name] = None if at is None else moves[at]
        return found


def take(job: Job, action: str, event: Event) -> None:
    """Record a move of a channel, unless the channel points there already."""
    document = event.document
    now = channel(job.stores, job.dataset, str(document["channel"]))
    if (now.version, now.release) != (document["version"], document["release"]):
        with job.hands.warrant(action, document):
            job.stores.journal.record([event])


def propose(case: Case) -> RollBackChannels | None:
    """For each affected channel its newest earlier target that is free of suspicion."""
    affected = case.radius.channels
    if not affected or case.wishes.measure:
        return None
    return RollBackChannels({one.name: _last_good(case, one) for one in affected})


def _last_good(case: Case, now: Channel) -> int | None:
    tainted = {version.number for version in case.radius.versions}
    with case.stores.journal.catalog.snapshot() as index:
        known = index.find(ReleaseRow, dataset=now.dataset)
    recalled = {row.digest for row in known if row.standing != "good"}
    for move in reversed(history(case.stores, now.dataset, now.name)):
        if move.version is None or move.version in tainted or move.release in recalled:
            continue
        if not excised_in(case.stores, now.dataset, move.version):
            return move.index
    return None
