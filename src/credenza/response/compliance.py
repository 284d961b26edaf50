"""Evidence for the controls of several frameworks, computed from the ledger.

Each control names a predicate, and the predicate's answer is its status; nobody writes one by
hand. "Evidenced" means that the ledger holds at least one entry of the kind, with the first and
the newest to look at. It never means compliant: whether an entry suffices is the auditor's
question, and most of every framework is about people.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import TYPE_CHECKING, cast

from credenza.core.errors import InternalError
from credenza.store.rows import EntryRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from credenza.core.canonical import Json
    from credenza.gate.policy import Policy
    from credenza.gate.stores import Stores

    Document = Mapping[str, Json]

SCHEMA = "credenza.controls/1"
MEANING = (
    "What the ledger holds that is evidence for each control. It is evidence *for* a control, "
    "and no claim to meet it."
)
STOPPED = ("hold", "quarantine", "reject")


class Status(StrEnum):
    """How a control stands."""

    EVIDENCED = "evidenced"
    CONFIGURED = "configured without evidence"
    GAP = "gap"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Control:
    """One control, in short words.

    Attributes:
        checked: its id and meaning were compared with the publisher's own text.
        predicate: what is evidence for it; "" for one that lies outside.
        outside: why it does.
    """

    framework: str
    id: str
    text: str
    checked: bool
    predicate: str = ""
    outside: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A predicate's answer.

    Attributes:
        entries: ledger entries that are evidence, oldest first.
        configured: the workspace is set up to produce some.
        what: what was counted, in words.
    """

    entries: tuple[int, ...]
    configured: bool
    what: str


@dataclass(frozen=True, slots=True)
class Assessed:
    """A control, its status, and the sentence and entries behind it."""

    control: Control
    status: Status
    sentence: str
    entries: tuple[int, ...] = ()


class Record:
    """The ledger by kind, read when a predicate asks.

    Args:
        stores: the workspace.
        policy: in force.
    """

    def __init__(self, stores: Stores, policy: Policy) -> None:
        self.policy = policy
        self._stores = stores
        self._known: dict[str, list[tuple[int, Document]]] = {}

    def of(self, kind: str, wanted: Callable[[Document], bool] = lambda _: True) -> tuple[int, ...]:
        """Entries of a kind whose document is wanted."""
        if kind not in self._known:
            with self._stores.journal.catalog.snapshot() as index:
                entries = index.find(EntryRow, kind=kind)
            self._known[kind] = [
                (one.index, self._stores.journal.document(one.digest)) for one in entries
            ]
        return tuple(index for index, document in self._known[kind] if wanted(document))

    def is_described(self, submission: Document) -> bool:
        """Whether the signed manifest of a batch says where its data is from."""
        manifest = self._stores.manifest(str(submission["batch"]))
        return bool(manifest.licence or manifest.provenance)


def controls(data: bytes | None = None) -> tuple[Control, ...]:
    """The controls that come with credenza.

    Raises:
        InternalError: their file is not as it should be.
    """
    text = data or (files("credenza.response") / "controls.toml").read_bytes()
    tree = tomllib.loads(text.decode("utf-8"))
    found = tuple(Control(**one) for one in tree["control"])
    names = {one.predicate for one in found if not one.outside}
    if tree["schema"] != SCHEMA or not names <= set(PREDICATES):
        raise InternalError("bad-controls", f"unknown predicates: {names - set(PREDICATES)}")
    return found


def assess(stores: Stores, policy: Policy) -> tuple[Assessed, ...]:
    """Every control with its status, in the order of the file."""
    record = Record(stores, policy)
    answers = {name: ask(record) for name, ask in PREDICATES.items()}
    return tuple(
        Assessed(one, Status.OUTSIDE, one.outside)
        if one.outside
        else _assessed(one, answers[one.predicate])
        for one in controls()
    )


def _assessed(control: Control, found: Found) -> Assessed:
    if found.entries:
        first, last = found.entries[0], found.entries[-1]
        where = f"entry {first}" if first == last else f"entries {first} to {last}"
        sentence = f"{len(found.entries)} {found.what}: {where}"
        return Assessed(control, Status.EVIDENCED, sentence, found.entries)
    status = Status.CONFIGURED if found.configured else Status.GAP
    return Assessed(control, status, f"no {found.what} in the ledger")


def by_status(assessed: Sequence[Assessed]) -> dict[str, int]:
    """How many controls have each status."""
    counts = Counter(one.status for one in assessed)
    return {str(status): counts[status] for status in Status}


