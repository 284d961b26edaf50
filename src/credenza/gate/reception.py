"""Received bytes become a verified, profiled batch that waits for its window."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from credenza.core.canonical import sha256_hex
from credenza.core.errors import CredenzaError, UntrustedError
from credenza.core.types import FileDigest, Limits
from credenza.gate.fold import WAITING
from credenza.gate.journal import Event
from credenza.gate.registry import roster
from credenza.gate.shape import Shape, conformed, first_shape
from credenza.gate.stages import Profiled
from credenza.gate.stores import table_bytes
from credenza.gate.windows import window_of
from credenza.profiling.kernel import profile
from credenza.provenance.manifest import decode_manifest, file_name
from credenza.provenance.verify import entitled, signed_by, verify
from credenza.store.rows import BatchRow, HeadRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from credenza.core.canonical import Json
    from credenza.core.types import Manifest
    from credenza.gate.policy import Policy
    from credenza.gate.stores import Stores
    from credenza.provenance.verify import Verified

OPEN = (WAITING, "held", "quarantined")
MOST_BYTES = Limits().file_bytes
"""Most that is copied of one file before it is known whose it is."""
LOOKED_BACK = 50
"""Of a source's batches of one size, so many are compared with new files: a retry comes soon."""


class Open(NamedTuple):
    """How much of a source in a dataset nobody has done with yet."""

    batches: int
    rows: int
    bytes: int
    findings: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the gate acknowledges: from here on the batch is not lost.

    Attributes:
        index: ledger index of the submission.
        status: "waiting" until its window is settled.
        is_repeat: these very files were in already as this batch; nothing was submitted.
    """

    batch: str
    dataset: str
    window: str
    index: int
    records: int
    status: str
    is_repeat: bool = False


def receipt_of(row: BatchRow, *, is_repeat: bool = False) -> Receipt:
    """The receipt of a batch as it stands now."""
    return Receipt(
        row.digest,
        row.dataset,
        row.window,
        row.submitted_index,
        row.records,
        row.status,
        is_repeat,
    )


def earlier(stores: Stores, envelope: bytes, *, dated: bool) -> BatchRow | None:
    """The newest batch in which the same source handed in the very same files.

    A job that runs again after its answer was lost would else count its rows twice. Blind
    to the same rows in another file or from another source, which the campaign scan is not,
    and to files of long ago where a source's batches are all of one size.
    Whoever may not send has none, and so learns of none: ``receive`` refuses it.

    Args:
        stores: whose batches.
        envelope: signed, of the files at hand.
        dated: whether they must be collected in the same days, too. A feed that did not
            change sends the same file for another week.
    """
    stores.journal.lock()
    try:
        _, batch = entitled(envelope, roster(stores), at_s=stores.journal.now_s())
    except UntrustedError:
        return None
    manifest = batch.manifest
    with stores.journal.catalog.snapshot() as index:
        alike = index.find(
            BatchRow,
            dataset=manifest.dataset,
            source=manifest.source,
            records=manifest.records,
            bytes=_file_bytes(manifest),
        )
    said = _said(manifest, dated=dated)
    newest_first = sorted(alike, key=lambda row: -row.sequence)[:LOOKED_BACK]
    return next(
        (row for row in newest_first if _said(stores.manifest(row.digest), dated=dated) == said),
        None,
    )


def _said(manifest: Manifest, *, dated: bool) -> tuple[object, ...]:
    """What a sender says of a batch, but for its place in the order."""
    files = sorted((file.sha256, file.name) for file in manifest.files)
    told = (manifest.label, manifest.licence, sorted(manifest.provenance.items()))
    return (files, *told, manifest.collected if dated else ())


def receive(stores: Stores, envelope: bytes, files: Sequence[Path], policy: Policy) -> Receipt:
    """Take a signed batch: copy, verify, profile, record.

    Raises:
        UntrustedError: it is refused; the refusal is recorded, the content is not used.
    """
    answer = receive_together(stores, [(envelope, files)], policy)[0]
    if isinstance(answer, UntrustedError):
        raise answer
    return answer


def receive_together(
    stores: Stores, sent: Sequence[tuple[bytes, Sequence[Path]]], policy: Policy
) -> list[Receipt | UntrustedError]:
    """Take several signed batches with one group commit; one answer each, in order.

    The files are copied into the content store first, so what was verified is what is
    kept, whatever happens to the sender's files meanwhile. A refused batch does not
    delay the others. Nothing is acknowledged before everything is durable.
    """
    stores.journal.lock()
    copies = _copy(stores, sent)
    desk = _Desk(stores, policy)
    answers = [
        desk.take(envelope, copied) for (envelope, _), copied in zip(sent, copies, strict=True)
    ]
    content, events = [], []
    for (envelope, _), answer in zip(sent, answers, strict=True):
        if isinstance(answer, UntrustedError):
            events.append(Event("refusal", _refusal(envelope, answer)))
        else:
            kept = [table_bytes(answer.table), answer.profile.to_ipc()]
            content += [*kept, envelope]
            events.append(Event("submission", _submission(answer, *map(sha256_hex, kept))))
    entries = stores.journal.record(events, content)
    stores.shapes.update(desk.shapes)
    return [
        answer if isinstance(answer, UntrustedError) else _receipt(answer, entry.index)
        for answer, entry in zip(answers, entries, strict=True)
    ]


def _copy(
    stores: Stores, sent: Sequence[tuple[bytes, Sequence[Path]]]
) -> list[dict[str, Path] | UntrustedError]:
    """Copies that the senders can no longer change, made durable together."""
    blobs = stores.journal.blobs
    paths = [path for _, files in sent for path in files]
    stored = iter(blobs.put_files(paths, max_bytes=MOST_BYTES))
    copies: list[dict[str, Path] | UntrustedError] = []
    for _, files in sent:
        answers = list(zip(files, islice(stored, len(files)), strict=True))
        unfit = next((one for _, one in answers if isinstance(one, CredenzaError)), None)
        try:
            copies.append(
                _unreadable(unfit)
                if unfit is not None
                else {
                    file_name(path.name): blobs.path(one.sha256)
                    for path, one in answers
                    if isinstance(one, FileDigest)
                }
            )
        except UntrustedError as refusal:
            copies.append(refusal)
    return copies


def _unreadable(unfit: CredenzaError) -> UntrustedError:
    if isinstance(unfit, UntrustedError):
        return unfit
    return UntrustedError(
        "unreadable-file",
        "a file of the batch cannot be read",
        why=f"{unfit.what}; {unfit.why}".rstrip("; "),
        fix="check that it exists and may be read",
    )


def open_findings(row: BatchRow) -> int:
    """For how many reasons a batch waits for a person."""
    return sum(reason["outcome"] != "admit" for reason in json.loads(row.reasons))


class _Desk:
    """Takes batches one after another; what one changes, the next one finds.

    Attributes:
        shapes: shapes that the batches taken so far gave to new datasets.
    """

    def __init__(self, stores: Stores, policy: Policy) -> None:
        self._stores = stores
        self._policy = policy
        self._roster = roster(stores)
        self._heads: dict[tuple[str, str], tuple[int, str]] = {}
        self._open: dict[tuple[str, str], Open] = {}
        self.shapes: dict[str, Shape] = {}

    def take(
        self, envelope: bytes, copied: dict[str, Path] | UntrustedError
    ) -> Profiled | UntrustedError:
        """The verified and profiled batch, or why not; a refusal changes nothing."""
        if isinstance(copied, UntrustedError):
            return copied
        try:
            source, signed = signed_by(envelope, self._roster)
            claimed = decode_manifest(signed.payload)
            place = (source.id, claimed.dataset)  # whoever it claims to be from
            taken = self._within_quota(place, claimed)
            heads = {place: self._head(*place)}
            verified = verify(
                envelope,
                copied,
                self._roster,
                heads,
                claimed.dataset,
                at_s=self._stores.journal.now_s(),
            )
            shape = self._shape(verified)
            profiled = _profile(verified, shape, self._policy)
        except UntrustedError as refusal:
            return refusal
        self._heads[place] = (claimed.sequence, verified.batch.digest)
        self._open[place] = taken
        self.shapes.setdefault(claimed.dataset, shape)
        return profiled

    def _within_quota(self, place: tuple[str, str], claimed: Manifest) -> Open:
        """What the source would have open with this batch; refused when that is too much.

        Only signed batches count, so nobody can use up the quota of another, nor learn of
        it; and it is asked before a file is parsed, so what is beyond costs a signature's
        check.
        """
        open_now = self._open.get(place)
        if open_now is None:
            source, dataset = place
            with self._stores.journal.catalog.snapshot() as index:
                rows = index.find(BatchRow, dataset=dataset, source=source, status=list(OPEN))
            open_now = Open(
                len(rows),
                sum(row.records for row in rows),
                sum(row.bytes for row in rows),
                sum(map(open_findings, rows)),
            )
        then = Open(
            open_now.batches + 1,
            open_now.rows + claimed.records,
            open_now.bytes + _file_bytes(claimed),
            open_now.findings,
        )
        quota = self._policy.quota
        most = (quota.batches, quota.rows, quota.bytes, quota.findings)
        if any(count > limit for count, limit in zip(then, most, strict=True)):
            raise UntrustedError(
                "over-quota",
                f"{claimed.source!r} has too much open in {claimed.dataset!r} already",
                why=f"{open_now.batches} batches with {open_now.rows} rows in {open_now.bytes} "
                f"bytes wait or are held for {open_now.findings} reasons; at most "
                f"{quota.batches}, {quota.rows}, {quota.bytes} and {quota.findings} may",
                fix="have them settled or decided on, then submit again",
            )
        return then

    def _head(self, source: str, dataset: str) -> tuple[int, str]:
        if (source, dataset) in self._heads:
            return self._heads[source, dataset]
        with self._stores.journal.catalog.snapshot() as index:
            head = index.get(HeadRow, dataset, source)
        return (0, "") if head is None else (head.sequence, head.digest)

    def _shape(self, verified: Verified) -> Shape:
        """The dataset's shape; every batch of it has that shape, so any one shows it."""
        manifest = verified.batch.manifest
        known = self.shapes.get(manifest.dataset) or self._stores.shapes.get(manifest.dataset)
        if known is not None:
            return known
        with self._stores.journal.catalog.snapshot() as index:
            head = index.newest(HeadRow, dataset=manifest.dataset)
            row = None if head is None else index.get(BatchRow, head.digest)
        if row is None:
            return first_shape(verified.table, manifest.label)
        label = str(self._stores.submission(row)["label"])
        return Shape(self._stores.table(row).schema, label)


