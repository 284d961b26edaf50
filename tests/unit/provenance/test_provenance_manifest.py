from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from credenza.core.canonical import canonical_json
from credenza.core.errors import UntrustedError
from credenza.core.types import FileDigest, Manifest
from credenza.provenance.manifest import decode_manifest, encode_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

MANIFEST = Manifest(
    dataset="flights",
    source="ua-ewr",
    sequence=2,
    previous="a" * 64,
    files=(FileDigest("week.parquet", "b" * 64, 1234), FileDigest("more.csv", "c" * 64, 0)),
    records=300,
    row_root="d" * 64,
    schema_digest="e" * 64,
    collected=("2013-01-07T00:00:00Z", "2013-01-14T00:00:00Z"),
    label="late",
    licence="CC0-1.0",
    provenance={"data-issuer": "Bureau of Transportation Statistics", "method": "reporting"},
)


def _refused(change: Callable[[dict[str, Any]], object]) -> UntrustedError:
    value = json.loads(encode_manifest(MANIFEST))
    change(value)
    with pytest.raises(UntrustedError) as refusal:
        decode_manifest(canonical_json(value))
    assert refusal.value.code == "bad-manifest"
    return refusal.value


def test_a_manifest_comes_back_as_it_was() -> None:
    encoded = encode_manifest(MANIFEST)
    assert decode_manifest(encoded) == MANIFEST
    assert encode_manifest(decode_manifest(encoded)) == encoded


def test_a_manifest_is_an_in_toto_statement() -> None:
    statement = json.loads(encode_manifest(MANIFEST))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"][0] == {
        "name": "week.parquet",
        "digest": {"sha256": "b" * 64},
        "annotations": {"size": 1234},
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dataset", "Flights"),
        ("dataset", ""),
        ("source", "ua ewr"),
        ("source", "ua-ewr\n"),
        ("source", "../ua"),
        ("source", 7),
        ("sequence", 0),
        ("sequence", True),
        ("sequence", "2"),
        ("previous", ""),
        ("previous", "A" * 64),
        ("previous", "a" * 64 + "\n"),
        ("records", -1),
        ("records", None),
        ("rowRoot", "d" * 63),
        ("schemaDigest", ""),
        ("collected", {"start": "2013-01-07T00:00:00Z"}),
        ("collected", {"start": "2013-01-14T00:00:00Z", "end": "2013-01-07T00:00:00Z"}),
        ("collected", {"start": "2013-01-07T00:00:00Z", "end": "2013-01-07T00:00:00Z"}),
        ("collected", {"start": "2013-02-30T00:00:00Z", "end": "2013-03-07T00:00:00Z"}),
        ("collected", {"start": "2013-01-07", "end": "2013-01-14"}),
        ("collected", {"start": "2013-01-07T00:00:00+01:00", "end": "2013-01-14T00:00:00Z"}),
        ("label", "late\x1b[2J"),
        ("label", "l" * 257),
        ("licence", "CC0\u202e"),
        ("provenance", {"issuer": "BTS"}),
        ("provenance", {"data-issuer": 1}),
        ("provenance", []),
    ],
)
def test_threat_01_a_field_outside_its_pattern_is_refused(field: str, value: object) -> None:
    refusal = _refused(lambda s: s["predicate"].update({field: value}))
    assert field in refusal.why


def test_threat_01_an_unknown_or_missing_field_is_refused() -> None:
    _refused(lambda s: s["predicate"].update(note="hello"))
    _refused(lambda s: s["predicate"].pop("licence"))
    _refused(lambda s: s.update(extra=1))
    _refused(lambda s: s["subject"][0]["digest"].update(md5="0" * 32))
    _refused(lambda s: s.update(predicateType="https://slsa.dev/provenance/v1"))
    _refused(lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"))
    _refused(lambda s: s.update(predicate=[]))


def test_the_first_batch_has_no_previous_one() -> None:
    _refused(lambda s: s["predicate"].update(sequence=1))


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden.parquet",
        "../x.parquet",
        "a/b.parquet",
        "a\\b.parquet",
        "/etc/passwd",
        "x.parquet\n",
        "x\x00.parquet",
        "é.parquet",
        "e\u0301.parquet",
        "x" * 200,
        7,
    ],
)
def test_threat_12_a_file_name_is_one_plain_segment(name: object) -> None:
    _refused(lambda s: s["subject"][0].update(name=name))


def test_threat_12_names_that_one_disk_takes_for_one_are_refused() -> None:
    _refused(lambda s: s["subject"][1].update(name="week.parquet"))
    _refused(lambda s: s["subject"][1].update(name="WEEK.parquet"))
    _refused(lambda s: s.update(subject=[]))


def test_what_could_not_be_decoded_cannot_be_encoded() -> None:
    with pytest.raises(UntrustedError):
        encode_manifest(Manifest(**{**_fields(), "records": -1}))


def _fields() -> dict[str, Any]:
    return {name: getattr(MANIFEST, name) for name in MANIFEST.__slots__}
