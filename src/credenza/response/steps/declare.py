"""The end: what "clean" means is checked, written down, and signed by two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from credenza.core.errors import ConflictError, UsageError
from credenza.core.spans import size
from credenza.gate.excision import held_now
from credenza.gate.journal import Event
from credenza.response.blast import blast_radius
from credenza.response.declaration import check_signed
from credenza.response.steps.step import RECOVER, Done
from credenza.response.suspicion import cut
from credenza.store.rows import EntryRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from credenza.core.canonical import Json
    from credenza.response.blast import BlastRadius
    from credenza.response.steps.step import Case, Job

KIND = "declaration"


@dataclass(frozen=True, slots=True)
class DeclareClean:
    """The stated criteria hold, and two people say so.

    Attributes:
        criteria: names of ``CRITERIA``.
        waivers: by kind of unknown, why it does not stand in the way.
    """

    criteria: tuple[str, ...]
    waivers: Mapping[str, str]
    name: ClassVar[str] = "declare-clean"
    phase: ClassVar[str] = RECOVER
    after: ClassVar[tuple[str, ...]] = ()

    def says(self) -> str:
        """What it does."""
        return f"declare it clean by two people, if {'; '.join(_SAID[c] for c in self.criteria)}"

    def check(self, job: Job) -> None:  # noqa: ARG002 - one signature
        """Every criterion must be known, at least one stated, and a waiver needs a reason."""
        odd = sorted(set(self.criteria) - set(CRITERIA))
        if odd or not self.criteria:
            raise UsageError(
                "no-such-criterion",
                f"no criterion is called {odd[0][:60]!r}" if odd else "no criterion is stated",
                why=f"the criteria are: {', '.join(CRITERIA)}",
                fix="state some of these",
            )
        empty = sorted(kind for kind, reason in self.waivers.items() if not reason.strip())
        if empty:
            raise UsageError(
                "no-reason",
                f"the waiver of {empty[0][:60]!r} needs a reason",
                why="whoever signs the declaration reads it",
                fix="say why it may be left out",
            )

    def apply(self, job: Job) -> Done:
        """Check the criteria as things stand, and the signatures under what was found."""
        radius = blast_radius(job.stores, job.suspicion)
        broken = [why for name in self.criteria for why in CRITERIA[name](self, job, radius)]
        if broken:
            raise ConflictError(
                "not-clean",
                f"it cannot be declared clean: {broken[0]}",
                why="; ".join(broken[1:]) or "the plan's criteria ask for it",
                fix="mend it, or draw up a plan that waives it with a reason",
            )
        terms = self.terms(job)
        known = _declared(job)
        if known is not None:
            return Done(known)
        with job.hands.warrant("declare-clean", terms):
            names: tuple[str, ...] = ()
            if not job.hands.is_governed:
                names = check_signed(job.stores, terms, job.hands.members)
            result: dict[str, Json] = {
                "criteria": list(self.criteria),
                "signed_by": list(names),
            }
            job.stores.journal.record([Event(KIND, {**terms, **result})])
        return Done(result)

    def terms(self, job: Job) -> dict[str, Json]:
        """The declaration: what was done, and by which criteria it is clean."""
        return {
            "incident": job.plan,
            "dataset": job.dataset,
            "criteria": list(self.criteria),
            "waivers": dict(self.waivers),
            "results": {name: dict(result) for name, result in sorted(job.results.items())},
        }


def _declared(job: Job) -> dict[str, Json] | None:
    """What an earlier try declared before it was killed."""
    with job.stores.journal.catalog.snapshot() as index:
        entries = index.find(EntryRow, kind=KIND)
    for entry in entries:
        document = job.stores.journal.document(entry.digest)
        if document["incident"] == job.plan:
            return {name: document[name] for name in ("criteria", "signed_by")}
    return None


def propose(case: Case) -> DeclareClean | None:
    """Always; with a measure it says that what stays is bounded."""
    criteria = ("bounded", "known") if case.wishes.measure else ("excised", *_STRICT, "known")
    return DeclareClean(criteria, dict(case.wishes.waivers))


def _excised(step: DeclareClean, job: Job, radius: BlastRadius) -> Iterator[str]:  # noqa: ARG001 - one signature
    left = cut(job.rows, held_now(job.stores, job.dataset, job.rows))
    if left:
        yield f"the newest version holds {sum(map(size, left.values()))} suspicious rows"
    if "rebuild-baseline" not in job.results:
        yield "the clean version was not compared with the signed batches"


def _channels(step: DeclareClean, job: Job, radius: BlastRadius) -> Iterator[str]:  # noqa: ARG001 - one signature
    for one in radius.channels:
        yield f"channel {one.name} points to version {one.version}, which holds suspicious rows"


def _releases(step: DeclareClean, job: Job, radius: BlastRadius) -> Iterator[str]:  # noqa: ARG001 - one signature
    for one in radius.releases:
        if one.standing == "good":
            yield f"release {one.digest[:12]} holds suspicious rows and was not recalled"


def _known(step: DeclareClean, job: Job, radius: BlastRadius) -> Iterator[str]:  # noqa: ARG001 - one signature
    for one in radius.unknown:
        if one.kind not in step.waivers:
            yield f"{one.sentence} ({one.kind} is not waived)"


def _bounded(step: DeclareClean, job: Job, radius: BlastRadius) -> Iterator[str]:  # noqa: ARG001 - one signature
    if not any("bound" in result for result in job.results.values()):
        yield "no measure bounds what stays"


_STRICT = ("channels", "releases")
_SAID = {
    "excised": "the newest version is proven to hold no suspicious row",
    "channels": "no channel points to one",
    "releases": "no good release holds one",
    "known": "nothing is unknown or it is waived with a reason",
    "bounded": "the share that stays is bounded",
}
CRITERIA: Mapping[str, Callable[[DeclareClean, Job, BlastRadius], Iterator[str]]] = {
    "excised": _excised,
    "channels": _channels,
    "releases": _releases,
    "known": _known,
    "bounded": _bounded,
}
"""By name, a function that says what stands in the way."""
