"""How a workspace is governed: the rules in force, who may do what by them, and the audit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.core.errors import ConflictError, UsageError
from credenza.gate.governance.audit import audit_warrants
from credenza.gate.governance.changes import able, check_able
from credenza.gate.governance.reading import charter
from credenza.gate.governance.rules import ACTIONS, Rules, shipped_rules
from credenza.gate.journal import Event
from credenza.workspace.home import POLICY_FILE, RULES_FILE, read_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from credenza.core.canonical import Json
    from credenza.gate.governance.audit import WarrantAudit
    from credenza.gate.governance.charter import Member
    from credenza.gate.stores import Stores
    from credenza.workspace.policies import Policies
    from credenza.workspace.warrants import Warrants


@dataclass(frozen=True, slots=True)
class Standing:
    """How a workspace is governed.

    Attributes:
        is_governed: else one person may do everything.
        rules: text of the rules in force, or of those that would be.
        able: by action: who may ask, how many must approve, and who may.
        drafts: files that differ from what is in force.
    """

    is_governed: bool
    members: tuple[Member, ...]
    rules: str
    able: Mapping[str, Sequence[tuple[str, int, tuple[str, ...]]]]
    drafts: tuple[str, ...]


class Governance:
    """The rules of a workspace; before they start, one person may do everything.

    Args:
        stores: of the workspace.
        home: its directory, where the draft of the rules lies.
        warrants: that other rules take.
        policies: of which the one in force is governed too.
    """

    def __init__(self, stores: Stores, home: Path, warrants: Warrants, policies: Policies) -> None:
        self._stores = stores
        self._home = home
        self._warrants = warrants
        self._policies = policies

    def standing(self) -> Standing:
        """How the workspace is governed, who may do what, and with how many others."""
        known = charter(self._stores)
        text = known.rules or self._rules_draft()
        rules = Rules(text)
        drafts = []
        if known.is_governed:
            files = ((POLICY_FILE, self._policies.draft(), known.policy), (RULES_FILE, b"", text))
            drafts = [
                name
                for name, data, used in files
                if (data or self._rules_draft().encode("utf-8")) != used.encode("utf-8")
            ]
        return Standing(
            known.is_governed,
            tuple(known.active[name] for name in sorted(known.active)),
            text,
            {action: able(known, rules, action) for action in ACTIONS},
            tuple(drafts),
        )

    @property
    def is_governed(self) -> bool:
        """Whether rules say who may do what; else one person may do everything."""
        return charter(self._stores).is_governed

    def start(self) -> Standing:
        """Begin to govern: from here on the rules say who may do what.

        Raises:
            UsageError: the members could not change members or rules, or release anything.
            ConflictError: it is governed already.
        """
        self._policies.recorded()
        known = charter(self._stores)
        if known.is_governed:
            raise ConflictError(
                "governed-already",
                "this workspace is governed already",
                why="the first rules are set once",
                fix="change rules with `credenza governance adopt`",
            )
        self._put_in_force(self._rules_draft())
        return self.standing()

    def adopt_rules(self, path: Path | None = None) -> Standing:
        """Put other rules in force: a file, or the workspace's own edited ``governance.cedar``.

        Raises:
            UsageError: they do not fit the schema, would lock the workspace, or it is not
                governed yet and needs no adoption.
        """
        if not charter(self._stores).is_governed:
            raise UsageError(
                "not-governed",
                "this workspace is not governed yet",
                why="its governance.cedar is what `governance start` will put in force",
                fix="edit that file, then run `credenza governance start`",
            )
        text = (read_file(path) if path else self._rules_draft().encode()).decode("utf-8")
        terms: dict[str, Json] = {"digest": Rules(text).digest, "text": text}
        with self._warrants.allow("change-rules", terms):
            self._put_in_force(text)
        return self.standing()

    def _put_in_force(self, text: str) -> None:
        check_able(charter(self._stores), text)
        document: dict[str, Json] = {"digest": Rules(text).digest, "text": text}
        self._stores.journal.record([Event("charter", document)])
        (self._home / RULES_FILE).write_text(text, encoding="utf-8")

    def _rules_draft(self) -> str:
        path = self._home / RULES_FILE
        return path.read_text("utf-8") if path.exists() else shipped_rules()

    def audit(self) -> WarrantAudit:
        """Recompute from the ledger whether everything governed was allowed when it was done."""
        return audit_warrants(self._stores)
