"""The clean version becomes a release that a training job can verify."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from credenza.core.errors import InternalError, UntrustedError
from credenza.datasets.verify_release import verify_release
from credenza.gate.excision import excised_in
from credenza.provenance.row_proof import membership
from credenza.response.steps.rebuild import clean_version
from credenza.response.steps.step import RECOVER, Done
from credenza.store.rows import ReleaseRow, VersionRow

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.core.types import Release
    from credenza.response.steps.step import Case, Job

DIRECTORY = "release"


@dataclass(frozen=True, slots=True)
class MakeRelease:
    """A signed file set of the clean version, in the recovery's directory."""

    name: ClassVar[str] = "release"
    phase: ClassVar[str] = RECOVER
    after: ClassVar[tuple[str, ...]] = ("excise", "rebuild-baseline")

    def says(self) -> str:
        """What it does."""
        return "release the clean version, signed, and see that no excised batch is in it"

    def check(self, job: Job) -> None:
        """Nothing can contradict it before the version is there."""

    def apply(self, job: Job) -> Done:
        """Make it, or find what was made and recorded before a crash."""
        version = clean_version(job)
        directory = job.hands.desk / DIRECTORY
        made = _recorded(job, directory)
        if made is None:
            shutil.rmtree(directory, ignore_errors=True)  # written, but never recorded
            job.hands.desk.mkdir(parents=True, exist_ok=True)
            made = job.hands.release(job.dataset, directory, version)
        _check_clean(job, made, version)
        return Done({"release": made.digest, "version": version, "batches": len(made.batches)})


def propose(case: Case) -> MakeRelease | None:
    """Wherever something is excised, unless nobody wishes for it."""
    return None if case.wishes.measure or not case.wishes.is_released else MakeRelease()


def _recorded(job: Job, directory: Path) -> Release | None:
    if not directory.exists():
        return None
    try:
        found = verify_release(directory, trust=[job.hands.key])
    except UntrustedError:
        return None
    with job.stores.journal.catalog.snapshot() as index:
        return found if index.get(ReleaseRow, found.digest) else None


def _check_clean(job: Job, made: Release, version: int) -> None:
    """No batch that was taken out whole is attested, and no excised row is held."""
    with job.stores.journal.catalog.snapshot() as index:
        row = index.get(VersionRow, job.dataset, version)
    gone = () if row is None else row.removed
    back = [batch for batch in gone if membership(batch, made.batches).is_member]
    if back or excised_in(job.stores, job.dataset, version):
        raise InternalError(
            "excised-rows",
            f"release {made.digest[:16]} attests batches that were excised",
            why=f"{len(back)} of {len(gone)} are among its batches",
            fix="do not use it; run `credenza log audit`",
        )
