"""A recovery as data: drawn up from a suspicion, read by people, named by its digest.

Drawing a plan up changes nothing. Whoever edits its file gets another plan with another
digest, which is checked as if it were new.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, cast

from credenza.core.canonical import canonical_json, sha256_hex, strict_json
from credenza.core.errors import ConflictError, UsageError
from credenza.core.spans import minus
from credenza.gate.records import campaign_from
from credenza.response.blast import blast_radius
from credenza.response.steps.builtin import PARTS
from credenza.response.steps.codec import decoded, encoded
from credenza.response.steps.step import PHASES, Case
from credenza.response.suspicion import Suspicion, suspects
from credenza.store.rows import EntryRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from credenza.core.canonical import Json
    from credenza.core.spans import Spans
    from credenza.gate.stores import Stores
    from credenza.response.steps.step import Job, Step, Wishes

SCHEMA = "credenza.recovery-plan/1"
MAX_PLAN_BYTES = 256 * 2**20
ALTERNATIVES = ("excise", "down-weight", "cap", "exclude-slice")
"""What becomes of the rows; a plan has one of them at most."""

_KINDS = {part.kind.name: part.kind for part in PARTS}
_FIELDS = frozenset({"schema", "suspicion", "rows", "finding", "size", "steps"})


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in order.

    Attributes:
        rows: everything that the suspicion meant when the plan was drawn up, by batch.
        finding: ledger index of what gave rise to it; None when a person did.
        size: entries of the ledger when it was drawn up.
    """

    suspicion: Suspicion
    rows: Mapping[str, Spans]
    finding: int | None
    size: int
    steps: tuple[Step, ...]

    @property
    def document(self) -> dict[str, Json]:
        """The plan as JSON."""
        return {
            "schema": SCHEMA,
            "suspicion": encoded(self.suspicion),
            "rows": {batch: [[*pair] for pair in spans] for batch, spans in self.rows.items()},
            "finding": self.finding,
            "size": self.size,
            "steps": [{"step": step.name, **encoded(step)} for step in self.steps],
        }

    @property
    def digest(self) -> str:
        """SHA-256 of its canonical JSON: its name."""
        return sha256_hex(canonical_json(self.document))


def draw_up(stores: Stores, suspicion: Suspicion, wishes: Wishes) -> Plan:
    """The plan that a suspicion and somebody's wishes ask for; nothing is changed.

    Raises:
        NotFoundError: what is suspected does not exist.
        UsageError: nothing is suspected, or a wish is malformed.
    """
    case = Case(
        stores,
        suspicion,
        suspects(stores, suspicion),
        blast_radius(stores, suspicion),
        wishes,
    )
    if wishes.measure and wishes.measure not in ALTERNATIVES[1:]:
        raise UsageError(
            "no-such-measure",
            f"no measure is called {wishes.measure[:60]!r}",
            why=f"the measures are: {', '.join(ALTERNATIVES[1:])}",
            fix="name one of these",
        )
    steps = [step for part in PARTS if (step := part.propose(case)) is not None]
    return Plan(
        suspicion,
        case.suspects.rows,
        found_at(stores, {row.source for row in case.suspects.batches}, suspicion.since),
        stores.journal.ledger.size,
        tuple(steps),
    )


def read_plan(data: bytes) -> Plan:
    """The plan of a file.

    Raises:
        UntrustedError: it is not strict JSON.
        UsageError: it is no plan, or a step is unknown or malformed.
    """
    found = strict_json(data, max_bytes=MAX_PLAN_BYTES)
    if not isinstance(found, dict) or found.get("schema") != SCHEMA or set(found) != _FIELDS:
        fields = ", ".join(sorted(_FIELDS))
        why = f"a plan has exactly the fields {fields}"
        raise _bad("this is no plan of this version of credenza", why)
    rows = decoded(_Rows, {"rows": found["rows"]}, "the plan").rows
    finding, size = found["finding"], found["size"]
    if not isinstance(size, int) or not isinstance(finding, int | None):
        raise _bad("the plan's finding and size are no numbers", "both are entries of the ledger")
    steps = found["steps"]
    if not isinstance(steps, list) or not steps:
        raise _bad("the plan has no steps", "a way back is a list of steps")
    suspicion = found["suspicion"]
    if not isinstance(suspicion, dict):
        raise _bad("the plan names no suspicion", "a recovery takes out what is suspected")
    return Plan(
        decoded(Suspicion, suspicion, "the suspicion"),
        rows,
        finding,
        size,
        tuple(_step(one) for one in steps),
    )