def _file_bytes(manifest: Manifest) -> int:
    return sum(file.size for file in manifest.files)


def _profile(verified: Verified, shape: Shape, policy: Policy) -> Profiled:
    manifest = verified.batch.manifest
    table = conformed(verified.table, manifest.label, shape)
    return Profiled(
        batch=verified.batch,
        table=table,
        profile=profile(table, label=manifest.label),
        window=window_of(manifest.collected[0], verified.batch.digest, policy.window),
    )


def _submission(profiled: Profiled, table: str, state: str) -> dict[str, Json]:
    manifest = profiled.batch.manifest
    return {
        "batch": profiled.batch.digest,
        "dataset": manifest.dataset,
        "source": manifest.source,
        "sequence": manifest.sequence,
        "records": manifest.records,
        "bytes": _file_bytes(manifest),
        "label": manifest.label,
        "window": profiled.window,
        "keyids": list(profiled.batch.keyids),
        "table": table,
        "profile": state,
    }


def _receipt(profiled: Profiled, index: int) -> Receipt:
    manifest = profiled.batch.manifest
    return Receipt(
        profiled.batch.digest,
        manifest.dataset,
        profiled.window,
        index,
        manifest.records,
        WAITING,
    )


def _refusal(envelope: bytes, refusal: UntrustedError) -> dict[str, Json]:
    """Of the sender's words only the names that our sentence quotes, and the digest of all."""
    return {"code": refusal.code, "what": refusal.what[:500], "envelope": sha256_hex(envelope)}
