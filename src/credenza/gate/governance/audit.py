"""Everything governed, judged again from the ledger alone: by whom, on whose approval.

The gate asks before it acts. This asks afterwards, so that a gate that did not ask (its code
changed, its catalog edited) is found out by whoever holds a copy of the ledger's content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.core.errors import CredenzaError
from credenza.gate.governance.charter import Charter
from credenza.gate.governance.reading import GOVERNING, learn
from credenza.gate.governance.requests import judge
from credenza.gate.policy_file import load_policy
from credenza.gate.registry import RING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.canonical import Json
    from credenza.core.types import Entry
    from credenza.gate.governance.statements import Request
    from credenza.gate.stores import Stores

    Document = Mapping[str, Json]

# Which request an entry of each kind needs: its action, or where it is found in the entry;
# and which terms must be what the entry says.
ACTION_OF: Mapping[str, Mapping[str, str]] = {
    "decision": {"admit": "admit", "reject": "reject"},
    "source": {
        "source-added": "add-source",
        "key-added": "change-source",
        "source-frozen": "freeze-source",
        "source-unfrozen": "clear-source",
        "source-revoked": "freeze-source",
    },
    "reopening": {"": "reopen"},
    "release": {"": "release"},
    "rollback": {"": "rollback"},
    "recall": {"": "recall"},
    "excision": {"": "excise"},
    "channel": {
        "moved": "move-channel",
        "rolled-back": "roll-back-channel",
        "emptied": "roll-back-channel",
    },
    "ring": {"": "follow-ring"},
    "policy": {"": "change-policy"},
    "charter": {"": "change-rules"},
    "declaration": {"": "declare-clean"},
    "incident": {"closed": "close-incident"},
    "member": {
        "member-added": "change-members",
        "member-changed": "change-members",
        "member-removed": "change-members",
    },
}


@dataclass(frozen=True, slots=True)
class WarrantAudit:
    """What a look at every governed entry found.

    Attributes:
        governed_from: entry of the first charter; None when one person may do everything.
        entries: governed entries after it.
        problems: entries that no valid request stands behind, each with the reason.
    """

    governed_from: int | None
    entries: int
    problems: tuple[str, ...]


def audit_warrants(stores: Stores) -> WarrantAudit:
    """Fold the ledger again, and judge each governed entry as of the moment it was written.

    Complexity:
        Linear in the ledger; a document is read for each entry that governs or is governed.
    """
    known, ledger = Charter(), stores.journal.ledger
    start: int | None = None
    counted, problems = 0, []
    warrant: Request | None = None
    for entry in ledger.entries(0):
        known.size = entry.index
        if entry.kind not in GOVERNING and entry.kind not in ACTION_OF:
            warrant = None
            continue
        document = stores.journal.document(entry.digest)
        if known.is_governed and action_of(entry.kind, document):
            counted += 1
            wrong = unwarranted(known, entry.kind, document, warrant)
            problems += [f"entry {entry.index} ({entry.kind}): {wrong}"] if wrong else []
        warrant = None
        if known.is_governed and entry.kind == "act":
            try:
                warrant = _used(stores, known, entry, document)
            except CredenzaError as wrong_use:
                problems.append(f"entry {entry.index} (act): {wrong_use.what}; {wrong_use.why}")
        if entry.kind in GOVERNING:
            learn(stores, known, entry, document)
        if known.is_governed and start is None:
            start = entry.index
    return WarrantAudit(start, counted, tuple(problems))


def _used(stores: Stores, known: Charter, entry: Entry, document: Document) -> Request:
    """The request that an entry says it acts on, judged as of then."""
    signed = known.requests.get(str(document["request"]))
    if signed is None or signed.request is None:
        raise CredenzaError("no-request", "no member signed the request that it names")
    found = judge(stores, known, signed, entry.time_s)
    if not found.allowed:
        raise CredenzaError(
            "not-allowed",
            f"the rules did not allow it: {len(found.approvers)} approvals",
            why="; ".join((*found.errors, *found.rules, *found.void)),
        )
    return signed.request


def action_of(kind: str, document: Document) -> str:
    """The action for which an entry needs a request, "" for none."""
    actions = ACTION_OF.get(kind, {})
    named = str(document.get("event") or document.get("outcome") or "")
    return actions.get(named) or actions.get("", "")


def unwarranted(known: Charter, kind: str, document: Document, warrant: Request | None) -> str:
    """What is wrong with the warrant of an entry, "" when nothing is.

    A rejection by which the policy ends an undecided wait is nobody's act, and the next
    state of a ring that is followed already is its keepers': these need none.
    """
    action = action_of(kind, document)
    if warrant is None:
        is_free = (kind == RING and known.follows_ring) or _expired(known, document)
        return "" if is_free else "nothing before it allows it"
    if warrant.action != action:
        return f"what was allowed is {warrant.action}, not {action}"
    both = warrant.terms.keys() & document.keys()
    differ = sorted(name for name in both if warrant.terms[name] != document[name])
    return f"it differs from what was allowed in {', '.join(differ)}" if differ else ""


def _expired(known: Charter, document: Document) -> bool:
    days = load_policy(known.policy.encode("utf-8")).quarantine.expire_days
    reason = f"expired: nobody decided within {days} days"
    return bool(days) and document.get("outcome") == "reject" and document["reason"] == reason
