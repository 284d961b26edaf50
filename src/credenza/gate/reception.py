"""Received bytes become a verified, profiled batch that waits for its window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.core import dsse
from credenza.core.canonical import sha256_hex
from credenza.core.errors import UntrustedError
from credenza.core.types import Limits
from credenza.gate.fold import WAITING
from credenza.gate.journal import Event
from credenza.gate.registry import roster
from credenza.gate.stages import Profiled
from credenza.gate.stores import table_bytes
from credenza.gate.windows import window_of
from credenza.profiling.kernel import profile
from credenza.provenance.manifest import decode_manifest, file_name
from credenza.provenance.verify import Verified, verify
from credenza.store.rows import HeadRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from credenza.core.canonical import Json
    from credenza.core.types import Manifest
    from credenza.gate.policy import Policy
    from credenza.gate.stores import Stores


MOST_BYTES = Limits().file_bytes
"""Most that is copied of one file before it is known whose it is."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the gate acknowledges: from here on the batch is not lost.

    Attributes:
        index: ledger index of the submission.
        status: "waiting" until its window is settled.
    """

    batch: str
    dataset: str
    window: str
    index: int
    records: int
    status: str


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
    heads: dict[tuple[str, str], tuple[int, str]] = {}
    answers: list[Profiled | UntrustedError] = []
    for envelope, files in sent:
        try:
            answers.append(_profile(_verify(stores, envelope, files, heads), policy))
        except UntrustedError as refusal:
            answers.append(refusal)
    content, events = [], []
    for (envelope, _), answer in zip(sent, answers, strict=True):
        if isinstance(answer, UntrustedError):
            events.append(Event("refusal", _refusal(envelope, answer)))
        else:
            kept = [table_bytes(answer.table), answer.profile.to_ipc()]
            content += [*kept, envelope]
            events.append(Event("submission", _submission(answer, *map(sha256_hex, kept))))
    entries = stores.journal.record(events, content)
    return [
        answer if isinstance(answer, UntrustedError) else _receipt(answer, entry.index)
        for answer, entry in zip(answers, entries, strict=True)
    ]


def _verify(
    stores: Stores,
    envelope: bytes,
    files: Sequence[Path],
    heads: dict[tuple[str, str], tuple[int, str]],
) -> Verified:
    """Check a copy of the files that the sender can no longer change."""
    known = roster(stores)
    claimed = _claimed_manifest(envelope)
    blobs = stores.journal.blobs
    copies = {
        file_name(path.name): blobs.path(blobs.put_file(path, max_bytes=MOST_BYTES).sha256)
        for path in files
    }
    place = (claimed.source, claimed.dataset)
    if place not in heads:
        with stores.journal.catalog.snapshot() as index:
            head = index.get(HeadRow, claimed.dataset, claimed.source)
        heads[place] = (0, "") if head is None else (head.sequence, head.digest)
    verified = verify(envelope, copies, known, heads, claimed.dataset)
    heads[place] = (claimed.sequence, verified.batch.digest)
    return verified


def _claimed_manifest(envelope: bytes) -> Manifest:
    """What the batch says of itself; believed only once the signature verified."""
    return decode_manifest(dsse.parse(envelope).payload)


def _profile(verified: Verified, policy: Policy) -> Profiled:
    manifest = verified.batch.manifest
    return Profiled(
        batch=verified.batch,
        table=verified.table,
        profile=profile(verified.table, label=manifest.label),
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
        "label": manifest.label,
        "window": profiled.window,
        "keyid": profiled.batch.keyid,
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
    """Nothing of the sender's words is kept but their digest: they may be hostile."""
    return {"code": refusal.code, "what": refusal.what[:500], "envelope": sha256_hex(envelope)}
