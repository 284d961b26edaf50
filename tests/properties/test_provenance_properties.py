"""What no mutation, file format or order of writing may change."""

from __future__ import annotations

import base64
import io
import json
import random
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credenza.core import dsse
from credenza.core.canonical import MAX_INTEGER, canonical_json
from credenza.core.errors import UntrustedError
from credenza.core.rows import differing_cells, row_root, schema_digest
from credenza.core.types import FileDigest, Manifest
from credenza.provenance.keys import key_from_seed
from credenza.provenance.manifest import decode_manifest, encode_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

KEY, OTHER = key_from_seed(b"a" * 32), key_from_seed(b"b" * 32)
MANIFEST = Manifest(
    dataset="flights",
    source="ua-ewr",
    sequence=2,
    previous="a" * 64,
    files=(FileDigest("week.parquet", "b" * 64, 1234),),
    records=300,
    row_root="d" * 64,
    schema_digest="e" * 64,
    collected=("2013-01-07T00:00:00Z", "2013-01-14T00:00:00Z"),
    label="late",
    provenance={"method": "reporting"},
)
ENVELOPE = dsse.sign(encode_manifest(MANIFEST), [KEY.private])
MUTANTS = 3_000

# The same examples every time, however busy the machine.
unhurried = settings(deadline=None, derandomize=True)

# ------------------------------------------------------------------ envelopes


def _flip(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def _drop(data: bytes, rng: random.Random) -> bytes:
    at, size = rng.randrange(len(data)), rng.randint(1, 9)
    return data[:at] + data[at + size :]


def _double(data: bytes, rng: random.Random) -> bytes:
    at, size = rng.randrange(len(data)), rng.randint(1, 40)
    return data[: at + size] + data[at:]


def _insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice([b" ", b"\n", b"\x00", b"\xff", b'"', b"{", b"9"]) + data[at:]


def _swap(data: bytes, rng: random.Random) -> bytes:
    one, other = sorted(rng.sample(range(len(data)), 2))
    return data[:one] + data[other:] + data[one:other]


def _resigned(data: bytes, rng: random.Random) -> bytes:
    """A key that is not trusted signs, under its own or the trusted one's name."""
    value = json.loads(dsse.sign(dsse.parse(data).payload, [OTHER.private]))
    if rng.random() < 0.5:
        value["signatures"][0]["keyid"] = KEY.keyid
    return canonical_json(value)


def _grafted(data: bytes, rng: random.Random) -> bytes:
    """The signature stays; the payload below it is changed and well wrapped again."""
    value = json.loads(data)
    payload = rng.choice(_TEXTUAL)(base64.b64decode(value["payload"]), rng)
    value["payload"] = base64.b64encode(payload).decode("ascii")
    return canonical_json(value)


_TEXTUAL = (_flip, _drop, _double, _insert, _swap)
_MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *_TEXTUAL,
    _grafted,
    _resigned,
)


def test_threat_01_no_mutant_of_an_envelope_is_accepted() -> None:
    rng = random.Random(20260101)  # noqa: S311 - mutations, not secrets
    accepted = []
    for number in range(MUTANTS):
        mutant = _MUTATIONS[number % len(_MUTATIONS)](ENVELOPE, rng)
        if mutant == ENVELOPE:
            continue
        try:
            dsse.verify(mutant, [KEY.public])
        except UntrustedError:
            continue
        accepted.append(mutant)
    assert accepted == []
    assert dsse.verify(ENVELOPE, [KEY.public]).keyids == (KEY.keyid,)


def test_threat_03_a_manifest_has_one_spelling_but_for_spaces_and_never_breaks_the_reader() -> None:
    rng = random.Random(20260102)  # noqa: S311 - mutations, not secrets
    payload = encode_manifest(MANIFEST)
    refused = same = 0
    for number in range(MUTANTS):
        mutant = _TEXTUAL[number % len(_TEXTUAL)](payload, rng)
        try:
            found = decode_manifest(mutant)
        except UntrustedError:
            refused += 1
            continue
        spaced = b"".join(mutant.split()) == b"".join(payload.split())
        same += found == MANIFEST and not spaced
    assert refused > MUTANTS // 2
    assert same == 0


_ID = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)
_HEX = st.binary(min_size=32, max_size=32).map(bytes.hex)
_WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=40)


