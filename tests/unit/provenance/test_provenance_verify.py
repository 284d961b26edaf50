from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from credenza.core import dsse
from credenza.core.canonical import sha256_hex
from credenza.core.errors import UntrustedError, UsageError
from credenza.core.rows import row_root
from credenza.core.types import Manifest
from credenza.provenance.keys import SigningKey, key_from_seed
from credenza.provenance.manifest import decode_manifest, encode_manifest
from credenza.provenance.roster import Roster
from credenza.provenance.sign import sign_batch
from credenza.provenance.verify import Verified, verify

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from credenza.core.canonical import Json

NOW_S = 1_800_000_000
WEEK = ("2013-01-07T00:00:00Z", "2013-01-14T00:00:00Z")


@dataclass
class Post:
    """One sender's files and key, and a gate with a roster and heads."""

    folder: Path
    key: SigningKey = field(default_factory=lambda: key_from_seed(b"k" * 32))
    source: str = "ua-ewr"
    heads: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)

    @property
    def roster(self) -> Roster:
        other = key_from_seed(b"o" * 32)
        return Roster.fold(
            [
                {"event": "source-added", "source": "ua-ewr", "keys": [self.key.public]},
                {"event": "source-added", "source": "dl-jfk", "keys": [other.public]},
            ]
        )

    def file(self, table: pa.Table | None = None, name: str = "week.parquet") -> Path:
        path = self.folder / name
        pq.write_table(flights() if table is None else table, path)
        return path

    def sign(self, *paths: Path, **changes: object) -> bytes:
        stated: dict[str, object] = {
            "source": self.source,
            "key": self.key,
            "dataset": "flights",
            "sequence": 1,
            "previous": "",
            "collected": WEEK,
            "label": "late",
        }
        return sign_batch(paths, **{**stated, **changes})  # type: ignore[arg-type] # as stated

    def receive(self, envelope: bytes, path: Path, dataset: str = "flights") -> Verified:
        verified = verify(envelope, {path.name: path}, self.roster, self.heads, dataset, at_s=NOW_S)
        manifest = verified.batch.manifest
        self.heads[manifest.source, dataset] = (manifest.sequence, sha256_hex(envelope))
        return verified


def flights(n: int = 6) -> pa.Table:
    return pa.table(
        {
            "hour": pa.array(range(n), pa.int32()),
            "carrier": pa.array(["UA", "DL"] * n)[:n],
            "late": pa.array([0, 1] * n)[:n],
        }
    )


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path)


STRANGER = key_from_seed(b"s" * 32)
OTHER = key_from_seed(b"o" * 32)


def _restated(envelope: bytes, key: SigningKey, **changes: object) -> bytes:
    """The same claim with some fields changed, signed again: a lying sender."""
    manifest = decode_manifest(dsse.verify(envelope, [key.public]).payload)
    fields = {name: getattr(manifest, name) for name in Manifest.__slots__}
    lying = Manifest(**{**fields, **changes})
    return dsse.sign(encode_manifest(lying), [key.private])


def _refusal(post: Post, envelope: bytes, path: Path, dataset: str = "flights") -> UntrustedError:
    with pytest.raises(UntrustedError) as refusal:
        post.receive(envelope, path, dataset)
    assert refusal.value.why
    assert refusal.value.fix
    return refusal.value


def test_an_honest_batch_is_verified_and_its_rows_come_with_it(post: Post) -> None:
    path = post.file()
    envelope = post.sign(path, licence="CC0-1.0", provenance={"method": "reporting"})
    verified = post.receive(envelope, path)
    assert verified.batch.digest == sha256_hex(envelope)
    assert verified.batch.envelope == envelope
    assert verified.batch.keyids == (post.key.keyid,)
    assert verified.batch.manifest.records == len(verified.table) == 6
    assert verified.batch.manifest.row_root == row_root(verified.table)


def test_batches_follow_each_other_by_sequence_and_digest(post: Post) -> None:
    first = post.sign(post.file())
    post.receive(first, post.folder / "week.parquet")
    path = post.file(name="next.parquet")
    second = post.sign(path, sequence=2, previous=sha256_hex(first))
    assert post.receive(second, path).batch.manifest.previous == sha256_hex(first)


