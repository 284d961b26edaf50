from __future__ import annotations

import pyarrow as pa
import pytest

from credenza.core.canonical import canonical_json, sha256_hex, strict_json
from credenza.core.errors import UntrustedError, UsageError
from credenza.datasets.quarantine import keep_out, read_kept
from credenza.datasets.versions import ID, LanceDatasets

BATCH = "b" * 64
TABLE = pa.table({"late": [0, 1, 0, 1], "note": ["a", None, "c", "\0"]})


class Blobs(dict[str, bytes]):
    """A content store in memory."""

    def put(self, data: bytes) -> str:
        digest = sha256_hex(data)
        self[digest] = data
        return digest


@pytest.fixture
def blobs() -> Blobs:
    return Blobs()


def test_rows_kept_out_come_back_with_their_batch_position_and_source(blobs: Blobs) -> None:
    kept = keep_out(TABLE, batch=BATCH, source="s", rows=[3, 1], put=blobs.put)
    assert (kept.batch, kept.source, kept.rows) == (BATCH, "s", 2)
    again, table = read_kept(kept.digest, blobs.__getitem__)
    assert again == kept
    assert table.to_pylist() == [
        {"late": 1, "note": None, "_batch": BATCH, "_row": 1, "_source": "s"},
        {"late": 1, "note": "\0", "_batch": BATCH, "_row": 3, "_source": "s"},
    ]


def test_a_whole_batch_is_kept_out_without_naming_its_rows(blobs: Blobs) -> None:
    kept = keep_out(TABLE, batch=BATCH, source="s", rows=None, put=blobs.put)
    table = read_kept(kept.digest, blobs.__getitem__)[1]
    assert table["_row"].to_pylist() == [0, 1, 2, 3]
    assert table.select(["late", "note"]).equals(TABLE)


def test_kept_rows_can_be_admitted_later_as_they_are(blobs: Blobs, store: LanceDatasets) -> None:
    kept = keep_out(TABLE, batch=BATCH, source="s", rows=[2], put=blobs.put)
    table = read_kept(kept.digest, blobs.__getitem__)[1]
    store.publish("flights", table, {ID: "review-1"})
    assert store.take("flights", [0]).to_pylist() == table.to_pylist()


def test_keeping_the_same_rows_twice_stores_them_once(blobs: Blobs) -> None:
    kept = [keep_out(TABLE, batch=BATCH, source="s", rows=[0], put=blobs.put) for _ in range(2)]
    assert kept[0] == kept[1]
    assert len(blobs) == 2


@pytest.mark.parametrize("rows", [[4], [-1], [1, 1]])
def test_positions_outside_the_batch_or_twice_are_refused(blobs: Blobs, rows: list[int]) -> None:
    with pytest.raises(UsageError, match="distinct positions"):
        keep_out(TABLE, batch=BATCH, source="s", rows=rows, put=blobs.put)
    assert not blobs


def test_a_store_that_gives_other_bytes_is_noticed(blobs: Blobs) -> None:
    kept = keep_out(TABLE, batch=BATCH, source="s", rows=[0], put=blobs.put)
    blobs[kept.content] = blobs[kept.content][:-1]
    with pytest.raises(UntrustedError, match="not as they were stored"):
        read_kept(kept.digest, blobs.__getitem__)


def _record(blobs: Blobs, **changes: object) -> str:
    kept = keep_out(TABLE, batch=BATCH, source="s", rows=[0, 1], put=blobs.put)
    record = strict_json(blobs[kept.digest])
    assert isinstance(record, dict)
    return blobs.put(canonical_json({**record, **changes}))  # type: ignore[dict-item]  # JSON, widened


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "credenza-quarantine/2"},
        {"extra": 1},
        {"rows": 3},
        {"rows": "2"},
        {"batch": "c" * 64},
        {"source": "another"},
        {"content": 7},
    ],
    ids=str,
)
def test_a_record_that_contradicts_its_rows_is_refused(
    blobs: Blobs, changes: dict[str, object]
) -> None:
    with pytest.raises(UntrustedError) as caught:
        read_kept(_record(blobs, **changes), blobs.__getitem__)
    assert caught.value.code == "bad-quarantine-record"


def test_content_that_is_not_arrow_is_refused(blobs: Blobs) -> None:
    with pytest.raises(UntrustedError) as caught:
        read_kept(_record(blobs, content=blobs.put(b"no arrow")), blobs.__getitem__)
    assert caught.value.code == "bad-quarantine-record"
