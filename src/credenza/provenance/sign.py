"""The sender's side: measure files, state what they are, sign that."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from credenza.core import dsse
from credenza.core.errors import UntrustedError, UsageError
from credenza.core.rows import row_root, schema_digest
from credenza.core.types import FileDigest, Limits, Manifest
from credenza.provenance.intake.limits import open_regular
from credenza.provenance.intake.sandbox import read_sandboxed
from credenza.provenance.intake.together import by_name
from credenza.provenance.manifest import encode_manifest, file_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from credenza.provenance.intake.together import Files, Reader
    from credenza.provenance.keys import SigningKey

_BLOCK_BYTES = 2**20


def sign_batch(
    files: Files,
    *,
    source: str,
    key: SigningKey,
    dataset: str,
    sequence: int,
    previous: str,
    collected: tuple[str, str],
    label: str = "",
    licence: str = "",
    provenance: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    read: Reader = read_sandboxed,
) -> bytes:
    """A signed envelope that says what is in ``files``.

    The files are read as the receiver will read them, so what is signed is what will be
    found. Blind to a file that changes between being digested and being read: the
    receiver then refuses it.

    Args:
        files: at least one; see ``together.Files``.
        source: the sender's registered id.
        key: one of its registered keys.
        dataset: where the batch is to go.
        sequence: 1 for the first batch of this source and dataset, then 2, 3, ….
        previous: digest of the batch before, "" for the first.
        collected: start and end of collection, ``2026-01-31T00:00:00Z``, end exclusive.
        label: the label's column, or "" when the rows have none.
        licence: under which the data may be used, an SPDX expression where one fits.
        provenance: fields of the Data & Trust Alliance standard that apply.
        limits: bounds on the files, those of the receiver by default.
        read: how files become rows; ``read_own`` for files of one's own making.

    Returns:
        The envelope's bytes; their SHA-256 is the batch's digest.

    Raises:
        UsageError: the batch is empty, has no column of the label's name, or a name or
            field breaks a rule of manifests.
        UntrustedError: a file cannot be read.
    """
    limits = limits or Limits()
    named = by_name(files)
    with _worded():
        for name in named:
            file_name(name)
    digests = tuple(file_digest(name, Path(path), limits) for name, path in named.items())
    table = read(named, limits)
    _check_table(table, label, len(named))
    manifest = Manifest(
        dataset=dataset,
        source=source,
        sequence=sequence,
        previous=previous,
        files=digests,
        records=len(table),
        row_root=row_root(table),
        schema_digest=schema_digest(table.schema),
        collected=collected,
        label=label,
        licence=licence,
        provenance=dict(provenance or {}),
    )
    with _worded():
        statement = encode_manifest(manifest)
    return dsse.sign(statement, [key.private])


@contextmanager
def _worded() -> Iterator[None]:
    """To whoever is about to sign, a rule of manifests is a matter of wording."""
    try:
        yield
    except UntrustedError as wrong:
        raise UsageError(
            "unfit-to-sign",
            "this cannot be signed as a batch",
            why=wrong.why,
            fix="write it as the rule says; nothing was signed or sent",
        ) from wrong


def _check_table(table: pa.Table, label: str, files: int) -> None:
    if not len(table):
        raise UsageError(
            "empty-batch",
            "a batch without rows cannot be signed",
            why=f"{files} files hold no row",
            fix="send it when there is data",
        )
    if label and label not in table.column_names:
        raise UsageError(
            "missing-label",
            f"there is no column {label!r} to be the label",
            why=f"the columns are: {', '.join(table.column_names[:20])}",
            fix="name one of them with --label",
        )


def file_digest(name: str, path: Path, limits: Limits) -> FileDigest:
    """SHA-256 and size of one regular file, under the name it is to have.

    Raises:
        UntrustedError: it is not a regular file, is too large or cannot be read.
    """
    state = hashlib.sha256()
    size = 0
    with os.fdopen(open_regular(path, limits), "rb", buffering=0) as file:
        while block := file.read(_BLOCK_BYTES):
            state.update(block)
            size += len(block)
    return FileDigest(name, state.hexdigest(), size)
