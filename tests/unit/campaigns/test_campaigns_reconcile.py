"""Feeds about the same things must agree; who cannot be compared falls silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from credenza.campaigns.reconcile import reconcile

if TYPE_CHECKING:
    from credenza.campaigns.reconcile import Reconciliation
    from credenza.core.types import Strings

FEEDS = ("ada", "bob", "cyd", "dan")


def quotes(seed: int = 0, *, things: int = 60) -> tuple[pa.Table, Strings]:
    """Four feeds quote 60 prices each, within about one percent."""
    rng = np.random.default_rng(seed)
    price = rng.lognormal(3, 1, things)
    source = np.repeat(np.array(FEEDS, dtype=object), things)
    symbol = np.tile(np.arange(things), len(FEEDS))
    own = price[symbol] * (1 + 0.01 * rng.normal(size=len(symbol)))
    table = pa.table({"symbol": [f"t{s}" for s in symbol], "day": symbol % 7, "price": own})
    return table, source


def changed(table: pa.Table, rows: list[int], factor: float) -> pa.Table:
    price = table["price"].to_numpy().copy()
    price[rows] *= factor
    return table.set_column(2, "price", pa.array(price))


def judge(table: pa.Table, source: Strings, unit: list[int] | None = None) -> Reconciliation:
    codes = np.unique(source, return_inverse=True)[1] if unit is None else np.array(unit)
    return reconcile(table, source, codes, key=("symbol", "day"), values=("price",), spreads=30.0)


def test_feeds_that_agree_give_no_finding() -> None:
    found = judge(*quotes())
    assert (found.findings, found.silences) == ((), ())


def test_a_price_that_three_others_contradict_is_found_with_its_row() -> None:
    table, source = quotes()
    (finding,) = judge(changed(table, [7, 70], 3.0), source).findings[:1]
    assert finding.subjects in (("ada",), ("bob",))
    (row,) = finding.rows
    assert row in (7, 70)
    assert finding.exhibits["others"] == 3
    assert f"the median of 3 others is {finding.exhibits['others_median']:.6g}" in finding.sentence


def test_rows_are_found_whatever_their_order() -> None:
    table, source = quotes()
    order = np.random.default_rng(1).permutation(len(source))
    found = judge(changed(table, [7], 3.0).take(pa.array(order)), source[order]).findings
    assert [order[list(one.rows)].tolist() for one in found] == [[7]]


def test_a_source_that_repeats_itself_has_one_voice() -> None:
    table, source = quotes()
    lie = changed(table, [7], 3.0)
    loud = pa.concat_tables([lie, *[lie.slice(7, 1)] * 50])
    who = np.concatenate([source, np.array(["ada"] * 50, dtype=object)])
    (finding,) = judge(loud, who).findings
    assert finding.subjects == ("ada",)
    assert len(finding.rows) == 51


def test_a_source_that_nobody_else_describes_falls_silent() -> None:
    table, source = quotes()
    alone = pa.table({"symbol": ["zz"], "day": [1], "price": [5.0]})
    who = np.concatenate([source, np.array(["eve"], dtype=object)])
    found = judge(pa.concat_tables([table, alone]), who)
    assert [name for name, _ in found.silences] == ["eve"]
    assert "`symbol`, `day`" in found.silences[0][1].reason


def test_two_feeds_of_one_house_are_one_voice_and_prove_nothing_against_a_third() -> None:
    table, source = quotes()
    few = np.isin(source, ["ada", "bob", "cyd"])
    lie = changed(table, [7], 3.0).filter(pa.array(few))
    unit = [0 if name == "cyd" else 1 for name in source[few]]
    found = judge(lie, source[few], unit)
    assert found.findings == ()
    assert len(found.silences) == 3


def test_liars_that_are_half_of_the_voices_cannot_be_told_from_the_honest() -> None:
    """A blind spot: two against two has no majority, so nobody stands alone."""
    table, source = quotes()
    found = judge(changed(table, [7, 67], 3.0), source).findings
    guilty = {one.subjects[0] for one in found}
    assert guilty != {"ada", "bob"}


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_keys_and_values_are_not_compared(missing: float | None) -> None:
    table, source = quotes()
    price = table["price"].to_pylist()
    price[7] = missing
    symbol = [None, *table["symbol"].to_pylist()[1:]]
    gaps = pa.table({"symbol": symbol, "day": table["day"], "price": pa.array(price, pa.float64())})
    assert judge(gaps, source).findings == ()
