"""The senders are stopped: what they send waits for a person, or is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from credenza.core.types import Standing
from credenza.gate.journal import Event
from credenza.gate.registry import roster
from credenza.response.steps.step import CONTAIN, Done

if TYPE_CHECKING:
    from credenza.core.canonical import Json
    from credenza.response.steps.step import Case, Job


@dataclass(frozen=True, slots=True)
class HoldSources:
    """Batches of the sources wait until a person decides on one of them."""

    sources: tuple[str, ...]
    name: ClassVar[str] = "hold-sources"
    phase: ClassVar[str] = CONTAIN
    after: ClassVar[tuple[str, ...]] = ()

    def says(self) -> str:
        """What it does."""
        return f"hold what comes from {_listed(self.sources)}"

    def check(self, job: Job) -> None:
        """Every source must be registered."""
        _check(job, self.sources)

    def apply(self, job: Job) -> Done:
        """One event; the fold puts the sources under watch."""
        document: dict[str, Json] = {
            "dataset": job.dataset,
            "sources": list(self.sources),
            "incident": "",
            "recovery": job.plan[:12],
        }
        return Done({"sources": list(self.sources)}, [Event("hold", document)])


@dataclass(frozen=True, slots=True)
class FreezeSources:
    """The sources may submit nothing more."""

    sources: tuple[str, ...]
    name: ClassVar[str] = "freeze-sources"
    phase: ClassVar[str] = CONTAIN
    after: ClassVar[tuple[str, ...]] = ()

    def says(self) -> str:
        """What it does."""
        return f"refuse everything from {_listed(self.sources)}"

    def check(self, job: Job) -> None:
        """Every source must be registered."""
        _check(job, self.sources)

    def apply(self, job: Job) -> Done:
        """Freeze those that still may submit."""
        known = roster(job.stores)
        for name in self.sources:
            if known.source(name).standing is Standing.ACTIVE:
                job.hands.freeze(name, job.reason)
        return Done({"sources": list(self.sources)})


def propose_hold(case: Case) -> HoldSources | None:
    """All senders of suspicious rows."""
    return HoldSources(_senders(case)) if case.wishes.hold else None


def propose_freeze(case: Case) -> FreezeSources | None:
    """The same, where it is wished for."""
    return FreezeSources(_senders(case)) if case.wishes.freeze else None


def _senders(case: Case) -> tuple[str, ...]:
    return tuple(sorted({row.source for row in case.suspects.batches}))


def _check(job: Job, sources: tuple[str, ...]) -> None:
    known = roster(job.stores)
    for name in sources:
        known.source(name)


def _listed(sources: tuple[str, ...]) -> str:
    shown = ", ".join(sources[:6])
    return shown + (f" and {len(sources) - 6} more" if len(sources) > 6 else "")
