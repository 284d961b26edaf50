"""The profile of a table is the merge of its parts', in any split and any order."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from functools import reduce
from itertools import pairwise

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from credenza.profiling import measures
from credenza.profiling.kernel import merge, profile
from credenza.profiling.state import State

FLOATS = st.none() | st.floats(width=64) | st.sampled_from([0.0, -0.0, 2.0**89, 5e-324])
INTEGERS = st.none() | st.integers(-(2**63), 2**63 - 1)
WORDS = st.none() | st.text(alphabet="abü\0", max_size=70)
LABELS = st.none() | st.sampled_from(["late", "on time"])
ROWS = st.lists(st.tuples(FLOATS, FLOATS, INTEGERS, WORDS, LABELS), max_size=40)


def table_of(rows: list[tuple[object, ...]]) -> pa.Table:
    types = {
        "x": pa.float64(),
        "z": pa.float64(),
        "n": pa.int64(),
        "word": pa.string(),
        "label": pa.string(),
    }
    columns = list(zip(*rows, strict=True)) or [()] * len(types)
    return pa.table(
        {
            name: pa.array(values, kind, from_pandas=False)
            for (name, kind), values in zip(types.items(), columns, strict=True)
        }
    )


@settings(deadline=None, max_examples=80)
@given(ROWS, st.data())
def test_any_split_merged_in_any_order_gives_the_same_bytes(
    rows: list[tuple[object, ...]], data: st.DataObject
) -> None:
    whole = profile(table_of(rows), label="label")
    shuffled = data.draw(st.permutations(rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    bounds = [0, *cuts, len(rows)]
    parts = [profile(table_of(shuffled[a:b]), label="label") for a, b in pairwise(bounds)]
    assert reduce(merge, parts).to_ipc() == whole.to_ipc()
    assert State.from_ipc(whole.to_ipc()).to_ipc() == whole.to_ipc()


@settings(deadline=None, max_examples=60)
@given(ROWS, ROWS, ROWS)
def test_merging_is_associative_and_commutative(
    first: list[tuple[object, ...]],
    second: list[tuple[object, ...]],
    third: list[tuple[object, ...]],
) -> None:
    a, b, c = (profile(table_of(rows), label="label") for rows in (first, second, third))
    assert merge(a, b).to_ipc() == merge(b, a).to_ipc()
    assert merge(merge(a, b), c).to_ipc() == merge(a, merge(b, c)).to_ipc()


@settings(deadline=None, max_examples=80)
@given(ROWS)
def test_every_exact_figure_is_its_slow_twins(rows: list[tuple[object, ...]]) -> None:
    table = table_of(rows)
    state = profile(table, label="label")
    values = [v for v in table.column("x").to_pylist() if v is not None]
    summed = [v for v in values if math.isfinite(v) and abs(v) < 2.0**89]
    column = measures.column_of(state, "x")
    assert column.nulls == len(rows) - len(values)
    assert column.nans == sum(map(math.isnan, values))
    assert measures.measured(state, "x") == len(summed)
    rounded = sum((Fraction(round(Fraction(v) * 2**90), 2**90) for v in summed), Fraction(0))
    assert measures.total(state, "x") == rounded
    both = [
        (Fraction(round(Fraction(x) * 2**90), 2**90), Fraction(round(Fraction(z) * 2**90), 2**90))
        for x, z in zip(table.column("x").to_pylist(), table.column("z").to_pylist(), strict=True)
        if None not in {x, z} and abs(x) < 2.0**89 and abs(z) < 2.0**89
    ]
    operand = [measures._operand(state, name) for name in "xz"]
    assert measures._product(state, *operand) == sum((x * z for x, z in both), Fraction(0))
    integers = [v for v in table.column("n").to_pylist() if v is not None]
    whole = measures.column_of(state, "n")
    assert (whole.low, whole.high) == (min(integers, default=None), max(integers, default=None))
    pairs = zip(table.column("word").to_pylist(), table.column("label").to_pylist(), strict=True)
    crosses = Counter(pair for pair in pairs if None not in pair)
    assert measures.column_of(state, "word").by_label == crosses


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.floats(allow_nan=False, allow_subnormal=False), min_size=1, max_size=60),
    st.floats(0, 1),
)
def test_a_quantile_is_within_a_64th_of_the_sorted_twin(values: list[float], q: float) -> None:
    found = measures.quantile(profile(pa.table({"x": values})), "x", q)
    exact = sorted(values)[max(1, math.ceil(q * len(values))) - 1]
    if math.isinf(exact):
        assert found == exact
    else:
        assert abs(found - exact) <= 2**-6 * abs(exact)