def test_a_batch_of_several_files_is_their_rows_in_order(post: Post) -> None:
    table = pa.table({"hour": [1], "carrier": ["DL"], "late": [0]})
    one, two = post.file(table, name="a.parquet"), post.folder / "b.csv"
    two.write_text("hour,carrier,late\n9,UA,1\n")
    verified = verify(
        post.sign(one, two), {one.name: one, two.name: two}, post.roster, {}, "flights", at_s=NOW_S
    )
    assert verified.table["hour"].to_pylist() == [1, 9]


def test_an_unknown_source_is_refused_by_name(post: Post) -> None:
    path = post.file()
    envelope = post.sign(path, source="zz-top", key=STRANGER)
    refusal = _refusal(post, envelope, path)
    assert refusal.code == "unknown-source"
    assert "'zz-top'" in refusal.what
    assert refusal.why == "registered: dl-jfk, ua-ewr"


def test_a_known_source_with_a_key_that_is_not_its_own_is_refused(post: Post) -> None:
    path = post.file()
    assert _refusal(post, post.sign(path, key=STRANGER), path).code == "wrong-key"


def test_threat_04_a_batch_of_one_source_sent_as_another_is_refused(post: Post) -> None:
    path = post.file()
    refusal = _refusal(post, post.sign(path, source="ua-ewr", key=OTHER), path)
    assert (refusal.code, refusal.why) == ("wrong-key", "the key belongs to 'dl-jfk'")


def test_threat_01_a_signature_over_other_bytes_is_refused(post: Post) -> None:
    path = post.file()
    honest, other = post.sign(path), post.sign(path, label="")
    start = honest.index(b'"sig":"') + 7
    grafted = other.replace(other[other.index(b'"sig":"') + 7 :][:88], honest[start : start + 88])
    assert _refusal(post, grafted, path).code == "bad-signature"


def test_threat_01_a_batch_is_signed_by_keys_of_its_source_alone(post: Post) -> None:
    path = post.file()
    payload = dsse.verify(post.sign(path), [post.key.public]).payload
    for other in (OTHER, STRANGER):
        envelope = dsse.sign(payload, [post.key.private, other.private])
        assert _refusal(post, envelope, path).code in {"wrong-key", "unknown-source"}


def test_threat_01_a_signed_statement_that_is_no_manifest_is_refused(post: Post) -> None:
    path = post.file()
    assert _refusal(post, dsse.sign(b'{"a":1}', [post.key.private]), path).code == "bad-manifest"
    assert _refusal(post, dsse.sign(b'{"a":1,"a":2}', [post.key.private]), path).code == "bad-json"


def test_threat_04_a_batch_sent_twice_is_a_replay(post: Post) -> None:
    path = post.file()
    envelope = post.sign(path)
    post.receive(envelope, path)
    refusal = _refusal(post, envelope, path)
    assert refusal.code == "replay"
    assert "same digest" in refusal.why


def test_threat_04_other_rows_under_a_used_number_are_a_replay(post: Post) -> None:
    path = post.file()
    post.receive(post.sign(path), path)
    refusal = _refusal(post, post.sign(path, licence="other"), path)
    assert refusal.code == "replay"
    assert "same digest" not in refusal.why


def test_threat_04_a_batch_that_skips_one_is_out_of_order(post: Post) -> None:
    path = post.file()
    refusal = _refusal(post, post.sign(path, sequence=2, previous="0" * 64), path)
    assert (refusal.code, refusal.fix) == ("out-of-order", "submit batch 1 first")


def test_threat_04_a_batch_that_follows_another_history_is_refused(post: Post) -> None:
    path = post.file()
    post.receive(post.sign(path), path)
    forked = post.sign(path, sequence=2, previous="0" * 64)
    assert _refusal(post, forked, path).code == "previous-mismatch"


def test_threat_04_a_batch_for_one_dataset_is_refused_by_another(post: Post) -> None:
    path = post.file()
    assert _refusal(post, post.sign(path), path, dataset="delays").code == "wrong-dataset"


@pytest.mark.parametrize("standing", ["frozen", "revoked"])
def test_threat_05_a_frozen_or_revoked_source_submits_nothing(post: Post, standing: str) -> None:
    path = post.file()
    event: Mapping[str, Json] = {"event": f"source-{standing}", "source": "ua-ewr"}
    with pytest.raises(UntrustedError) as refusal:
        verify(
            post.sign(path), {path.name: path}, post.roster.after(event), {}, "flights", at_s=NOW_S
        )
    assert refusal.value.code == f"source-{standing}"


