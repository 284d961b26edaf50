"""Each export, read by the standard's own tool."""

from __future__ import annotations

import dataclasses
import json
import warnings
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from credenza.core.types import FileDigest, Manifest, Release
from credenza.provenance.exports.builtin import EXPORTS
from credenza.provenance.exports.released import Released

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = '<script>alert(1)</script>"\n=cmd|\u202e'


def manifest(source: str, **changes: object) -> Manifest:
    plain = Manifest(
        dataset="flights",
        source=source,
        sequence=3,
        previous="",
        files=(FileDigest("june.parquet", "a" * 64, 10),),
        records=5,
        row_root="c" * 64,
        schema_digest="d" * 64,
        collected=("2024-01-01T00:00:00Z", "2024-01-08T00:00:00Z"),
        label="late",
        licence="CC0-1.0",
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]  # changes vary


@pytest.fixture
def released() -> Released:
    release = Release(
        digest="1" * 64,
        dataset="flights",
        version=4,
        files=(FileDigest("part-00000.parquet", "e" * 64, 1234),),
        rows=10,
        batches=("a" * 64, "b" * 64),
        policy="f" * 64,
    )
    return Released(
        release=release,
        created="2024-02-01T00:00:00Z",
        gate="9" * 64,
        origin="credenza.log/0123456789abcdef",
        checkpoint="credenza.log/0123456789abcdef\n7\nabc=\n",
        label="late",
        columns=(("hour", "integer"), ("late", "boolean"), ("at", "instant"), ("odd", "other")),
        batches=(("a" * 64, manifest("acme")), ("b" * 64, manifest("bold", licence=""))),
    )


@pytest.fixture
def hostile(released: Released) -> Released:
    """Licences are free text; everything else that a sender says is held to a pattern."""
    batches = (("a" * 64, manifest("acme", licence=HOSTILE)),)
    return dataclasses.replace(released, batches=batches, columns=((HOSTILE, "text"),))


def check_croissant(document: bytes) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tool's own
        metadata = mlcroissant.Dataset(jsonld=json.loads(document)).metadata
    assert not metadata.ctx.issues.errors
    assert metadata.version == "4.0.0"
    assert metadata.distribution[0].sha256 == "e" * 64
    assert metadata.data_collection.startswith("Batches that registered sources")


def check_cyclonedx(document: bytes) -> None:
    validation = pytest.importorskip("cyclonedx.validation.json")
    schema = pytest.importorskip("cyclonedx.schema")
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    assert validator.validate_str(document.decode()) is None


def check_openlineage(document: bytes) -> None:
    event_v2 = pytest.importorskip("openlineage.client.event_v2")
    told = json.loads(document)
    run = event_v2.RunEvent(
        eventTime=told["eventTime"],
        producer=told["producer"],
        run=event_v2.Run(runId=told["run"]["runId"]),
        job=event_v2.Job(**told["job"]),
        eventType=event_v2.RunState[told["eventType"]],
        inputs=[event_v2.InputDataset(one["namespace"], one["name"]) for one in told["inputs"]],
        outputs=[event_v2.OutputDataset(one["namespace"], one["name"]) for one in told["outputs"]],
    )
    assert run.run.runId == told["run"]["runId"]
    assert document.count(b"\n") == 1


def check_statement(document: bytes) -> None:
    statements = pytest.importorskip("in_toto_attestation.v1.statement")
    descriptors = pytest.importorskip("in_toto_attestation.v1.resource_descriptor")
    told = json.loads(document)
    subjects = [
        descriptors.ResourceDescriptor(name=one["name"], digest=one["digest"]).pb
        for one in told["subject"]
    ]
    statement = statements.Statement(
        subjects, predicate_type=told["predicateType"], predicate=told["predicate"]
    )
    statement.validate()


def check_slsa(document: bytes) -> None:
    check_statement(document)
    schema = pytest.importorskip("in_toto_attestation.predicates.provenance.v1.provenance_pb2")
    json_format = pytest.importorskip("google.protobuf.json_format")
    predicate = json.loads(document)["predicate"]
    parsed = json_format.ParseDict(predicate, schema.Provenance())
    assert len(parsed.build_definition.resolved_dependencies) >= 1


CHECKS = {
    "croissant": check_croissant,
    "cyclonedx": check_cyclonedx,
    "openlineage": check_openlineage,
    "slsa": check_slsa,
    "svr": check_statement,
}


def test_every_format_has_a_check_by_the_standards_own_tool() -> None:
    assert CHECKS.keys() == EXPORTS.keys()


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_the_standards_own_tool_accepts_the_export(name: str, released: Released) -> None:
    CHECKS[name](EXPORTS[name].write(released))


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_hostile_text_stays_text(name: str, hostile: Released) -> None:
    document = EXPORTS[name].write(hostile)
    CHECKS[name](document)
    json.loads(document)


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_the_same_release_is_told_in_the_same_bytes(name: str, released: Released) -> None:
    assert EXPORTS[name].write(released) == EXPORTS[name].write(released)


def test_a_summary_says_which_checks_passed_and_not_that_no_poison_is_left(
    released: Released,
) -> None:
    properties = json.loads(EXPORTS["svr"].write(released))["predicate"]["properties"]
    assert "CREDENZA_BATCHES_SCREENED" in properties
    assert not [one for one in properties if "POISON" in one or "CLEAN" in one]


def test_a_release_can_be_signed_with_openssf_model_signing(tmp_path: Path) -> None:
    """The recipe of docs/how-to/exports.md: hidden git paths are part of what is signed."""
    signing = pytest.importorskip("model_signing.signing")
    verifying = pytest.importorskip("model_signing.verifying")
    hashing = pytest.importorskip("model_signing.hashing")
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    release = tmp_path / "release"
    release.mkdir()
    pq.write_table(pa.table({"x": [1]}), release / "part-00000.parquet")
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "ec.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (tmp_path / "ec.pub").write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    everything = hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False)
    signing.Config().use_elliptic_key_signer(private_key=tmp_path / "ec.pem").set_hashing_config(
        everything
    ).sign(release, tmp_path / "release.sig")

    def verify() -> None:
        verifying.Config().use_elliptic_key_verifier(
            public_key=tmp_path / "ec.pub"
        ).set_hashing_config(everything).verify(release, tmp_path / "release.sig")

    verify()
    (release / ".git").mkdir()
    (release / ".git" / "x.parquet").write_bytes(b"hidden")
    with pytest.raises(ValueError, match=r"[Mm]ismatch|[Ee]xtra|differ"):
        verify()
