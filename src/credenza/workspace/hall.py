"""The use-cases of a workspace, each in the words of the room that does it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from credenza.core import dsse
from credenza.core.canonical import sha256_hex
from credenza.gate import (
    exports,
    lineage,
    monitor,
    questions,
    registry,
    releases,
    review,
)
from credenza.gate.certification import refuse_uncertified
from credenza.gate.chart import Panel, panel_of
from credenza.gate.completeness import completeness
from credenza.gate.policy import Policy, load_policy
from credenza.gate.policy_cases import CaseResult, run_cases
from credenza.gate.propose import propose
from credenza.gate.publication import finish_pending
from credenza.gate.reception import Receipt, receive, receive_together
from credenza.gate.told import told
from credenza.gate.windows import date_of, instant_of
from credenza.provenance.intake.sandbox import read_sandboxed
from credenza.provenance.keys import new_key, save_key
from credenza.provenance.sign import sign_batch
from credenza.store.rows import BatchRow, HeadRow
from credenza.workspace import home as homes
from credenza.workspace.keys import key_of
from credenza.workspace.log import Log
from credenza.workspace.opened import Opened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from credenza.core.canonical import Json
    from credenza.core.errors import UntrustedError
    from credenza.core.spans import Spans
    from credenza.core.types import Release, Source, Version
    from credenza.gate.completeness import Completeness
    from credenza.gate.lineage import Ancestry, Descent, Trace
    from credenza.gate.monitor import CampaignRecord, Standing
    from credenza.gate.propose import Proposal
    from credenza.gate.questions import BatchRecord, Explanation
    from credenza.gate.review import Decision
    from credenza.gate.settlement import Settlement
    from credenza.provenance.intake.together import Reader
    from credenza.provenance.keys import SigningKey
    from credenza.workspace.incidents import Incidents
    from credenza.workspace.oversight import Oversight
    from credenza.workspace.quarantine import Quarantine
    from credenza.workspace.response import Response
    from credenza.workspace.ring import Followed
    from credenza.workspace.validations import Validations


class Workspace(Opened):
    """What can be done in a workspace; ``Opened`` says how to get one."""

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
        held = tuple(keys) or registry.delegated(self._stores, name)
        terms: dict[str, Json] = {"source": name, "keys": list(held), "event": "source-added"}
        with self.governance.warrant("add-source", terms | ({"group": group} if group else {})):
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
        with self.governance.warrant("freeze-source", {"source": name, "reason": reason}):
            return registry.freeze_source(self._stores, name, reason)

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
    ) -> Receipt:
        """Sign files as the source's next batch and hand them to the gate.

        ``key`` is a reference as ``keys.key_of`` takes it, or several where the source's
        threshold asks for several signatures.

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
        terms: dict[str, Json] = {
            "source": source,
            "dataset": dataset,
            "batch": sha256_hex(envelope),
        }
        with self.governance.warrant("submit", terms):
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
        policy = self.governance.recorded_policy()
        receipt = receive(self._stores, envelope, list(files), policy)
        if policy.window.days == 0:
            self.settle(receipt.dataset)
            row = self._row(receipt.batch)
            return Receipt(
                receipt.batch, row.dataset, row.window, receipt.index, row.records, row.status
            )
        return receipt

    def receive_together(
        self, sent: Sequence[tuple[bytes, Sequence[Path]]]
    ) -> list[Receipt | UntrustedError]:
        """Take several signed batches with one group commit; an answer for each.

        Many small batches cost most of their time in making each durable; together they
        share it. They wait for their window even if the policy's windows have 0 days:
        call ``settle`` then.
        """
        return receive_together(self._stores, sent, self.governance.recorded_policy())

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

        policy = self.governance.recorded_policy()
        finish_pending(self._stores)
        day = until or dt.datetime.fromtimestamp(self._clock(), tz=dt.UTC).date().isoformat()
        done: list[Settlement] = []
        for settled in settlement.settle(self._stores, policy, dataset, date_of(day)):
            done.append(settled)
            if progress is not None:
                progress(settled)
        return done

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
        return monitor.monitor(self._stores, self.policy(), dataset)

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
        self.governance.recorded_policy()
        batch = self._row(prefix).digest
        terms: dict[str, Json] = {"batch": batch, "outcome": outcome, "reason": reason}
        if rows is not None:
            terms["decided"] = [[*span] for span in rows]
        with self.governance.warrant(outcome if outcome == "admit" else "reject", terms):
            return review.decide_batch(self._stores, batch, outcome, reason, rows)

    # -- datasets and releases

    def dataset_log(self, dataset: str) -> list[Version]:
        """Versions of a dataset, oldest first."""
        return questions.versions(self._stores, dataset)

    def dataset(self, dataset: str, version: int | None = None) -> Version:
        """One version of a dataset, the newest by default."""
        return questions.version(self._stores, dataset, version)

    def rollback(
        self, dataset: str, version: int, reason: str, *, reinstate: bool = False
    ) -> Version:
        """Make an old version's content the newest version.

        What was excised since comes back only with ``reinstate``.
        """
        terms: dict[str, Json] = {
            "dataset": dataset,
            "version": version,
            "content": self.governance.content(dataset, version),
            "reason": reason,
            "reinstate": reinstate,
        }
        with self.governance.warrant("rollback", terms):
            return review.roll_back(self._stores, dataset, version, reason, reinstate=reinstate)

    def checkout(self, dataset: str, version: int | None, out: Path) -> list[Path]:
        """Write a version as Parquet files into ``out``, which must not exist."""
        found = self.dataset(dataset, version)
        self._stores.datasets.checkout(dataset, found.number, out)
        return sorted(path for path in out.iterdir() if path.is_file())

    def release(
        self,
        dataset: str,
        out: Path,
        version: int | None = None,
        expires: str = "",
        verified: pa.Table | None = None,
    ) -> Release:
        """Write a signed, exact file set that a training job can verify offline.

        Args:
            dataset: of which.
            out: a directory that does not exist.
            version: the newest by default.
            expires: ISO date or time in UTC from which on it must not be used.
            verified: rows that a certificate, if the policy demands one, is counted on.

        Raises:
            ConflictError: the policy demands a certificate that the version lacks.
        """
        policy = self.governance.recorded_policy()
        chosen = self.dataset(dataset, version)
        refuse_uncertified(self._stores, chosen, policy.release, verified)
        expires = expires and instant_of(expires)
        terms: dict[str, Json] = {
            "dataset": dataset,
            "version": chosen.number,
            "content": self.governance.content(dataset, chosen.number),
            "policy": policy.digest,
            "expires": expires,
        }
        with self.governance.warrant("release", terms):
            return releases.create(
                self._stores,
                chosen,
                out,
                policy=policy.digest,
                key=self._operator,
                time_s=int(self._clock()),
                expires=expires,
            )

    def export(self, directory: Path, name: str) -> bytes:
        """A release in the words of another tool, such as croissant, cyclonedx or slsa."""
        return exports.export(self._stores, directory, name, self._operator)

    def recall(self, digest: str, reason: str) -> None:
        """Say that a release must not be used any more."""
        known = releases.release_named(self._stores, digest)
        terms: dict[str, Json] = {
            "release": known.digest,
            "dataset": known.dataset,
            "reason": reason,
        }
        with self.governance.warrant("recall", terms):
            releases.recall(self._stores, known.digest, reason)

    def recalls(self) -> dict[str, str]:
        """Recalled releases by digest, with the reason: the list for offline verifiers."""
        return releases.recalls(self._stores)

    def recall_list(self) -> bytes:
        """The same, signed, to travel to where training happens."""
        return releases.recall_list(self._stores, self._operator, int(self._clock()))

    def lineage(
        self,
        *,
        row: tuple[str, int | None, int] | None = None,
        batch: str = "",
        source: str = "",
        version: tuple[str, int | None] | None = None,
        release: str = "",
        model: str = "",
    ) -> list[Trace] | list[Descent] | list[Ancestry]:
        """Where something came from, or where it went; of several, name one.

        Args:
            row: dataset, version (None: the newest) and position in it.
            batch: digest or its first digits.
            source: a sender's name; one answer per dataset.
            version: dataset and version (None: the newest).
            release: digest or its first digits.
            model: digest of a model that was reported, its first digits, or its run.
        """
        if row is not None:
            found = self.dataset(*row[:2])
            return [lineage.of_row(self._stores, found.dataset, found.number, row[2])]
        if version is not None:
            found = self.dataset(*version)
            return [lineage.of_version(self._stores, found.dataset, found.number)]
        if batch:
            return [lineage.of_batch(self._stores, self._row(batch))]
        if release:
            made = releases.release_named(self._stores, release)
            return [lineage.of_release(self._stores, made)]
        if model:
            return [lineage.of_model(self._stores, model)]
        self.source(source)
        return lineage.of_source(self._stores, source)

    def told(self, since: int = 0) -> list[tuple[int, bytes]]:
        """OpenLineage events of submissions, verdicts and versions, by their ledger entries."""
        return list(told(self._stores, since))

    def completeness(self, dataset: str, version: int | None = None) -> Completeness:
        """How many rows of a version lead back to signed bytes and a verdict, counted."""
        return completeness(self._stores, dataset, self.dataset(dataset, version).number)

    # -- response

    @property
    def incidents(self) -> Incidents:
        """Incidents: opened, answered by a playbook, closed, and learnt from."""
        from credenza.workspace.incidents import Incidents  # noqa: PLC0415 - loads the response room

        return Incidents(self, self._stores, lambda: int(self._clock()))

    @property
    def response(self) -> Response:
        """How far something reached, and the way back: channels, training runs, recoveries."""
        from credenza.workspace.response import Response  # noqa: PLC0415 - loads the response room

        return Response(self, self._stores)

    @property
    def quarantine(self) -> Quarantine:
        """What waits for a person: queues, expiry, decisions on parts of it."""
        from credenza.workspace.quarantine import Quarantine  # noqa: PLC0415 - loads the response room

        return Quarantine(self, self._stores, lambda: int(self._clock()))

    @property
    def oversight(self) -> Oversight:
        """Figures on the gate itself, and evidence for controls."""
        from credenza.workspace.oversight import Oversight  # noqa: PLC0415 - loads the response room

        return Oversight(self, self._stores, lambda: int(self._clock()))

    @property
    def validations(self) -> Validations:
        """Independent looks at what is held."""
        from credenza.workspace.validations import Validations  # noqa: PLC0415 - loads the models

        return Validations(self, self._stores)

    # -- the ledger, the parts

    @property
    def ring(self) -> Followed:
        """The key ring that says which keys sign for whom, if one is followed."""
        from credenza.workspace.ring import Followed  # noqa: PLC0415 - tuf: where there is a ring

        return Followed(self._stores)

    @property
    def log(self) -> Log:
        """The ledger: audits, proofs, receipts, witnesses, its index."""
        return Log(self._stores, self.public_key, lambda: self._operator)

    @staticmethod
    def parts() -> dict[str, list[tuple[str, str]]]:
        """The installed parts by kind, with a line on each."""
        from credenza.gate import parts  # noqa: PLC0415 - it loads every room
        from credenza.response.builtin import VALIDATORS  # noqa: PLC0415 - as above
        from credenza.response.verbs import VERBS  # noqa: PLC0415 - as above

        return {
            **parts.installed(),
            "validator": parts.listed(VALIDATORS.parts),
            "verb": parts.listed(VERBS),
        }

    # -- policy

    def policy(self) -> Policy:
        """The policy in force: its file, or in a governed workspace what was approved."""
        return load_policy(self.governance.policy_in_force())

    def test_policy(
        self, path: Path | None = None, cases: Path | None = None
    ) -> tuple[CaseResult, ...]:
        """Try a policy file (the workspace's by default) on the required and your own cases."""
        data = self.governance.policy_draft() if path is None else homes.read_file(path)
        return run_cases(load_policy(data), None if cases is None else homes.read_file(cases))

    def propose_policy(self, dataset: str, *, days: int = 30) -> Proposal:
        """Settings that reviewers' decisions speak for, with their replay; nothing is adopted."""
        return propose(self._stores, self.governance.policy_in_force(), dataset, days=days)

    # -- inside

    def _next(self, dataset: str, source: str) -> tuple[int, str]:
        """Sequence number and previous digest of the source's next batch."""
        with self._stores.journal.catalog.snapshot() as index:
            head = index.get(HeadRow, dataset, source)
        return (1, "") if head is None else (head.sequence + 1, head.digest)

    def _row(self, prefix: str) -> BatchRow:
        return questions.batch_row(self._stores, prefix)
