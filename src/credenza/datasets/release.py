"""A release: an exact set of Parquet files and a signed attestation of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.core import dsse
from credenza.core.canonical import canonical_json
from credenza.core.errors import UsageError
from credenza.core.keys import public_hex
from credenza.datasets.attestation import (
    ATTESTATION,
    PREDICATE_TYPE,
    STATEMENT_TYPE,
    read_attestation,
)
from credenza.datasets.lineage_columns import BATCH
from credenza.datasets.parquet import (
    ROWS_PER_FILE,
    Part,
    whole_or_absent,
    write_parts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pyarrow as pa
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from credenza.core.canonical import Json
    from credenza.core.types import Release


@dataclass(frozen=True, slots=True)
class Claim:
    """What a release says beside what its files show.

    Attributes:
        policy: digest of the policy that every verdict was given under.
        checkpoint: the ledger's signed checkpoint that covers those verdicts, as text.
        created: ISO 8601 UTC, as the operator says.
        expires: from when on it must not be used, ISO 8601 UTC; "" for never.
    """

    dataset: str
    version: int
    policy: str
    checkpoint: str
    created: str
    expires: str = ""


def write_release(
    directory: Path,
    rows: Iterable[pa.RecordBatch],
    claim: Claim,
    private_key: Ed25519PrivateKey,
    *,
    rows_per_file: int = ROWS_PER_FILE,
) -> Release:
    """Export ``rows`` and sign exactly what was written.

    Names, sizes, digests, rows and batches are measured from the files and their rows,
    not taken from the caller. The directory appears whole or not at all.

    Blind to what ``claim`` says: that the verdicts were given, and that the policy is the
    current one, is for the gate to have checked.

    Args:
        directory: must not exist.
        rows: with lineage columns, as ``LanceDatasets.read`` streams them.
        claim: dataset, version, policy, checkpoint and time.
        private_key: Ed25519; its public half is what ``verify_release`` must trust.
        rows_per_file: at which a file is closed.

    Raises:
        UsageError: there are no rows, or they do not say which batch they are from.
        ConflictError: the directory already exists.
    """
    batches: set[str] = set()
    with whole_or_absent(directory) as draft:
        parts = write_parts(_noted(rows, batches), draft, rows_per_file=rows_per_file)
        if not parts:
            raise UsageError(
                "empty-release",
                f"version {claim.version} of {claim.dataset!r} has no rows to release",
                why="nothing was admitted into it, or all of it was excised",
                fix="release a version that has rows: see `credenza dataset log`",
            )
        statement = canonical_json(_statement(claim, parts, sorted(batches)))
        envelope = dsse.sign(statement, [private_key])
        # What is about to be published is read the way the receiver will read it.
        release = read_attestation(envelope, [public_hex(private_key)]).release
        (draft / ATTESTATION).write_bytes(envelope)
    return release


def _noted(rows: Iterable[pa.RecordBatch], batches: set[str]) -> Iterator[pa.RecordBatch]:
    """Pass rows through, noting the batches that they are from."""
    for part in rows:
        if part.schema.get_field_index(BATCH) < 0:
            raise UsageError(
                "no-lineage",
                "rows to release do not say which batch they are from",
                why=f"they have no column {BATCH!r}",
                fix="release a dataset's version as it is read",
            )
        batches.update(part[BATCH].unique().to_pylist())
        yield part


def _statement(claim: Claim, parts: tuple[Part, ...], batches: list[str]) -> Json:
    """In-toto statement v1 with our predicate."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": part.file.name, "digest": {"sha256": part.file.sha256}} for part in parts
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "dataset": claim.dataset,
            "version": claim.version,
            "rows": sum(part.rows for part in parts),
            "batches": [*batches],
            "files": {
                part.file.name: {"size": part.file.size, "rows": part.rows} for part in parts
            },
            "policy": claim.policy,
            "checkpoint": claim.checkpoint,
            "created": claim.created,
            "expires": claim.expires,
        },
    }
