"""What a profile says of a table, against slow exact twins."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from fractions import Fraction
from itertools import pairwise

import datasketches
import numpy as np
import pyarrow as pa
import pytest

from credenza.core.errors import NotFoundError, UntrustedError, UsageError
from credenza.profiling import measures
from credenza.profiling.kernel import merge, profile
from credenza.profiling.state import CATEGORY_CAP, CORRELATED_COLUMNS, LABEL_CAP, Kind, State


def exact_sum(values: np.ndarray) -> Fraction:
    return sum((Fraction(value) for value in values.tolist()), Fraction(0))


def merged(parts: list[State]) -> State:
    state = parts[0]
    for part in parts[1:]:
        state = merge(state, part)
    return state


@pytest.mark.parametrize("rows", [1, 300, 20_000, 60_000])
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e15])
def test_mean_and_variance_are_the_exact_ones_rounded_once(rows: int, scale: float) -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(5.0, 1.0, rows) * scale * np.exp2(rng.integers(-10, 10, rows))
    state = profile(pa.table({"x": values}))
    total = exact_sum(values)
    assert abs(measures.total(state, "x") - total) <= Fraction(rows, 2**91)
    assert measures.mean(state, "x") == pytest.approx(float(total / rows), rel=1e-15)
    squares = sum((Fraction(v) ** 2 for v in values.tolist()), Fraction(0))
    expected = float(squares / rows - (total / rows) ** 2)
    assert measures.variance(state, "x") == pytest.approx(expected, rel=1e-12)
    assert float(measures.total(state, "x")) == pytest.approx(math.fsum(values), rel=1e-15)


def test_a_variance_survives_a_mean_a_billion_times_larger() -> None:
    values = 1e9 + np.array([0.0, 1.0, 2.0])
    state = profile(pa.table({"x": values}))
    assert measures.variance(state, "x") == pytest.approx(2 / 3, rel=1e-15)


def test_sums_leave_out_and_count_what_is_infinite_or_beyond_their_range() -> None:
    values = [1.0, 2.0, math.inf, -math.inf, 2.0**89, -1e300, math.nan, None]
    state = profile(pa.table({"x": pa.array(values, from_pandas=False)}))
    column = measures.column_of(state, "x")
    assert measures.measured(state, "x") == 2
    assert measures.total(state, "x") == 3
    assert (column.nulls, column.nans) == (1, 1)
    assert (column.low, column.high) == (-math.inf, math.inf)
    assert measures.quantile(state, "x", 0.0) == -math.inf
    assert measures.quantile(state, "x", 1.0) == math.inf


def test_sums_are_blind_to_what_lies_below_their_last_place() -> None:
    state = profile(pa.table({"x": [1e-40, 1e-40]}))
    assert measures.total(state, "x") == 0
    assert measures.quantile(state, "x", 0.5) == pytest.approx(1e-40, rel=2**-6)


@pytest.mark.parametrize("rows", [1, 2, 299, 50_000])
@pytest.mark.parametrize("shape", ["normal", "lognormal", "integers", "tiny", "signed powers"])
def test_a_quantile_is_within_a_64th_of_the_exact_one(rows: int, shape: str) -> None:
    rng = np.random.default_rng(11)
    values = {
        "normal": rng.normal(size=rows),
        "lognormal": rng.lognormal(0, 8, rows),
        "integers": rng.integers(-1000, 1000, rows).astype(float),
        "tiny": rng.normal(size=rows) * 1e-290,
        "signed powers": rng.choice([-1.0, 1.0], rows) * np.exp2(rng.integers(-300, 300, rows)),
    }[shape]
    state = profile(pa.table({"x": values}))
    for q in (0.0, 0.001, 0.25, 0.5, 0.9, 0.999, 1.0):
        exact = np.quantile(values, q, method="inverted_cdf")
        assert abs(measures.quantile(state, "x", q) - exact) <= 2**-6 * abs(exact)


@pytest.mark.parametrize("distinct", [0, 1, 10, 1_000, 20_000, 200_000])
def test_distinct_counts_err_no_more_than_the_sketch_everyone_uses(distinct: int) -> None:
    errors, oracle_errors = [], []
    for seed in range(4):
        values = np.random.default_rng(seed).permutation(distinct) + seed * 10**7
        state = profile(pa.table({"n": values, "x": values * 0.37, "t": values.astype(str)}))
        oracle = datasketches.hll_sketch(12, datasketches.tgt_hll_type.HLL_8)
        for value in values.tolist():
            oracle.update(value)
        oracle_errors.append(oracle.get_estimate() - distinct)
        errors += [measures.distinct(state, name) - distinct for name in "nxt"]
    ours, theirs = np.std(errors) + abs(np.mean(errors)), np.std(oracle_errors)
    bound = 1.04 / 64 * distinct
    assert ours <= max(2 * bound, theirs)
    assert np.abs(errors).max() <= 4 * bound


def test_integers_beyond_the_floats_keep_their_range_and_their_identity() -> None:
    big = 2**63 + np.arange(2_000, dtype=np.uint64)
    state = profile(pa.table({"id": big}))
    column = measures.column_of(state, "id")
    assert (column.low, column.high) == (2**63, 2**63 + 1_999)
    assert measures.distinct(state, "id") == pytest.approx(2_000, rel=0.06)


def test_equal_numbers_count_once_whatever_their_bits() -> None:
    quiet = np.array([0x7FF8000000000000, 0x7FF0000000000001, 0xFFF8000000000005], np.uint64)
    values = np.concatenate(([0.0, -0.0], quiet.view(np.float64)))
    state = profile(pa.table({"x": values}))
    assert measures.column_of(state, "x").nans == 3
    assert measures.distinct(state, "x") == pytest.approx(1, abs=0.01)
    assert str(measures.column_of(state, "x").low) == "0.0"


@pytest.mark.parametrize("encode", [False, True])
def test_categories_are_counted_exactly_and_by_label(encode: bool) -> None:
    colour = pa.array(["red", "blue", None, "red", "red", "green"])
    table = pa.table(
        {
            "colour": colour.dictionary_encode() if encode else colour,
            "y": [1, 0, 1, None, 1, 0],
            "ok": [True, False, None, True, True, True],
        }
    )
    state = profile(table, label="y")
    column = measures.column_of(state, "colour")
    assert column.counts == {"red": 3, "blue": 1, "green": 1}
    assert column.by_label == {("red", "1"): 2, ("blue", "0"): 1, ("green", "0"): 1}
    assert column.nulls == 1
    assert measures.top(state, "colour", 2) == (("red", 3), ("blue", 1))
    assert measures.column_of(state, "y").counts == {"1": 3, "0": 2}
    assert measures.column_of(state, "ok").counts == {"true": 4, "false": 1}
    assert measures.distinct(state, "colour") == 3


def test_plain_and_dictionary_strings_give_one_profile() -> None:
    values = pa.array([f"v{i % 50}" if i % 7 else None for i in range(5_000)])
    views = [values, values.dictionary_encode(), values.cast(pa.large_string())]
    views.append(values.cast(pa.string_view()))
    assert len({profile(pa.table({"c": view})).to_ipc() for view in views}) == 1


def test_a_dictionary_that_repeats_itself_or_holds_null_changes_nothing() -> None:
    odd = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 2, 3, None], pa.int8()), pa.array(["a", None, "a", "b", "unused"][:4])
    )
    plain = pa.array(["a", None, "a", "b", None])
    assert profile(pa.table({"c": odd})) == profile(pa.table({"c": plain}))


def test_a_column_over_its_cap_keeps_how_many_and_forgets_which() -> None:
    at_cap = [f"v{i}" for i in range(CATEGORY_CAP)]
    below = profile(pa.table({"c": at_cap}))
    above = profile(pa.table({"c": [*at_cap, "one more"]}))
    assert measures.distinct(below, "c") == CATEGORY_CAP
    assert measures.column_of(above, "c").counts is None
    assert measures.top(above, "c") == ()
    assert measures.distinct(above, "c") == pytest.approx(CATEGORY_CAP + 1, rel=0.065)


def test_a_cap_passed_only_by_the_merge_is_passed_all_the_same() -> None:
    values = [f"v{i}" for i in range(CATEGORY_CAP + 1)]
    whole = profile(pa.table({"c": values}))
    halves = [profile(pa.table({"c": part})) for part in (values[:600], values[600:])]
    assert merge(*halves).to_ipc() == whole.to_ipc()


def test_too_many_labels_stop_the_counts_by_label_in_a_merge_too() -> None:
    labels = [f"y{i}" for i in range(LABEL_CAP + 1)]
    table = pa.table({"c": ["a"] * len(labels), "y": labels})
    whole = profile(table, label="y")
    parts = [profile(table.slice(at, 40), label="y") for at in (40, 0)]
    assert measures.column_of(parts[1], "c").by_label is not None
    assert measures.column_of(whole, "c").by_label is None
    assert merged(parts).to_ipc() == whole.to_ipc()


def test_a_long_text_is_no_category() -> None:
    state = profile(pa.table({"c": ["short", "x" * 257]}))
    assert measures.column_of(state, "c").counts is None
    assert measures.distinct(state, "c") == pytest.approx(2, abs=0.01)


def test_a_million_rows_and_their_shuffled_pieces_are_one_profile() -> None:
    rng = np.random.default_rng(5)
    n = (1 << 20) + 77
    table = pa.table(
        {
            "x": rng.normal(size=n),
            "gaps": pa.array(rng.lognormal(size=n), mask=rng.random(n) < 0.1),
            "id": pa.array(rng.integers(0, 10**12, n)),
            "c": pa.array(rng.integers(0, 40, n).astype(str)),
            "y": rng.integers(0, 2, n),
        }
    )
    cuts = [0, 5, 8192, 300_000, 300_001, n]
    parts = [profile(table.slice(a, b - a), label="y") for a, b in pairwise(cuts)]
    order = [3, 0, 4, 2, 1]
    assert merged([parts[i] for i in order]).to_ipc() == profile(table, label="y").to_ipc()


def test_correlation_is_pearsons() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(3, 1, 4_000)
    y = 0.6 * x + rng.normal(size=4_000)
    state = profile(pa.table({"x": x, "y": y, "minus": -x, "flat": np.ones(4_000)}))
    assert measures.correlation(state, "x", "y") == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert measures.correlation(state, "minus", "x") == -1
    assert math.isnan(measures.correlation(state, "x", "flat"))


def test_correlation_takes_the_rows_where_both_have_a_number() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 4_000))
    y += x
    gap_x, gap_y = rng.random((2, 4_000)) < 0.2
    state = profile(pa.table({"x": pa.array(x, mask=gap_x), "y": pa.array(y, mask=gap_y)}))
    both = ~gap_x & ~gap_y
    covariance = np.mean(x[both] * y[both]) - x[both].mean() * y[both].mean()
    expected = covariance / (x[~gap_x].std() * y[~gap_y].std())
    assert measures.correlation(state, "x", "y") == pytest.approx(expected, rel=1e-12)
    assert measures.variance(state, "y") == pytest.approx(y[~gap_y].var(), rel=1e-12)


def test_columns_beyond_the_correlated_ones_keep_their_own_moments() -> None:
    rng = np.random.default_rng(8)
    values = rng.normal(size=(60, 500))
    table = pa.table({f"x{i:02}": values[i] for i in range(60)})
    state = profile(table)
    for i in (0, 23, 24, 47, 48, 59):
        assert measures.mean(state, f"x{i:02}") == pytest.approx(values[i].mean(), abs=1e-15)
        assert measures.variance(state, f"x{i:02}") == pytest.approx(values[i].var(), rel=1e-12)
    last = f"x{CORRELATED_COLUMNS - 1:02}"
    assert abs(measures.correlation(state, "x00", last)) < 0.2
    with pytest.raises(UsageError, match="keeps no products"):
        measures.correlation(state, "x00", f"x{CORRELATED_COLUMNS:02}")
    parts = [profile(table.slice(at, 250)) for at in (250, 0)]
    assert merged(parts).to_ipc() == state.to_ipc()


def test_every_type_is_summarised_or_named_with_its_nulls() -> None:
    day = dt.datetime(2013, 1, 1, tzinfo=dt.UTC)
    table = pa.table(
        {
            "time": pa.array([day, None], pa.timestamp("us", tz="UTC")),
            "date": pa.array([day.date(), None], pa.date32()),
            "length": pa.array([5, None], pa.duration("s")),
            "money": pa.array([decimal.Decimal("1.50"), None], pa.decimal128(10, 2)),
            "half": pa.array([np.float16(2.5), None], pa.float16()),
            "small": pa.array([200, None], pa.uint8()),
            "list": pa.array([[1, 2], None], pa.list_(pa.int64())),
            "struct": pa.array([{"a": 1}, None]),
            "bytes": pa.array([b"x", None]),
            "nothing": pa.nulls(2),
            "number words": pa.array([7, None]).dictionary_encode(),
        }
    )
    state = profile(table)
    facts = {column.name: column for column in state.columns}
    assert {column.nulls for column in state.columns} == {1, 2}
    assert facts["nothing"].nulls == 2
    assert facts["time"].low == int(day.timestamp()) * 10**6
    assert facts["time"].type == "timestamp[us, tz=UTC]"
    assert facts["date"].high == (day.date() - dt.date(1970, 1, 1)).days
    assert facts["length"].low == 5
    assert facts["money"].low == 1.5
    assert measures.mean(state, "half") == 2.5
    assert measures.mean(state, "small") == 200
    assert measures.mean(state, "number words") == 7
    others = {name for name, column in facts.items() if column.kind is Kind.OTHER}
    assert others == {"list", "struct", "bytes", "nothing"}
    assert facts["list"].type.startswith("list<")
    assert State.from_ipc(state.to_ipc()) == state


@pytest.mark.parametrize(
    "column",
    [
        pa.array([], pa.float64()),
        pa.nulls(5, pa.float64()),
        pa.nulls(5, pa.int32()),
        pa.nulls(5, pa.string()),
        pa.nulls(5, pa.string()).dictionary_encode(),
        pa.array([math.nan] * 5),
        pa.array([math.inf, -math.inf]),
    ],
)
def test_a_column_without_a_finite_value_has_a_profile_and_no_figures(column: pa.Array) -> None:
    table = pa.table({"c": column})
    state = profile(table)
    assert State.from_ipc(state.to_ipc()) == state
    assert merge(state, profile(table.slice(0, 0))) == state
    if measures.column_of(state, "c").kind is Kind.REAL:
        assert math.isnan(measures.mean(state, "c"))
        assert math.isnan(measures.variance(state, "c"))
    if measures.column_of(state, "c").low is None and not pa.types.is_string(column.type):
        assert measures.distinct(state, "c") == 0


def test_a_table_without_columns_still_merges() -> None:
    assert profile(pa.table({})).columns == ()


def test_a_label_of_any_scalar_type_is_a_category() -> None:
    for values in ([1.5, 2.5], [True, False], ["a", "b"], [dt.date(2013, 1, 1)] * 2):
        state = profile(pa.table({"x": [1, 2], "y": values}), label="y")
        assert sum((measures.column_of(state, "y").counts or {}).values()) == 2


def test_a_state_cannot_be_changed() -> None:
    state = profile(pa.table({"x": [1.0]}))
    with pytest.raises(ValueError, match="read-only"):
        state.bucket_counts[0] = 9
    with pytest.raises(AttributeError):
        state.rows = 9  # type: ignore[misc]


def test_profiles_of_different_tables_do_not_merge() -> None:
    number, text = profile(pa.table({"x": [1]})), profile(pa.table({"x": ["1"]}))
    with pytest.raises(UsageError, match="different tables") as refused:
        merge(number, text)
    assert "'x'" in refused.value.why
    with pytest.raises(UsageError, match="different tables"):
        merge(number, profile(pa.table({"x": [1]}), label="x"))


def test_wrong_names_are_refused_with_the_known_ones() -> None:
    table = pa.table({"x": [1], "c": ["a"], "l": [[1]]})
    state = profile(table)
    with pytest.raises(UsageError, match="no label column 'z'"):
        profile(table, label="z")
    with pytest.raises(UsageError, match="no source column 'z'"):
        profile(table, source="z")
    with pytest.raises(NotFoundError, match="no column 'z'"):
        measures.mean(state, "z")
    with pytest.raises(UsageError, match="not numeric"):
        measures.mean(state, "c")
    with pytest.raises(UsageError, match="no summary"):
        measures.distinct(state, "l")
    with pytest.raises(UsageError, match="quantile lies"):
        measures.quantile(state, "x", 1.5)


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(UntrustedError, match="told apart"):
        profile(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"]))


def test_text_that_is_not_utf8_is_refused() -> None:
    broken = pa.array([b"\xff\xfe"]).view(pa.string())
    with pytest.raises(UntrustedError, match="not UTF-8"):
        profile(pa.table({"c": broken}))
