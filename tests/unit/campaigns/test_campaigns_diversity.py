"""What rests on each source: rows, labels, leverage, slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from credenza.campaigns.diversity import (
    Party,
    in_words,
    influence,
    leaning,
    over_cap,
    parties,
    slices,
)
from credenza.core.types import Role

if TYPE_CHECKING:
    from credenza.core.types import Strings

BIG = Party("", ("big",))
TWINS = Party("twins", ("far", "small"))
FACETS = {"x": Role.NUMBER, "c": Role.CATEGORY, "y": Role.LABEL}


def rows() -> tuple[pa.Table, Strings]:
    rng = np.random.default_rng(0)
    source = np.repeat(np.array(["big", "far", "small"], dtype=object), [600, 200, 200])
    x = rng.normal(size=1000)
    x[600:800] *= 4
    c = np.where(np.arange(1000) < 300, "north", "south")
    y = np.where(source == "small", "rare", "usual")
    return pa.table({"x": x, "c": c.tolist(), "y": y.tolist()}), source


def test_shares_of_rows_labels_and_leverage_add_up_to_one() -> None:
    found = influence(*rows(), facets=FACETS, label="y")
    assert [one.source for one in found] == ["big", "far", "small"]
    assert sum(one.rows for one in found) == pytest.approx(1)
    assert sum(one.leverage for one in found) == pytest.approx(1)
    assert {one.source: one.labels["rare"] for one in found} == {"big": 0, "far": 0, "small": 1}


def test_a_source_of_unusual_rows_has_more_leverage_than_rows() -> None:
    big, far, small = influence(*rows(), facets=FACETS, label="y")
    assert far.leverage > 1.5 * far.rows
    assert small.leverage < far.leverage
    assert big.leverage < big.rows + 0.05


def test_the_subgroup_of_which_a_source_sends_most_is_told_with_its_share() -> None:
    big, far, small = influence(*rows(), facets=FACETS, label="y")
    assert (big.subgroup, big.of_subgroup) == ('`c` = "north"', 1.0)
    assert far.subgroup == small.subgroup == '`c` = "south"'
    assert far.of_subgroup == pytest.approx(200 / 700)


def test_a_value_of_few_rows_and_a_missing_one_are_no_subgroups() -> None:
    table, source = rows()
    c: list[str | None] = ["few"] * 40 + [None] * 960
    found = influence(table.set_column(1, "c", pa.array(c)), source, facets=FACETS, label="y")
    assert {one.subgroup for one in found} == {""}


def test_a_window_without_rows_rests_on_nobody() -> None:
    table, source = rows()
    assert influence(table.slice(0, 0), source[:0], facets=FACETS, label="y") == ()


def test_a_label_of_many_values_is_not_listed_by_value() -> None:
    table, source = rows()
    found = influence(table, source, facets={"x": Role.NUMBER}, label="x")
    assert found[0].labels == {}


def test_a_slice_that_leans_on_one_source_is_told_and_a_shared_one_is_not() -> None:
    (found,) = slices(*rows(), ["c"], share=0.8, groups={})
    assert (found.value, found.party, found.share) == ("north", BIG, 1.0)
    assert in_words(found) == 'the 300 rows with `c` = "north"'
    assert leaning(found) == 'big sends 100% of the 300 rows with `c` = "north"'
    assert slices(*rows(), ["c"], share=1.0, groups={}) == ()


def test_two_sources_of_a_declared_group_are_one_party_and_a_slice_leans_on_both() -> None:
    (north, south) = slices(*rows(), ["c"], share=0.5, groups={"far": "twins", "small": "twins"})
    assert north.party == BIG
    assert (south.value, south.party) == ("south", TWINS)
    assert south.share == pytest.approx(400 / 700)
    assert leaning(south).startswith("the group twins (in this window far, small) sends 57% of ")


def test_two_sources_that_declare_no_group_are_two_parties_though_one_hand_holds_both() -> None:
    undeclared = {"big": "", "far": "one group", "small": "another"}
    (north,) = slices(*rows(), ["c"], share=0.5, groups=undeclared)
    assert north.party == BIG


def test_every_row_has_its_party_and_no_group_s_name_is_taken_for_a_source_s() -> None:
    _, source = rows()
    found, of = parties(source, {"far": "big", "small": "big"})
    assert set(found) == {BIG, Party("big", ("far", "small"))}
    assert [found[place].sources[0] for place in of[[0, 600, 800]]] == ["big", "far", "far"]
    nobody, of = parties(source[:0], {"far": "twins"})
    assert (nobody, len(of)) == ((), 0)


def test_a_cap_is_told_with_its_share() -> None:
    said = over_cap(BIG, 0.9, 0.5, "the rows of the window")
    assert said.sentence == '"big" sends 90% of the rows of the window; the policy allows 50%'
    assert said.subjects == ("big",)
    assert said.exhibits == {
        "source": "big",
        "share": 0.9,
        "cap": 0.5,
        "of": "the rows of the window",
    }


def test_the_cap_of_a_group_is_told_of_each_of_its_sources_and_names_it_and_them() -> None:
    said = over_cap(TWINS, 0.9, 0.5, "the rows of the window")
    assert said.subjects == ("far", "small")
    assert said.sentence == (
        'the group "twins" (in this window "far", "small") sends 90% of the rows of the window; '
        "the policy allows 50%"
    )
    assert (said.exhibits["group"], said.exhibits["sources"]) == ("twins", ["far", "small"])
