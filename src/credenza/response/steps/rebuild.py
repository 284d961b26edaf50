"""The proof: the version is the one that would have been built without the excised rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from credenza.core.errors import ConflictError
from credenza.response.rebuild import rebuild
from credenza.response.steps.step import ERADICATE, Done
from credenza.store.rows import VersionRow

if TYPE_CHECKING:
    from credenza.response.steps.step import Case, Job


@dataclass(frozen=True, slots=True)
class RebuildBaseline:
    """The clean version is built again from what was signed, and must be the same."""

    name: ClassVar[str] = "rebuild-baseline"
    phase: ClassVar[str] = ERADICATE
    after: ClassVar[tuple[str, ...]] = ("excise",)

    def says(self) -> str:
        """What it does."""
        return "build the clean version again from the signed batches and compare every row"

    def check(self, job: Job) -> None:
        """Nothing can contradict it before the version is there."""

    def apply(self, job: Job) -> Done:
        """Reads everything and changes nothing."""
        made = rebuild(job.stores, job.dataset, clean_version(job))
        return Done(
            {
                "version": made.version,
                "rows": made.rows,
                "batches": made.batches,
                "root": made.root,
            }
        )


def propose(case: Case) -> RebuildBaseline | None:
    """Wherever something is excised."""
    return None if case.wishes.measure else RebuildBaseline()


def clean_version(job: Job) -> int:
    """The version that this recovery's excision made.

    Raises:
        ConflictError: there is none, or the dataset went on since and rolled it back.
    """
    intent = job.results.get("excise", {}).get("intent")
    with job.stores.journal.catalog.snapshot() as index:
        made = [row for row in index.find(VersionRow, dataset=job.dataset) if row.intent == intent]
    if not made:
        raise ConflictError(
            "no-clean-version",
            "this recovery has made no clean version yet",
            why="what is rebuilt is trained on the version that an earlier step makes",
            fix="keep the step 'excise' before this one",
        )
    return made[-1].number
