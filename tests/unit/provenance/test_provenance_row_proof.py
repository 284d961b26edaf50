from __future__ import annotations

import datetime as dt
import decimal
import random
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from credenza.core.canonical import strict_json
from credenza.core.errors import NotFoundError, UntrustedError, UsageError
from credenza.provenance.intake.together import read_own
from credenza.provenance.keys import key_from_seed
from credenza.provenance.row_proof import membership, prove_row, verify_row
from credenza.provenance.sign import sign_batch

if TYPE_CHECKING:
    from pathlib import Path

KEY = key_from_seed(b"k" * 32)
TRUST = [KEY.public]
ROWS = 37


def every_kind() -> pa.Table:
    """Lists, structs, decimals, uint64, binaries and fixed-size lists beside plain columns."""
    n = range(ROWS)
    return pa.table(
        {
            "list": pa.array([[k, k + 1][: k % 3] for k in n], pa.list_(pa.int32())),
            "struct": pa.array([{"a": k, "b": str(k)} for k in n]),
            "decimal": pa.array([decimal.Decimal(k) / 100 for k in n], pa.decimal128(20, 2)),
            "uint64": pa.array([2**64 - 1 - k for k in n], pa.uint64()),
            "binary": pa.array([bytes([k] * (k % 4)) for k in n], pa.binary()),
            "fixed": pa.array([[k, -k] for k in n], pa.list_(pa.float32(), 2)),
            "time": pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC)] * ROWS),
            "text": [None if k == 5 else f"row {k}" for k in n],
        }
    )


def signed(table: pa.Table, path: Path) -> bytes:
    pq.write_table(table, path)
    return sign_batch(
        [path],
        source="acme",
        key=KEY,
        dataset="all",
        sequence=1,
        previous="",
        collected=("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"),
        read=read_own,
    )


def test_threat_06_every_row_of_every_kind_of_column_can_be_proven(tmp_path: Path) -> None:
    table = every_kind()
    envelope = signed(table, tmp_path / "all.parquet")
    for row in range(ROWS):
        found = verify_row(prove_row(table, row, envelope), trust=TRUST, row=table.slice(row, 1))
        assert (found.row, found.manifest.source) == (row, "acme")


def test_threat_06_another_row_or_a_changed_cell_is_not_the_proven_one(tmp_path: Path) -> None:
    table = every_kind()
    proof = prove_row(table, 4, signed(table, tmp_path / "all.parquet"))
    one = table.slice(4, 1)
    for name in table.column_names:
        other = table.slice(6, 1)[name]
        with_other = one.set_column(one.column_names.index(name), name, other)
        if with_other.equals(one):
            continue
        with pytest.raises(UntrustedError, match="row proof was refused"):
            verify_row(proof, trust=TRUST, row=with_other)
    with pytest.raises(UsageError):
        verify_row(proof, trust=TRUST, row=table.slice(4, 2))


def test_a_proof_by_a_sender_who_is_not_trusted_is_refused(tmp_path: Path) -> None:
    table = every_kind()
    proof = prove_row(table, 0, signed(table, tmp_path / "all.parquet"))
    with pytest.raises(UntrustedError):
        verify_row(proof, trust=[key_from_seed(b"o" * 32).public])


def test_rows_that_were_not_signed_cannot_be_proven(tmp_path: Path) -> None:
    table = every_kind()
    envelope = signed(table, tmp_path / "all.parquet")
    with pytest.raises(UntrustedError):
        prove_row(table.slice(1), 0, envelope)
    for row in (-1, ROWS):
        with pytest.raises(NotFoundError):
            prove_row(table, row, envelope)


def test_threat_10_no_mutant_of_a_row_proof_shows_anything_else(tmp_path: Path) -> None:
    table = every_kind()
    proof = prove_row(table, 11, signed(table, tmp_path / "all.parquet"))
    honest = verify_row(proof, trust=TRUST)
    rng = random.Random(5)  # noqa: S311 - mutants, not keys
    refused = 0
    for _ in range(3_000):
        mutant = bytearray(proof)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(mutant))
            mutant[at : at + rng.randint(0, 2)] = rng.randbytes(rng.randint(0, 2))
        try:
            found = verify_row(bytes(mutant), trust=TRUST)
        except UntrustedError:
            refused += 1
        else:
            assert found == honest, "only spelling may differ"
            assert strict_json(bytes(mutant))["row"] == 11  # type: ignore[call-overload,index]
    assert refused > 2_500


def test_membership_is_answered_with_the_neighbours_that_leave_no_room() -> None:
    rng = np.random.default_rng(3)
    batches = sorted({rng.bytes(32).hex() for _ in range(50)})
    for at, batch in enumerate(batches):
        found = membership(batch, batches)
        assert found.is_member
        assert (found.before or None) == (batches[at - 1] if at else None)
    for _ in range(200):
        stranger = rng.bytes(32).hex()
        found = membership(stranger, batches)
        assert not found.is_member
        assert (found.before or "") < stranger < (found.after or "g")
    assert membership("ab" * 32, []) == (False, "", "")
