"""The gate's use-cases, each in the words of the room that does it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from credenza.core import dsse
from credenza.core.canonical import sha256_hex
from credenza.gate import monitor, questions, registry, review
from credenza.gate.chart import Panel, panel_of
from credenza.gate.publication import finish_pending
from credenza.gate.reception import Receipt, earlier, receipt_of, receive, receive_together
from credenza.gate.windows import date_of, instant_of
from credenza.provenance.intake.sandbox import read_sandboxed
from credenza.provenance.keys import new_key, save_key
from credenza.provenance.sign import sign_batch
from credenza.store.rows import BatchRow, HeadRow
from credenza.workspace.datasets import Datasets
from credenza.workspace.governance import Governance
from credenza.workspace.keys import key_of
from credenza.workspace.lineage import Lineage
from credenza.workspace.log import Log
from credenza.workspace.members import Members
from credenza.workspace.opened import Opened
from credenza.workspace.releases import Releases
from credenza.workspace.requests import Requests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from credenza.core.canonical import Json
    from credenza.core.errors import UntrustedError
    from credenza.core.spans import Spans
    from credenza.core.types import Source
    from credenza.gate.drift import WindowDrift
    from credenza.gate.monitor import CampaignRecord, Standing
    from credenza.gate.questions import BatchRecord, Explanation, Waiting
    from credenza.gate.review import Decision
    from credenza.gate.settlement import Settlement
    from credenza.provenance.intake.together import Reader
    from credenza.provenance.keys import SigningKey
    from credenza.workspace.ring import Followed


class Gate(Opened):
    """What senders, reviewers and whoever releases do at the gate."""

    # -- keys and sources

    @staticmethod
    def new_key(path: Path, passphrase: str | None = None) -> str:
        """Write a new private key to ``path``; its public key as 64 hex digits."""
        key = new_key()
        save_key(key, path, passphrase=passphrase)
        return key.public

    def add_source(self, name: str, keys: Sequence[str] = (), group: str = "") -> Source:
        """Register a sender and its public keys (64 hex digits each).

        Where a key ring is followed, its keys are those that the ring delegates, and
        need not be given.
        """
        held = registry.keys_for(self._stores, name, keys)
        terms: dict[str, Json] = {"source": name, "keys": list(held), "event": "source-added"}
        with self.warrants.allow("add-source", terms | ({"group": group} if group else {})):
            return registry.add_source(self._stores, name, held, group)

    def sources(self) -> list[Source]:
        """All registered senders, by name."""
        known = registry.roster(self._stores).sources
        return [known[name] for name in sorted(known)]

    def source(self, name: str) -> Source:
        """One sender."""
        return registry.roster(self._stores).source(name)

    def freeze_source(self, name: str, reason: str) -> Source:
        """Refuse everything from a sender from now on."""
        with self.warrants.allow("freeze-source", {"source": name, "reason": reason}):
            return registry.freeze_source(self._stores, name, reason)

    def unfreeze_source(self, name: str, reason: str) -> Source:
        """Let a sender that was frozen submit again."""
        with self.warrants.allow("clear-source", {"source": name, "reason": reason}):
            return registry.unfreeze_source(self._stores, name, reason)

    def add_key(self, name: str, key: str) -> Source:
        """Let a sender sign with one more public key (64 hex digits)."""
        with self.warrants.allow("change-source", {"source": name, "key": key}):
            return registry.add_key(self._stores, name, key)

    # -- the gate

    def submit(
        self,
        files: Sequence[Path],
        *,
        source: str,
        key: str | Path | Sequence[str | Path],
        dataset: str,
        label: str = "",
        collected: tuple[str, str] | None = None,
        licence: str = "",
        provenance: Mapping[str, str] | None = None,
        again: bool = False,
    ) -> Receipt:
        """Sign files as the source's next batch and hand them to the gate.

        Files that are in already, with the same label, licence, provenance and, if given,
        days of collection, are not handed in twice: the receipt is that of the earlier
        batch as it stands now, and says so. A job may therefore run again.

        Args:
            files: the batch.
            source: who sends it.
            key: a reference as ``keys.key_of`` takes it, or several where the source's
                threshold asks for several signatures.
            dataset: it is meant for.
            label: the column that a model will predict.
            collected: start and end, ISO dates or times in UTC; today by default.
            licence: SPDX name.
            provenance: Data & Trust Alliance fields.
            again: hand them in even if they are in already.

        Raises:
            UsageError: the files cannot be described (no rows, unknown format, …).
            UntrustedError: the gate refuses them; the refusal is in the ledger.
        """
        first, *others = [key] if isinstance(key, (str, Path)) else key
        envelope = self.sign(
            files,
            source=source,
            key=key_of(first),
            dataset=dataset,
            label=label,
            collected=collected,
            licence=licence,
            provenance=provenance,
        )
        for other in others:
            envelope = dsse.cosign(envelope, key_of(other).private)
        before = None if again else earlier(self._stores, envelope, dated=collected is not None)
        if before is not None:
            return receipt_of(before, is_repeat=True)
        terms: dict[str, Json] = {
            "source": source,
            "dataset": dataset,
            "batch": sha256_hex(envelope),
        }
        with self.warrants.allow("submit", terms):
            return self.receive(envelope, files)

    def sign(
        self,
        files: Sequence[Path],
        *,
        source: str,
        key: SigningKey,
        dataset: str,
        label: str = "",
        collected: tuple[str, str] | None = None,
        licence: str = "",
        provenance: Mapping[str, str] | None = None,
        read: Reader = read_sandboxed,
    ) -> bytes:
        """The signed envelope of the source's next batch, without handing it in.

        ``read`` parses the files: in the sandbox, unless they are of one's own making
        (``read_own``).
        """
        today = dt.datetime.fromtimestamp(self._clock(), tz=dt.UTC).date()
        span = collected or (today.isoformat(), (today + dt.timedelta(days=1)).isoformat())
        sequence, previous = self._next(dataset, source)
        return sign_batch(
            list(files),
            source=source,
            key=key,
            dataset=dataset,
            sequence=sequence,
            previous=previous,
            label=label,
            collected=(instant_of(span[0]), instant_of(span[1])),
            licence=licence,
            provenance=dict(provenance or {}),
            read=read,
        )

    def receive(self, envelope: bytes, files: Sequence[Path]) -> Receipt:
        """Take a batch that was signed elsewhere.

        Raises:
            UntrustedError: the gate refuses it; the refusal is in the ledger.
        """
        policy = self.policies.recorded()
        receipt = receive(self._stores, envelope, list(files), policy)
        if policy.window.days == 0:
            self.settle(receipt.dataset)
            return receipt_of(self._row(receipt.batch))
        return receipt

    def receive_together(
        self, sent: Sequence[tuple[bytes, Sequence[Path]]]
    ) -> list[Receipt | UntrustedError]:
        """Take several signed batches with one group commit; an answer for each.

        Many small batches cost most of their time in making each durable; together they
        share it. They wait for their window even if the policy's windows have 0 days:
        call ``settle`` then.
        """
        return receive_together(self._stores, sent, self.policies.recorded())

    def settle(
        self,
        dataset: str,
        *,
        until: str | None = None,
        progress: Callable[[Settlement], None] | None = None,
    ) -> list[Settlement]:
        """Judge every window that ended before ``until`` (today) and has waiting batches.

        Args:
            dataset: whose windows.
            until: ISO date; a window is judged when its last day lies before it.
            progress: called with each settlement as it is done.
        """
        from credenza.gate import settlement  # noqa: PLC0415 - the models: seconds to load

        policy = self.policies.recorded()
        finish_pending(self._stores)
        day = until or dt.datetime.fromtimestamp(self._clock(), tz=dt.UTC).date().isoformat()
        done: list[Settlement] = []
        for settled in settlement.settle(self._stores, policy, dataset, date_of(day)):
            done.append(settled)
            if progress is not None:
                progress(settled)
        return done

    def waiting(self, dataset: str) -> Waiting:
        """What of a dataset waits for its window, and until when."""
        return questions.waiting(self._stores, self.policies.in_force().window, dataset)

    def batches(self, dataset: str | None = None, status: str | None = None) -> list[BatchRecord]:
        """Batches in the order of the ledger."""
        return questions.batches(self._stores, dataset, status)

    def batch(self, prefix: str) -> BatchRecord:
        """The batch whose digest begins with ``prefix``."""
        return questions.record_of(self._row(prefix))

    def explain(self, prefix: str) -> Explanation:
        """The evidence on a batch and the reasons of its verdict."""
        return questions.explain(self._stores, self._row(prefix))

    def campaigns(self, dataset: str | None = None) -> list[CampaignRecord]:
        """Campaigns, oldest window first, and what became of each."""
        return monitor.campaigns(self._stores, dataset)

    def campaign(self, name: str) -> CampaignRecord:
        """One campaign by the id that ``campaigns`` gives it."""
        return monitor.campaign(self._stores, name)

    def monitor(self, dataset: str) -> Standing:
        """How a dataset stands now: lanes, sources, false alarms so far, backlog."""
        return monitor.monitor(self._stores, self.policies.in_force(), dataset)

    def drift(self, dataset: str, window: str = "", source: str = "") -> WindowDrift:
        """How far columns moved in a settled window, "" the newest, of one source or all."""
        from credenza.gate.drift import window_drift  # noqa: PLC0415 - the models: seconds to load

        return window_drift(self._stores, self.policies.in_force(), dataset, window, source)

    def panel(self, dataset: str) -> Panel:
        """How far each source was from its own past, window by window: control charts."""
        return panel_of(self._stores, dataset)

    def reviews(self) -> list[BatchRecord]:
        """Batches that wait for a person: held, quarantined, or admitted without some rows."""
        return questions.reviews(self._stores)

    def decide(
        self, prefix: str, outcome: str, reason: str, *, rows: Spans | None = None
    ) -> Decision:
        """A reviewer's word on a batch, or on some of its rows: "admit" or "reject"."""
        self.policies.recorded()
        batch = self._row(prefix).digest
        terms: dict[str, Json] = {"batch": batch, "outcome": outcome, "reason": reason}
        if rows is not None:
            terms["decided"] = [[*span] for span in rows]
        with self.warrants.allow(outcome if outcome == "admit" else "reject", terms):
            return review.decide_batch(self._stores, batch, outcome, reason, rows)

    # -- datasets, releases, governance, the ledger

    @property
    def datasets(self) -> Datasets:
        """Versions of what was admitted."""
        return Datasets(self._stores, self.warrants)

    @property
    def releases(self) -> Releases:
        """Signed file sets for training."""
        return Releases(
            self._stores, self.warrants, self.policies, lambda: self._operator, self._now
        )

    @property
    def lineage(self) -> Lineage:
        """Where rows came from, and where they went."""
        return Lineage(self._stores)

    @property
    def governance(self) -> Governance:
        """The rules: who may do what."""
        return Governance(self._stores, self.home, self.warrants, self.policies)

    @property
    def members(self) -> Members:
        """The people whose word counts."""
        return Members(self._stores, self.warrants, self.public_key)

    @property
    def requests(self) -> Requests:
        """What members asked for, and who approved it."""
        return Requests(self._stores, self._now)

    @property
    def ring(self) -> Followed:
        """The key ring that says which keys sign for whom, if one is followed."""
        from credenza.workspace.ring import Followed  # noqa: PLC0415 - tuf: where there is a ring

        return Followed(self._stores, self.warrants)

    @property
    def log(self) -> Log:
        """The ledger: audits, proofs, receipts, witnesses, its index."""
        return Log(self._stores, self.public_key, lambda: self._operator)

    # -- inside

    def _next(self, dataset: str, source: str) -> tuple[int, str]:
        """Sequence number and previous digest of the source's next batch."""
        with self._stores.journal.catalog.snapshot() as index:
            head = index.get(HeadRow, dataset, source)
        return (1, "") if head is None else (head.sequence + 1, head.digest)

    def _row(self, prefix: str) -> BatchRow:
        return questions.batch_row(self._stores, prefix)
