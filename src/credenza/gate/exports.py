"""A release that this gate made, told in the words of other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from credenza.core import dsse
from credenza.core.errors import NotFoundError
from credenza.datasets.attestation import ATTESTATION, read_attestation
from credenza.datasets.verify_release import verify_release
from credenza.provenance.exports.builtin import EXPORTS
from credenza.provenance.exports.released import Released
from credenza.store.rows import ReleaseRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from credenza.gate.stores import Stores
    from credenza.provenance.keys import SigningKey

# What an Arrow type is called by tools that know fewer of them; the first that fits.
KINDS: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "integer"),
    (pa.types.is_floating, "number"),
    (pa.types.is_decimal, "number"),
    (pa.types.is_string, "text"),
    (pa.types.is_large_string, "text"),
    (pa.types.is_dictionary, "text"),
    (pa.types.is_date, "date"),
    (pa.types.is_timestamp, "instant"),
)


def export(stores: Stores, directory: Path, name: str, key: SigningKey) -> bytes:
    """The document of one format about the release in ``directory``.

    The release is verified first, against this gate's own key.

    Args:
        stores: of the gate that made it.
        directory: of the release.
        name: a format of ``EXPORTS``.
        key: the operator's; it signs the formats that are statements.

    Raises:
        NotFoundError: no such format, or this gate made no such release.
        UntrustedError: the release is not what was released.
    """
    chosen = EXPORTS.get(name)
    if chosen is None:
        raise NotFoundError(
            "no-such-format",
            f"no format is called {name!r}",
            why=", ".join(sorted(EXPORTS)),
            fix="name one of these",
        )
    document = chosen.write(_released(stores, directory, key.public))
    return dsse.sign(document, [key.private]) if chosen.is_statement else document


def _released(stores: Stores, directory: Path, gate: str) -> Released:
    release = verify_release(directory, trust=[gate])
    with stores.journal.catalog.snapshot() as index:
        if index.get(ReleaseRow, release.digest) is None:
            raise NotFoundError(
                "no-such-release",
                "this workspace did not make that release",
                why="its digest is not in this ledger",
                fix="export it from the workspace that released it",
            )
    attested = read_attestation((directory / ATTESTATION).read_bytes(), [gate])
    batches = tuple((digest, stores.manifest(digest)) for digest in release.batches)
    schema = pq.read_schema(directory / release.files[0].name)
    return Released(
        release=release,
        created=attested.created,
        gate=gate,
        origin=stores.journal.ledger.origin,
        checkpoint=attested.checkpoint,
        label=next((manifest.label for _, manifest in batches if manifest.label), ""),
        columns=tuple((field.name, _kind(field.type)) for field in schema),
        batches=batches,
    )


def _kind(kind: pa.DataType) -> str:
    return next((name for fits, name in KINDS if fits(kind)), "other")
