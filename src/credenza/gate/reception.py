"""Received bytes become a verified, profiled batch that waits for its window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
from credenza.provenance.envelope import parse_envelope
from credenza.provenance.manifest import decode_manifest, file_name
from credenza.provenance.verify import Verified, verify
from credenza.store.rows import HeadRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from credenza.core.canonical import Json
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

    The files are copied into the content store first, so what was verified is what is
    kept, whatever happens to the sender's files meanwhile.

    Raises:
        UntrustedError: it is refused; the refusal is recorded, the content is not used.
    """
    stores.journal.lock()
    try:
        verified = _verify(stores, envelope, files)
        profiled = _profile(verified, policy)
    except UntrustedError as refusal:
        stores.journal.record([Event("refusal", _refusal(envelope, refusal))])
        raise
    return _record(stores, profiled)


def _verify(stores: Stores, envelope: bytes, files: Sequence[Path]) -> Verified:
    """Check a copy of the files that the sender can no longer change."""
    known = roster(stores)
    claimed = _claimed_dataset(envelope)
    blobs = stores.journal.blobs
    copies = {
        file_name(path.name): blobs.path(blobs.put_file(path, max_bytes=MOST_BYTES).sha256)
        for path in files
    }
    with stores.journal.catalog.snapshot() as index:
        heads = {
            (head.source, head.dataset): (head.sequence, head.digest)
            for head in index.find(HeadRow, dataset=claimed)
        }
    return verify(envelope, copies, known, heads, claimed)


def _claimed_dataset(envelope: bytes) -> str:
    """The dataset that the batch asks for; believed only once the signature verified."""
    return decode_manifest(parse_envelope(envelope).payload).dataset


def _profile(verified: Verified, policy: Policy) -> Profiled:
    manifest = verified.batch.manifest
    return Profiled(
        batch=verified.batch,
        table=verified.table,
        profile=profile(verified.table, label=manifest.label),
        window=window_of(manifest.collected[0], verified.batch.digest, policy.window),
    )


def _record(stores: Stores, profiled: Profiled) -> Receipt:
    """Content first, then the ledger's entry: acknowledged means present."""
    manifest = profiled.batch.manifest
    table, state, _ = stores.journal.blobs.put_many(
        [table_bytes(profiled.table), profiled.profile.to_ipc(), profiled.batch.envelope]
    )
    document: dict[str, Json] = {
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
    entry = stores.journal.record([Event("submission", document)])[0]
    return Receipt(
        profiled.batch.digest,
        manifest.dataset,
        profiled.window,
        entry.index,
        manifest.records,
        WAITING,
    )


def _refusal(envelope: bytes, refusal: UntrustedError) -> dict[str, Json]:
    """Nothing of the sender's words is kept but their digest: they may be hostile."""
    return {"code": refusal.code, "what": refusal.what[:500], "envelope": sha256_hex(envelope)}
