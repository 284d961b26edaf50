"""The policy: its draft, the text that judges, and what another would have decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.canonical import sha256_hex
from credenza.core.errors import ConflictError
from credenza.gate import questions
from credenza.gate.governance.reading import charter
from credenza.gate.journal import Event
from credenza.gate.policy_cases import run_cases
from credenza.gate.policy_file import load_policy
from credenza.gate.propose import propose
from credenza.gate.replay import judged_since, others, policy_recorded, replay, weigh
from credenza.workspace.home import POLICY_FILE, read_file

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.core.canonical import Json
    from credenza.gate.policy import Policy
    from credenza.gate.policy_cases import CaseResult
    from credenza.gate.propose import Proposal
    from credenza.gate.replay import Other, Replay, Weighing
    from credenza.gate.stores import Stores
    from credenza.workspace.warrants import Warrants


class Policies:
    """The rules that turn evidence into verdicts, as a workspace keeps them.

    Args:
        stores: of the workspace.
        home: its directory, where the draft lies.
        warrants: that adopting another policy takes.
    """

    def __init__(self, stores: Stores, home: Path, warrants: Warrants) -> None:
        self._stores = stores
        self._draft = home / POLICY_FILE
        self._warrants = warrants

    def draft(self) -> bytes:
        """The policy file as it stands; in force only where one person may do everything."""
        return read_file(self._draft)

    def text(self) -> bytes:
        """The text that judges: the file's, or in a governed workspace what the ledger holds."""
        known = charter(self._stores)
        return known.policy.encode("utf-8") if known.is_governed else self.draft()

    def in_force(self) -> Policy:
        """The policy that judges."""
        return load_policy(self.text())

    def recorded(self) -> Policy:
        """The policy in force, after making sure that the ledger knows its text."""
        self._stores.journal.lock()
        data = self.text()
        policy = load_policy(data)
        if charter(self._stores).policy_digest != policy.digest:
            self._record(data)
        return policy

    def adopt(self, path: Path | None = None) -> Policy:
        """Put another policy in force: a file, or the workspace's own edited ``policy.toml``."""
        data = read_file(path) if path else self.draft()
        policy = load_policy(data)
        terms: dict[str, Json] = {"digest": policy.digest, "text": data.decode("utf-8")}
        with self._warrants.allow("change-policy", terms):
            self._record(data)
        self._draft.write_bytes(data)
        return policy

    def _record(self, data: bytes) -> None:
        document: dict[str, Json] = {"digest": sha256_hex(data), "text": data.decode("utf-8")}
        self._stores.journal.record([Event("policy", document)])

    def replay(
        self, since: str, path: Path | None = None, dataset: str | None = None
    ) -> tuple[Replay, list[Other]]:
        """What another policy file would have made of what was judged; nothing is written.

        Args:
            since: first window, an ISO date; or the number of a ledger entry.
            path: the policy to try; the workspace's own draft by default.
            dataset: of this one only.
        """
        data = self.draft() if path is None else read_file(path)
        policy, cases = load_policy(data), judged_since(self._stores, since, dataset)
        return replay(cases, policy), list(others(cases, policy))

    def weigh(self, prefix: str) -> Weighing:
        """What decided about a batch, with the facts, and what would have changed it.

        Raises:
            ConflictError: it was not judged yet.
        """
        row = questions.batch_row(self._stores, prefix)
        if row.verdict_index is None:
            raise ConflictError(
                "not-judged",
                f"batch {row.digest[:16]} was not judged yet",
                why="a policy weighs recorded evidence",
                fix="run `credenza settle` once its window is over",
            )
        digest = str(self._stores.event(row.verdict_index)["policy"])
        now = load_policy(self.text())
        return weigh(self._stores, row, policy_recorded(self._stores, digest), now)

    def test(self, path: Path | None = None, cases: Path | None = None) -> tuple[CaseResult, ...]:
        """Try a policy file (the workspace's by default) on the required and your own cases."""
        data = self.draft() if path is None else read_file(path)
        return run_cases(load_policy(data), None if cases is None else read_file(cases))

    def propose(self, dataset: str, *, days: int = 30) -> Proposal:
        """Settings that reviewers' decisions speak for, with their replay; nothing is adopted."""
        return propose(self._stores, self.text(), dataset, days=days)
