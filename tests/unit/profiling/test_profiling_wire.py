"""States cross process boundaries as bytes that are believed only when they are a state's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.errors import UntrustedError
from credenza.profiling import wire
from credenza.profiling.kernel import merge, profile
from credenza.profiling.state import State


def table() -> pa.Table:
    rng = np.random.default_rng(0)
    return pa.table(
        {
            "x": pa.array(rng.normal(size=200), mask=rng.random(200) < 0.1),
            "n": rng.integers(-5, 5, 200),
            "c": rng.choice(["a", "b", "ü"], 200),
            "y": rng.integers(0, 2, 200),
            "l": pa.array([[1]] * 200),
        }
    )


def refused(data: bytes) -> str:
    with pytest.raises(UntrustedError) as error:
        State.from_ipc(data)
    assert error.value.code == "bad-profile"
    return error.value.why


def test_a_state_comes_back_whole_and_merges_on() -> None:
    state = profile(table(), label="y", source="c")
    back = State.from_ipc(state.to_ipc())
    assert back == state
    assert hash(back) == hash(state)
    assert merge(back, state) == merge(state, state)
    assert back != profile(table().slice(1), label="y", source="c")


def test_truncated_bytes_are_refused_at_every_length() -> None:
    data = profile(table(), label="y").to_ipc()
    for size in [*range(0, len(data), 97), len(data) - 1]:
        refused(data[:size])


def test_trailing_bytes_are_refused() -> None:
    assert refused(profile(table()).to_ipc() + b"\0") == "something follows its end"


def test_flipped_bits_never_read_as_the_same_state_and_never_escape_as_another_error() -> None:
    state = profile(table(), label="y")
    data = state.to_ipc()
    rng = np.random.default_rng(1)
    survived = 0
    for _ in range(1_500):
        at = int(rng.integers(len(data)))
        mutated = bytearray(data)
        mutated[at] ^= 1 << int(rng.integers(8))
        try:
            read = State.from_ipc(bytes(mutated))
        except UntrustedError:
            continue
        survived += 1
        assert read.to_ipc() == bytes(mutated) != data
    assert survived < 750


@pytest.mark.parametrize("junk", [b"", b"\0" * 64, b"\xff" * 64, b"PAR1" * 99, b"ARROW1\0\0" * 9])
def test_what_is_no_stream_is_refused(junk: bytes) -> None:
    refused(junk)


def test_a_compressed_body_is_refused_before_it_is_unpacked() -> None:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with (
        pa.ipc.open_stream(profile(table()).to_ipc()) as stream,
        pa.ipc.new_stream(sink, stream.schema, options=options) as out,
    ):
        out.write_table(stream.read_all())
    assert refused(bytes(sink.getvalue())) == "its body is compressed"


def test_another_schema_or_a_second_row_is_refused() -> None:
    sink = pa.BufferOutputStream()
    other = pa.table({"rows": [1]})
    with pa.ipc.new_stream(sink, other.schema) as out:
        out.write_table(other)
    assert refused(bytes(sink.getvalue())) == "the schema is not a profile's"
    data = profile(table()).to_ipc()
    sink = pa.BufferOutputStream()
    with pa.ipc.open_stream(data) as stream:
        row = stream.read_all()
    twice = pa.concat_tables([row, row]).combine_chunks()
    with pa.ipc.new_stream(sink, twice.schema) as out:
        out.write_table(twice)
    assert refused(bytes(sink.getvalue())) == "2 rows, not 1"


def test_too_many_bytes_are_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    data = profile(table()).to_ipc()
    monkeypatch.setattr(wire, "MAX_BYTES", len(data) - 1)
    assert "more than" in refused(data)


def lies() -> dict[str, State]:
    """States that no table has, each false in one point."""
    state = profile(table(), label="y")
    columns = {column.name: column for column in state.columns}

    def with_column(name: str, **facts: object) -> State:
        changed = replace(columns[name], **facts)  # type: ignore[arg-type]
        return replace(
            state, columns=tuple(changed if c.name == name else c for c in state.columns)
        )

    counts = state.bucket_counts.copy()
    counts[0] += 1
    limbs = state.product_limbs.copy()
    limbs[0, 0] = 1 << 18
    return {
        "fewer rows": replace(state, rows=100),
        "negative rows": replace(state, rows=-1),
        "more rows than can be": replace(state, rows=2**60),
        "a label that is no column": replace(state, label="z"),
        "a label on the wrong column": replace(state, label="x"),
        "columns out of order": replace(state, columns=state.columns[::-1]),
        "a column dropped": replace(state, columns=state.columns[:-1]),
        "one row more in a bucket": replace(state, bucket_counts=counts),
        "a bucket without its count": replace(state, bucket_counts=counts[:-1]),
        "buckets out of order": replace(state, bucket_keys=state.bucket_keys[::-1].copy()),
        "a register of no column": replace(
            state, register_keys=np.append(state.register_keys, 30 << 18 | 1)
        ),
        "a register of rank zero": replace(
            state, register_keys=state.register_keys & ~np.int64(63)
        ),
        "a limb that should have carried": replace(state, product_limbs=limbs),
        "a product without a sum": replace(state, product_keys=state.product_keys[1:]),
        "a product of no column": replace(state, product_keys=state.product_keys + (99 << 24)),
        "a reversed range": with_column("x", low=3.0, high=-3.0),
        "half a range": with_column("x", high=None),
        "no range": with_column("x", low=None, high=None),
        "a range of text": with_column("c", low=0, high=1),
        "negative nulls": with_column("x", nulls=-1),
        "more nulls than rows": with_column("l", nulls=201),
        "a category more": with_column("c", counts={"a": 200, "b": 1}),
        "an empty category": with_column("c", counts={"a": 200, "b": 0}),
        "categories of a number": with_column("x", counts={"a": 200}),
        "a label nobody has": with_column("c", by_label={("a", "7"): 1}),
        "a category by label only": with_column("c", by_label={("z", "1"): 1}),
        "by label without counts": with_column("c", counts=None),
    }


@pytest.mark.parametrize("lie", sorted(lies()))
def test_a_state_that_no_table_has_is_refused(lie: str) -> None:
    refused(lies()[lie].to_ipc())