@st.composite
def _manifests(draw: st.DrawFn) -> Manifest:
    sequence = draw(st.integers(1, MAX_INTEGER))
    names = draw(st.lists(_ID, min_size=1, max_size=4, unique=True))
    year = draw(st.integers(1000, 9998))
    return Manifest(
        dataset=draw(_ID),
        source=draw(_ID),
        sequence=sequence,
        previous=draw(_HEX) if sequence > 1 else "",
        files=tuple(
            FileDigest(name, draw(_HEX), draw(st.integers(0, MAX_INTEGER))) for name in names
        ),
        records=draw(st.integers(0, MAX_INTEGER)),
        row_root=draw(_HEX),
        schema_digest=draw(_HEX),
        collected=(f"{year}-01-01T00:00:00Z", f"{year + 1}-12-31T23:59:59Z"),
        label=draw(_WORDS),
        licence=draw(_WORDS),
        provenance={"data-issuer": draw(_WORDS)},
    )


@unhurried
@given(_manifests())
def test_every_manifest_comes_back_from_its_envelope_as_it_was(manifest: Manifest) -> None:
    sealed = dsse.sign(encode_manifest(manifest), [KEY.private])
    assert decode_manifest(dsse.verify(sealed, [KEY.public]).payload) == manifest


@unhurried
@given(st.binary(max_size=400))
def test_any_bytes_at_all_are_refused_as_untrusted(data: bytes) -> None:
    for read in (dsse.parse, decode_manifest):
        with pytest.raises(UntrustedError):
            read(data)


# ------------------------------------------------------------------ rows

_COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[object]]] = {
    "int": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "real": (pa.float64(), st.floats(allow_nan=False)),
    "text": (pa.string(), st.text(st.characters(codec="utf-8"), max_size=12)),
    "flag": (pa.bool_(), st.booleans()),
    "items": (pa.list_(pa.string()), st.lists(st.none() | st.text("ab", max_size=3), max_size=3)),
    "place": (
        pa.struct([("x", pa.int64()), ("y", pa.list_(pa.int64()))]),
        st.fixed_dictionaries(
            {
                "x": st.none() | st.integers(0, 9),
                "y": st.none() | st.lists(st.integers(0, 9), max_size=2),
            }
        ),
    ),
}


@st.composite
def _tables(draw: st.DrawFn) -> pa.Table:
    names = draw(st.permutations(sorted(_COLUMNS)))[: draw(st.integers(1, len(_COLUMNS)))]
    n = draw(st.integers(1, 8))
    return pa.table(
        {
            name: pa.array(
                draw(st.lists(st.none() | _COLUMNS[name][1], min_size=n, max_size=n)),
                _COLUMNS[name][0],
            )
            for name in names
        }
    )


@unhurried
@given(_tables(), st.randoms(use_true_random=False))
def test_threat_06_rows_keep_their_root_however_they_are_written(
    table: pa.Table, rng: random.Random
) -> None:
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        row_group_size=rng.randint(1, 8),
        compression=rng.choice(["none", "zstd", "snappy"]),
        use_dictionary=rng.random() < 0.5,
        data_page_version=rng.choice(["1.0", "2.0"]),
    )
    again = pq.ParquetFile(io.BytesIO(sink.getvalue())).read()
    names = rng.sample(table.column_names, len(table.column_names))
    cut = rng.randint(0, len(table))
    moved = pa.concat_tables([again.slice(0, cut), again.slice(cut)]).select(names)
    assert row_root(moved) == row_root(table)
    assert schema_digest(moved.schema) == schema_digest(table.schema)


@unhurried
@given(_tables(), st.data())
def test_threat_06_one_changed_cell_changes_the_root_and_is_located(
    table: pa.Table, data: st.DataObject
) -> None:
    row = data.draw(st.integers(0, len(table) - 1))
    column = data.draw(st.sampled_from(table.column_names))
    kind, values = _COLUMNS[column]
    cells = table[column].to_pylist()
    # -0.0 and 0.0 are one value, as they are to Python.
    other = data.draw((st.none() | values).filter(lambda value: value != cells[row]))
    cells[row] = other
    at = table.column_names.index(column)
    changed = table.set_column(at, column, pa.array(cells, kind))
    assert row_root(changed) != row_root(table)
    assert differing_cells(table, changed) == ((row, column),)


@unhurried
@given(_tables(), _tables())
def test_two_tables_share_a_root_only_when_their_rows_are_equal(
    one: pa.Table, other: pa.Table
) -> None:
    names = sorted(one.column_names)
    equal = names == sorted(other.column_names) and one.select(names).equals(other.select(names))
    # Rows with 0.0 and -0.0 are equal and have one root.
    assert (row_root(one) == row_root(other)) == equal