def markdown(assessed: Sequence[Assessed]) -> str:
    """The report; every word of it is ours or the ledger's numbers."""
    lines = [
        "# Evidence for controls",
        "",
        MEANING,
        "",
        "| status | controls |",
        "|---|---|",
        *(f"| {status} | {count} |" for status, count in by_status(assessed).items()),
    ]
    framework = ""
    for one in assessed:
        if one.control.framework != framework:
            framework = one.control.framework
            lines += ["", f"## {framework}", "", "| control | status | evidence for it |"]
            lines += ["|---|---|---|"]
        mark = "" if one.control.checked else " (text not checked against the original)"
        lines.append(
            f"| {one.control.id}: {one.control.text}{mark} | {one.status} | {one.sentence} |"
        )
    return "\n".join([*lines, ""])


# ------------------------------------------------------------------ predicates


def _rules(verdict: Document) -> set[str]:
    return {str(one["rule"]) for one in cast("list[Document]", verdict["reasons"])}


def _registered(record: Record) -> Found:
    return Found(record.of("source"), configured=False, what="changes of registered sources")


def _signed(record: Record) -> Found:
    registered = bool(record.of("source"))
    return Found(record.of("submission"), registered, "batches whose signature and digests held")


def _described(record: Record) -> Found:
    entries = record.of("submission", record.is_described)
    registered = bool(record.of("source"))
    return Found(entries, registered, "batches whose manifest says licence or origin")


def _ledger(record: Record) -> Found:
    return Found(record.of("workspace"), configured=True, what="ledgers that this workspace keeps")


def _screened(record: Record) -> Found:
    entries = record.of("verdict", lambda verdict: "vouched" not in _rules(verdict))
    return Found(entries, bool(record.policy.detectors), "verdicts on batches that were screened")


def _stopped(record: Record) -> Found:
    def stops(verdict: Document) -> bool:
        return verdict["outcome"] in STOPPED or bool(verdict["quarantined_rows"])

    what = "verdicts that kept rows or batches out"
    return Found(record.of("verdict", stops), bool(record.policy.detectors), what)


def _campaigns(record: Record) -> Found:
    entries = record.of("settlement", lambda one: bool(one["panel"]))
    scans = record.policy.campaigns and record.policy.window.days > 0
    return Found(entries, scans, "windows that were scanned across sources")


def _diversity(record: Record) -> Found:
    entries = record.of("settlement", lambda one: bool(one.get("influence")))
    return Found(
        entries, bool(record.policy.diversity.slice_columns), "windows with each source's weight"
    )


def _decided(record: Record) -> Found:
    return Found(record.of("decision"), configured=True, what="decisions by reviewers")


def _validated(record: Record) -> Found:
    configured = bool(record.policy.quarantine.validators)
    return Found(record.of("validation"), configured, "independent validations")


def _relabelled(record: Record) -> Found:
    entries = record.of("validation", lambda one: one["validator"] == "relabel")
    return Found(entries, bool(record.of("relabelling")), "sheets that people labelled blindly")


def _governed(record: Record) -> Found:
    return Found(record.of("approval"), bool(record.of("charter")), "signed approvals")


def _lineage(record: Record) -> Found:
    what = "versions whose rows name batch, position and sender"
    return Found(record.of("version"), bool(record.of("source")), what)


def _versions(record: Record) -> Found:
    return Found(record.of("version"), bool(record.of("source")), "versions of datasets")


def _releases(record: Record) -> Found:
    return Found(record.of("release"), bool(record.of("version")), "signed releases")


def _recalled(record: Record) -> Found:
    entries = tuple(sorted((*record.of("recall"), *record.of("rollback"))))
    return Found(entries, bool(record.of("release")), "recalls and rollbacks")


def _incidents(record: Record) -> Found:
    entries = record.of("incident", lambda one: one["event"] in ("contained", "closed"))
    return Found(entries, configured=True, what="incidents contained or closed by a playbook")


def _recovered(record: Record) -> Found:
    return Found(record.of("recovery-step"), configured=True, what="steps of recoveries")


def _rehearsed(record: Record) -> Found:
    return Found(record.of("rehearsal"), bool(record.of("version")), "rehearsals on a copy")


def _revalidated(record: Record) -> Found:
    entries = record.of("recovery-step", lambda one: one.get("step") == "revalidate")
    return Found(entries, bool(record.of("train-run")), "models that were measured again")


PREDICATES: Mapping[str, Callable[[Record], Found]] = {
    "campaigns": _campaigns,
    "decided": _decided,
    "described": _described,
    "diversity": _diversity,
    "governed": _governed,
    "incidents": _incidents,
    "ledger": _ledger,
    "lineage": _lineage,
    "recalled": _recalled,
    "recovered": _recovered,
    "registered-sources": _registered,
    "rehearsed": _rehearsed,
    "relabelled": _relabelled,
    "revalidated": _revalidated,
    "screened": _screened,
    "signed-batches": _signed,
    "signed-releases": _releases,
    "stopped": _stopped,
    "validated": _validated,
    "versions": _versions,
}