def test_threat_06_a_file_with_one_flipped_bit_is_refused(post: Post) -> None:
    path = post.file()
    envelope = post.sign(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert _refusal(post, envelope, path).code == "file-digest"


def test_threat_06_a_file_that_grew_is_refused(post: Post) -> None:
    path = post.file()
    envelope = post.sign(path)
    path.write_bytes(path.read_bytes() + b"\x00")
    assert _refusal(post, envelope, path).code == "file-digest"


def test_threat_12_a_file_more_or_fewer_is_refused(post: Post) -> None:
    path = post.file()
    envelope = post.sign(path)
    extra = post.file(name="extra.parquet")
    for files in ({}, {path.name: path, extra.name: extra}, {"other.parquet": path}):
        with pytest.raises(UntrustedError) as refusal:
            verify(envelope, files, post.roster, {}, "flights", at_s=NOW_S)
        assert refusal.value.code == "file-set"


def test_threat_12_a_link_to_the_signed_file_is_not_the_file(post: Post) -> None:
    path = post.file()
    envelope = post.sign(path)
    link = post.folder / "linked"
    link.symlink_to(path)
    with pytest.raises(UntrustedError) as refusal:
        verify(envelope, {path.name: link}, post.roster, {}, "flights", at_s=NOW_S)
    assert refusal.value.code == "not-a-regular-file"


def test_a_signed_count_that_the_rows_do_not_bear_out_is_refused(post: Post) -> None:
    path = post.file()
    lying = _restated(post.sign(path), post.key, records=7)
    assert _refusal(post, lying, path).code == "records-mismatch"


def test_threat_06_a_signed_root_that_the_rows_do_not_bear_out_is_refused(post: Post) -> None:
    path = post.file()
    lying = _restated(post.sign(path), post.key, row_root="0" * 64)
    assert _refusal(post, lying, path).code == "row-root"


def test_a_signed_schema_that_the_file_does_not_have_is_refused(post: Post) -> None:
    path = post.file()
    lying = _restated(post.sign(path), post.key, schema_digest="0" * 64)
    assert _refusal(post, lying, path).code == "schema-digest"


def test_an_empty_batch_is_neither_signed_nor_taken(post: Post) -> None:
    path = post.file()
    lying = _restated(post.sign(path), post.key, records=0)
    assert _refusal(post, lying, path).code == "empty-batch"
    empty = post.file(pa.table({"late": pa.array([], pa.int64())}), name="none.parquet")
    with pytest.raises(UsageError) as refusal:
        post.sign(empty)
    assert refusal.value.code == "empty-batch"


def test_a_missing_label_is_neither_signed_nor_taken(post: Post) -> None:
    path = post.file()
    lying = _restated(post.sign(path), post.key, label="delayed")
    refusal = _refusal(post, lying, path)
    assert refusal.code == "missing-label"
    assert "'delayed'" in refusal.what
    with pytest.raises(UsageError) as unsigned:
        post.sign(path, label="delayed")
    assert unsigned.value.code == "missing-label"
    assert unsigned.value.why == "the columns are: hour, carrier, late"


def test_rows_without_a_label_can_be_a_batch(post: Post) -> None:
    path = post.file()
    assert post.receive(post.sign(path, label=""), path).batch.manifest.label == ""


def test_a_batch_beyond_its_sources_limits_is_refused(post: Post) -> None:
    path = post.file()
    envelope = post.sign(path)
    roster = Roster.fold(
        [
            {
                "event": "source-added",
                "source": "ua-ewr",
                "keys": [post.key.public],
                "limits": {"rows": 5},
            }
        ]
    )
    with pytest.raises(UntrustedError) as refusal:
        verify(envelope, {path.name: path}, roster, {}, "flights", at_s=NOW_S)
    assert refusal.value.code == "too-many-rows"
    assert refusal.value.why == "week.parquet: at least 6 rows, more than 5"


def test_nothing_is_read_before_the_signature_and_the_place_are_right(post: Post) -> None:
    path = post.file()
    forged = post.sign(path, key=STRANGER)
    early = post.sign(path, sequence=3, previous="0" * 64)
    read = []
    for envelope in (forged, early):
        with pytest.raises(UntrustedError):
            verify(
                envelope,
                {path.name: path},
                post.roster,
                {},
                "flights",
                at_s=NOW_S,
                read=lambda files, _: read.append(files),
            )
    assert read == []
