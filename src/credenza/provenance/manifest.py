"""What a source signs about one batch: an in-toto Statement, read strictly.

Unknown fields, fields of another type and values outside their pattern are refused, so
that everything in a manifest was understood by whoever accepted it.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from credenza.core.canonical import Json, canonical_json, strict_json
from credenza.core.errors import UntrustedError
from credenza.core.types import FileDigest, Manifest
from credenza.provenance.roster import SOURCE_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:credenza:batch:v1"

# Data & Trust Alliance, Data Provenance Standards 1.0.0: the elements that are text and
# that the manifest does not have in another field.
PROVENANCE_FIELDS = frozenset(
    {
        "confidentiality-classification",
        "consent-documentation-location",
        "copyright",
        "data-format",
        "data-issuer",
        "data-origin-geography",
        "data-processing-geography-exclusion",
        "data-processing-geography-inclusion",
        "data-storage-geography-exclusion",
        "data-storage-geography-inclusion",
        "dataset-description",
        "dataset-issue-date",
        "dataset-title",
        "intended-use",
        "metadata-identifier",
        "metadata-location",
        "method",
        "origin-date-range",
        "patent",
        "previous-issue-date",
        "privacy-enhancing-technologies",
        "proprietary-data",
        "source",
        "standards-version",
        "trademark",
    }
)

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
# One path segment of ASCII: no separators, no leading dot, no second spelling (NFC/NFD).
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_END = r"\Z"
_MAX_FILES = 4096
_MAX_TEXT = 4096
_MAX_LABEL = 256


def encode_manifest(manifest: Manifest) -> bytes:
    """The statement's bytes; ``decode_manifest`` gives the same manifest back.

    Raises:
        UntrustedError: the manifest itself breaks a rule of ``decode_manifest``.
    """
    predicate: dict[str, Json] = {
        "dataset": manifest.dataset,
        "source": manifest.source,
        "sequence": manifest.sequence,
        "previous": manifest.previous,
        "records": manifest.records,
        "rowRoot": manifest.row_root,
        "schemaDigest": manifest.schema_digest,
        "collected": {"start": manifest.collected[0], "end": manifest.collected[1]},
        "label": manifest.label,
        "licence": manifest.licence,
        "provenance": dict(manifest.provenance),
    }
    subject: list[Json] = [
        {
            "name": file.name,
            "digest": {"sha256": file.sha256},
            "annotations": {"size": file.size},
        }
        for file in manifest.files
    ]
    statement = canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": subject,
            "predicateType": PREDICATE_TYPE,
            "predicate": predicate,
        }
    )
    decode_manifest(statement)
    return statement


def decode_manifest(data: bytes) -> Manifest:
    """Read a statement, or say the first thing that is wrong with it.

    Checks form, not truth: that the files exist and say the same is ``verify``'s.

    Raises:
        UntrustedError: ``bad-manifest`` or ``bad-json``.
    """
    statement = _object(
        strict_json(data), "statement", {"_type", "subject", "predicateType", "predicate"}
    )
    if statement["_type"] != STATEMENT_TYPE:
        raise _bad(f"_type is not {STATEMENT_TYPE!r}")
    if statement["predicateType"] != PREDICATE_TYPE:
        raise _bad(f"predicateType is not {PREDICATE_TYPE!r}")
    found = _object(
        statement["predicate"],
        "predicate",
        {
            "dataset",
            "source",
            "sequence",
            "previous",
            "records",
            "rowRoot",
            "schemaDigest",
            "collected",
            "label",
            "licence",
            "provenance",
        },
    )
    sequence = _integer(found["sequence"], "sequence", least=1)
    return Manifest(
        dataset=_matching(found["dataset"], "dataset", SOURCE_ID),
        source=_matching(found["source"], "source", SOURCE_ID),
        sequence=sequence,
        previous=_previous(found["previous"], sequence),
        files=_files(statement["subject"]),
        records=_integer(found["records"], "records", least=0),
        row_root=_matching(found["rowRoot"], "rowRoot", _DIGEST),
        schema_digest=_matching(found["schemaDigest"], "schemaDigest", _DIGEST),
        collected=_interval(found["collected"]),
        label=_text(found["label"], "label", _MAX_LABEL),
        licence=_text(found["licence"], "licence", _MAX_LABEL),
        provenance=_provenance(found["provenance"]),
    )


def _previous(value: Json, sequence: int) -> str:
    if sequence == 1:
        if value != "":
            raise _bad("the first batch of a source has no previous one")
        return ""
    return _matching(value, "previous", _DIGEST)


def _files(value: Json) -> tuple[FileDigest, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_FILES:
        raise _bad(f"subject must list 1 to {_MAX_FILES} files")
    files = []
    for item in value:
        found = _object(item, "subject", {"name", "digest", "annotations"})
        digest = _object(found["digest"], "digest", {"sha256"})
        annotations = _object(found["annotations"], "annotations", {"size"})
        files.append(
            FileDigest(
                name=file_name(found["name"]),
                sha256=_matching(digest["sha256"], "sha256", _DIGEST),
                size=_integer(annotations["size"], "size", least=0),
            )
        )
    if len({file.name.casefold() for file in files}) != len(files):
        raise _bad("two files have one name, or names that differ in case only")
    return tuple(files)


def file_name(value: Json) -> str:
    """``value``, if it is one plain path segment of ASCII.

    Raises:
        UntrustedError: ``bad-manifest``: a separator, a leading dot, a newline, …
    """
    return _matching(value, "file name", _FILE_NAME)


def _interval(value: Json) -> tuple[str, str]:
    found = _object(value, "collected", {"start", "end"})
    start = _matching(found["start"], "collected.start", _INSTANT)
    end = _matching(found["end"], "collected.end", _INSTANT)
    try:
        first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
    except ValueError as wrong:
        raise _bad("collected names a moment that does not exist") from wrong
    if not first < last:
        raise _bad("collected must end after it starts")
    return start, end


def _provenance(value: Json) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise _bad("provenance is not an object")
    unknown = sorted(set(value) - PROVENANCE_FIELDS)
    if unknown:
        known = ", ".join(sorted(PROVENANCE_FIELDS))
        raise _bad(f"provenance has no field {unknown[0][:60]!r}; it has: {known}")
    return {name: _text(text, f"provenance.{name}", _MAX_TEXT) for name, text in value.items()}


def _object(value: Json, where: str, names: set[str]) -> dict[str, Json]:
    if not isinstance(value, dict) or set(value) != names:
        raise _bad(f"{where} must have exactly the fields {', '.join(sorted(names))}")
    return value


def _matching(value: Json, where: str, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not pattern.match(value):
        raise _bad(f"{where} must match {pattern.pattern.removesuffix(_END)}")
    return value


def _integer(value: Json, where: str, *, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise _bad(f"{where} must be an integer of at least {least}")
    return value


def _text(value: Json, where: str, most: int) -> str:
    if not isinstance(value, str) or len(value) > most or _CONTROL.search(value):
        raise _bad(f"{where} must be at most {most} characters without control characters")
    return value


def _bad(why: str) -> UntrustedError:
    return UntrustedError(
        "bad-manifest",
        "the signed statement is not a manifest of a batch",
        why=why,
        fix="sign again with `credenza submit`",
    )