def _bad(what: str, why: str) -> UsageError:
    return UsageError("bad-plan", what, why=why, fix="draw one up with `credenza recover plan`")


def check(plan: Plan, job: Job) -> None:
    """See that a plan can be carried out as things stand; nothing is changed.

    Raises:
        ConflictError: it contradicts itself or the workspace, or is stale.
        CredenzaError: a step is unfit.
    """
    for why in _contradictions(plan.steps):
        raise ConflictError(
            "contradictory-plan",
            f"the plan contradicts itself: {why}",
            why="plans may be edited by hand; what is applied must hold together",
            fix="draw it up again",
        )
    found = suspects(job.stores, plan.suspicion).rows
    if found != plan.rows:
        raise ConflictError(
            "stale-plan",
            "the suspicion means other rows than when the plan was drawn up",
            why=f"{len(found)} batches now, {len(plan.rows)} then",
            fix="draw it up again with `credenza recover plan`",
        )
    for step in plan.steps:
        rows = cast("Mapping[str, Spans]", getattr(step, "rows", {}))
        beyond = [batch for batch in rows if minus(rows[batch], plan.rows.get(batch, ()))]
        if beyond:
            raise ConflictError(
                "contradictory-plan",
                f"step {step.name!r} touches rows that are not under suspicion",
                why=f"of batch {beyond[0][:16]}",
                fix="draw it up again",
            )
        step.check(job)


def found_at(stores: Stores, sources: set[str], since: str = "") -> int | None:
    """The first entry in which a campaign names or suspects one of the sources.

    Args:
        stores: the workspace.
        sources: names.
        since: campaigns of earlier windows do not count.
    """
    with stores.journal.catalog.snapshot() as index:
        entries = [*index.find(EntryRow, kind="settlement"), *index.find(EntryRow, kind="rescreen")]
    for entry in sorted(entries, key=lambda row: row.index):
        told = stores.journal.document(entry.digest)["campaigns"]
        for document in cast("list[dict[str, Json]]", told):
            campaign = campaign_from(document)
            moved = {*campaign.sources, *campaign.suspected}
            if sources & moved and campaign.window >= since:
                return entry.index
    return None


@dataclass(frozen=True, slots=True)
class _Rows:
    rows: Mapping[str, Spans]


def _step(document: Json) -> Step:
    if not isinstance(document, dict) or document.get("step") not in _KINDS:
        named = document.get("step") if isinstance(document, dict) else document
        raise UsageError(
            "no-such-step",
            f"no step is called {str(named)[:60]!r}",
            why=f"the steps are: {', '.join(_KINDS)}",
            fix="draw the plan up again with `credenza recover plan`",
        )
    kind = _KINDS[str(document["step"])]
    fields = {name: value for name, value in document.items() if name != "step"}
    return decoded(kind, fields, f"step {kind.name!r}")


def _contradictions(steps: Sequence[Step]) -> Iterator[str]:
    names = [step.name for step in steps]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"step {name!r} comes twice"
    for place, step in enumerate(steps):
        for needed in step.after:
            if needed not in names[:place]:
                yield f"step {step.name!r} needs {needed!r} before it"
    for one, other in pairwise(steps):
        if PHASES.index(one.phase) > PHASES.index(other.phase):
            yield f"step {other.name!r} comes after {one.name!r}, which is of a later phase"
    fates = [name for name in names if name in ALTERNATIVES]
    if len(fates) > 1:
        yield f"the rows cannot both meet {fates[0]!r} and {fates[1]!r}"
