"""Releases with suspicious rows are recalled, so that verifiers refuse them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from credenza.core.errors import NotFoundError
from credenza.response.steps.step import CONTAIN, Done
from credenza.store.rows import ReleaseRow

if TYPE_CHECKING:
    from credenza.response.steps.step import Case, Job


@dataclass(frozen=True, slots=True)
class RecallReleases:
    """Nobody may train on these releases any more."""

    releases: tuple[str, ...]
    name: ClassVar[str] = "recall-releases"
    phase: ClassVar[str] = CONTAIN
    after: ClassVar[tuple[str, ...]] = ()

    def says(self) -> str:
        """What it does."""
        return f"recall {len(self.releases)} release{'s' if len(self.releases) != 1 else ''}"

    def check(self, job: Job) -> None:
        """Every release must be one of the dataset."""
        strangers = sorted(set(self.releases) - set(_standings(job)))
        if strangers:
            raise NotFoundError(
                "no-such-release",
                f"{job.dataset!r} has no release {strangers[0][:64]!r}",
                why="the ledger knows of no such release of that dataset",
                fix="draw the plan up again",
            )

    def apply(self, job: Job) -> Done:
        """Recall those that are still good."""
        standings = _standings(job)
        for digest in self.releases:
            if standings[digest] == "good":
                job.hands.recall(digest, job.reason)
        return Done({"releases": list(self.releases)})


def propose(case: Case) -> RecallReleases | None:
    """Every good release of a version that holds suspicious rows."""
    good = tuple(one.digest for one in case.radius.releases if one.standing == "good")
    return RecallReleases(good) if good and not case.wishes.measure else None


def _standings(job: Job) -> dict[str, str]:
    with job.stores.journal.catalog.snapshot() as index:
        return {row.digest: row.standing for row in index.find(ReleaseRow, dataset=job.dataset)}
