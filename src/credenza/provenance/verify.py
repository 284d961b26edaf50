"""From received bytes to a batch that can be believed to be its source's.

The order is the point: nothing of a payload is used before its signature verified, no
file is opened before the payload is known to be new, and none is parsed before its
digest fits.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.core import dsse
from credenza.core.canonical import sha256_hex
from credenza.core.errors import UntrustedError
from credenza.core.keys import keyid_of
from credenza.core.rows import row_root, schema_digest
from credenza.core.types import Batch, Standing
from credenza.provenance.intake.sandbox import read_sandboxed
from credenza.provenance.manifest import decode_manifest
from credenza.provenance.sign import file_digest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from credenza.core.types import Manifest, Source
    from credenza.provenance.intake.together import Reader
    from credenza.provenance.roster import Roster


@dataclass(frozen=True, slots=True)
class Verified:
    """A batch whose signature, place and content were checked, and its rows."""

    batch: Batch
    table: pa.Table


def verify(
    envelope: bytes,
    files: Mapping[str, Path],
    roster: Roster,
    heads: Mapping[tuple[str, str], tuple[int, str]],
    dataset: str,
    *,
    at_s: int,
    read: Reader = read_sandboxed,
) -> Verified:
    """The batch in ``envelope``, if everything that it states is so.

    Proves who sent which bytes, in which order, for which dataset. Blind to whether
    what they say is true: a source may sign poison. Blind, too, to files changed in
    place while they are checked; pass copies that nobody else can write.

    Args:
        envelope: as received.
        files: by the names in the manifest; exactly those.
        roster: the registered sources.
        heads: sequence and digest of the last batch taken, by source and dataset.
        dataset: the one it was sent to.
        at_s: now, in seconds since the epoch: keys lapse.
        read: how files become rows.

    Raises:
        UntrustedError: in this order ``bad-envelope`` or ``bad-json``,
            ``unknown-source``, ``wrong-key``, ``bad-signature``, ``too-few-signatures``,
            ``bad-manifest``, ``source-frozen`` or ``source-revoked``, ``keys-lapsed``,
            ``out-of-scope``, ``wrong-dataset``, ``replay``, ``out-of-order``,
            ``previous-mismatch``, ``empty-batch``, ``file-set``, ``file-digest``, what
            ``read`` refuses, ``records-mismatch``, ``schema-digest``, ``row-root``,
            ``missing-label``.
    """
    source, batch = entitled(envelope, roster, at_s=at_s)
    manifest = batch.manifest
    _check_place(batch, dataset, heads.get((source.id, dataset), (0, "")))
    _check_files(manifest, files, source)
    table = read({file.name: files[file.name] for file in manifest.files}, source.limits)
    _check_rows(manifest, table)
    return Verified(batch, table)


def entitled(envelope: bytes, roster: Roster, *, at_s: int) -> tuple[Source, Batch]:
    """A source that may send this batch, as far as its keys, standing and mandate say.

    Args:
        envelope: as received.
        roster: the registered sources.
        at_s: now, in seconds since the epoch: keys lapse.

    Raises:
        UntrustedError: the first of what ``verify`` raises, up to ``out-of-scope``.
    """
    source, signed = signed_by(envelope, roster)
    manifest = decode_manifest(signed.payload)
    _check_standing(source, manifest)
    _check_mandate(source, manifest, at_s)
    return source, Batch(sha256_hex(envelope), manifest, envelope, signed.keyids)


def signed_by(data: bytes, roster: Roster) -> tuple[Source, dsse.Signed]:
    """The one source whose keys signed, enough of them, and what they signed.

    Raises:
        UntrustedError: the first of what ``verify`` raises, up to ``too-few-signatures``.
    """
    envelope = dsse.parse(data)
    source = roster.owner(envelope.signatures[0].keyid)
    if source is None:
        raise _stranger(envelope, roster)
    current = {keyid_of(key) for key in source.keys}
    for signature in envelope.signatures:
        if signature.keyid not in current:
            why = f"key id {signature.keyid[:16]} is not, or no longer, one of its keys"
            raise _wrong_key(source.id, why)
    return source, dsse.verify(data, source.keys, threshold=source.threshold)


def _stranger(envelope: dsse.Envelope, roster: Roster) -> UntrustedError:
    """Say who the batch *claims* to be from; the claim only words the refusal."""
    keyid = envelope.signatures[0].keyid
    claimed = decode_manifest(envelope.payload).source
    if claimed in roster.sources:
        return _wrong_key(claimed, f"key id {keyid[:16]} is not registered for it")
    return _refused(
        "unknown-source",
        f"no source is called {claimed!r}",
        why=f"registered: {', '.join(sorted(roster.sources)[:12]) or 'none'}",
        fix="run `credenza source add`",
    )


def _wrong_key(claimed: str, why: str) -> UntrustedError:
    return _refused(
        "wrong-key",
        f"the batch of {claimed!r} is signed by a key that is not its own",
        why=why,
        fix="sign with the source's own key",
    )


def _check_standing(source: Source, manifest: Manifest) -> None:
    if manifest.source != source.id:
        raise _refused(
            "wrong-key",
            f"the batch of {manifest.source!r} is signed by a key that is not its own",
            why=f"the key belongs to {source.id!r}",
            fix=f"sign with the source's own key, or submit as {source.id!r}",
        )
    if source.standing is not Standing.ACTIVE:
        raise _refused(
            f"source-{source.standing.value}",
            f"the source {source.id!r} may submit nothing",
            why=f"it is {source.standing.value}",
            fix=f"ask the data steward; see `credenza source show {source.id}`",
        )


def _check_mandate(source: Source, manifest: Manifest, at_s: int) -> None:
    """The key ring still lets the source send, and to this dataset."""
    if source.until_s is not None and at_s >= source.until_s:
        until = dt.datetime.fromtimestamp(source.until_s, tz=dt.UTC)
        raise _refused(
            "keys-lapsed",
            f"the keys of {source.id!r} may sign nothing any more",
            why=f"the key ring said so until {until:%Y-%m-%dT%H:%M:%SZ}",
            fix="have the ring renewed by its keepers, then run `credenza ring import`",
        )
    if source.datasets is not None and manifest.dataset not in source.datasets:
        raise _refused(
            "out-of-scope",
            f"{source.id!r} may not send to {manifest.dataset!r}",
            why=f"the key ring lets it send to: {', '.join(source.datasets) or 'none'}",
            fix="send it to one of these, or have the ring's keepers delegate more",
        )


def _check_place(batch: Batch, dataset: str, head: tuple[int, str]) -> None:
    """The batch is for this dataset, and the very next one of its source."""
    manifest = batch.manifest
    last, digest = head
    if manifest.dataset != dataset:
        raise _refused(
            "wrong-dataset",
            f"the batch was not signed for {dataset!r}",
            why=f"it was signed for {manifest.dataset!r}",
            fix="submit it there, or sign it again for this dataset",
        )
    if manifest.sequence <= last:
        raise _refused(
            "replay",
            f"batch {manifest.sequence} of {manifest.source!r} was submitted before",
            why=f"the last one taken is {last}"
            + (", with the same digest" if batch.digest == digest else ""),
            fix=f"sign new data as batch {last + 1}",
        )
    if manifest.sequence > last + 1:
        raise _refused(
            "out-of-order",
            f"batch {manifest.sequence} of {manifest.source!r} comes too early",
            why=f"the last one taken is {last}",
            fix=f"submit batch {last + 1} first",
        )
    if manifest.previous != digest:
        raise _refused(
            "previous-mismatch",
            f"batch {manifest.sequence} of {manifest.source!r} does not follow the last one taken",
            why=f"it names {manifest.previous[:16]} as the one before, not {digest[:16]}",
            fix="sign it again with the digest that the gate acknowledged",
        )


def _check_files(manifest: Manifest, files: Mapping[str, Path], source: Source) -> None:
    """The files are those of the manifest, byte for byte, no more and no fewer."""
    if not manifest.records:
        raise _refused(
            "empty-batch",
            "a batch without rows is not taken",
            why="its manifest says 0 records",
            fix="send it when there is data",
        )
    stated = {file.name for file in manifest.files}
    if stated != set(files):
        odd = sorted(stated ^ set(files))
        raise _refused(
            "file-set",
            "the files are not those that were signed",
            why=f"{len(stated)} signed, {len(files)} received; differing: {odd[0][:80]!r}",
            fix="send exactly the signed files",
        )
    for file in manifest.files:
        found = file_digest(file.name, files[file.name], source.limits)
        if found != file:
            raise _refused(
                "file-digest",
                f"the file {file.name!r} is not the one that was signed",
                why=f"{found.size} bytes with SHA-256 {found.sha256[:16]}, "
                f"signed {file.size} with {file.sha256[:16]}",
                fix="send the signed file again, or sign the new one",
            )


def _check_rows(manifest: Manifest, table: pa.Table) -> None:
    if len(table) != manifest.records:
        raise _refused(
            "records-mismatch",
            "the batch has another number of rows than was signed",
            why=f"{len(table)} found, {manifest.records} signed",
        )
    found = schema_digest(table.schema)
    if found != manifest.schema_digest:
        raise _refused(
            "schema-digest",
            "the batch has other columns or types than were signed",
            why=f"{found[:16]} found, {manifest.schema_digest[:16]} signed",
        )
    root = row_root(table)
    if root != manifest.row_root:
        raise _refused(
            "row-root",
            "the batch has other rows than were signed",
            why=f"{root[:16]} found, {manifest.row_root[:16]} signed",
        )
    if manifest.label and manifest.label not in table.column_names:
        raise _refused(
            "missing-label",
            f"the batch has no column {manifest.label!r}, which it names as its label",
            why=f"it has {len(table.column_names)} other columns",
            fix="sign it again with the name of the label's column",
        )


def _refused(code: str, what: str, *, why: str, fix: str = "") -> UntrustedError:
    return UntrustedError(code, what, why=why, fix=fix or "sign it again with `credenza submit`")
