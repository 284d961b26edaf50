from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credenza.core.errors import NotFoundError, UsageError
from credenza.core.spans import common, from_json, minus, positions, size, spans_of, to_json
from credenza.datasets.checks import ID
from credenza.datasets.versions import LanceDatasets

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.datasets.conftest import Publish, Rows

SETS = st.sets(st.integers(0, 40))


def held(store: LanceDatasets, version: int | None = None) -> list[tuple[int, int]]:
    """Number of the batch and position in it, of each row of a version."""
    return [
        (int(row["_batch"], 16), row["_row"])
        for batch in store.read("flights", version)
        for row in batch.to_pylist()
    ]


def digest(number: int) -> str:
    return f"{number:064x}"


def test_a_batch_that_is_excised_leaves_the_others_in_their_order(
    store: LanceDatasets, publish: Publish
) -> None:
    publish(1, 2, 3)
    number = store.excise("flights", {digest(2): None}, {ID: "cut"})
    assert number == 4
    assert held(store) == [(batch, row) for batch in (1, 3) for row in range(4)]
    assert held(store, 3) == [(batch, row) for batch in (1, 2, 3) for row in range(4)]


def test_rows_of_a_batch_are_excised_one_by_one_and_again(
    store: LanceDatasets, publish: Publish
) -> None:
    publish(1, 2)
    store.excise("flights", {digest(1): ((0, 1), (2, 3))}, {ID: "first"})
    store.excise("flights", {digest(1): ((0, 2),), digest(2): None}, {ID: "second"})
    assert held(store) == [(1, 3)]
    assert store.take("flights", [0]).to_pylist()[0]["_row"] == 3


def test_an_excision_happens_once_however_often_it_is_asked_for(
    store: LanceDatasets, publish: Publish, tmp_path: Path
) -> None:
    publish(1, 2)
    once = store.excise("flights", {digest(1): None}, {ID: "cut"})
    publish(3)
    assert store.excise("flights", {digest(1): None}, {ID: "cut"}) == once
    (tmp_path / "datasets" / "flights.published").unlink()
    assert (
        LanceDatasets(tmp_path / "datasets").excise("flights", {digest(1): None}, {ID: "cut"})
        == once
    )
    assert store.count("flights") == 8


def test_rows_that_are_not_there_change_nothing(store: LanceDatasets, publish: Publish) -> None:
    publish(1)
    assert store.excise("flights", {digest(9): None, digest(1): ((70, 90),)}, {ID: "cut"}) == 2
    assert held(store) == [(1, row) for row in range(4)]


def test_a_dataset_from_which_everything_was_excised_is_published_to_again(
    store: LanceDatasets, publish: Publish
) -> None:
    publish(1)
    store.excise("flights", {digest(1): None}, {ID: "cut"})
    assert held(store) == []
    publish(2)
    assert held(store) == [(2, row) for row in range(4)]


def test_a_rollback_brings_excised_rows_back_and_a_second_excision_takes_them(
    store: LanceDatasets, publish: Publish
) -> None:
    publish(1, 2)
    store.excise("flights", {digest(1): None}, {ID: "cut"})
    store.restore("flights", 2, {ID: "back"})
    assert len(held(store)) == 8
    store.excise("flights", {digest(1): ((0, 4),)}, {ID: "again"})
    assert held(store) == [(2, row) for row in range(4)]


def test_what_stays_is_not_written_again(store: LanceDatasets, rows: Rows, tmp_path: Path) -> None:
    for batch in (1, 2):
        store.publish("flights", rows(batch, 20_000), {ID: str(batch)})
    folder = tmp_path / "datasets" / "flights.lance"
    data = {path: path.stat().st_mtime_ns for path in (folder / "data").iterdir()}
    store.excise("flights", {digest(1): ((0, 5_000),)}, {ID: "cut"})
    assert {path: path.stat().st_mtime_ns for path in (folder / "data").iterdir()} == data


def test_an_excision_without_a_name_or_a_dataset_is_refused(
    store: LanceDatasets, publish: Publish
) -> None:
    publish(1)
    with pytest.raises(UsageError, match="has no name"):
        store.excise("flights", {digest(1): None}, {})
    with pytest.raises(NotFoundError, match="no dataset is called 'ships'"):
        store.excise("ships", {digest(1): None}, {ID: "cut"})
    assert store.count("flights") == 4


@settings(max_examples=50)
@given(SETS, SETS)
def test_spans_are_sets_of_positions(some: set[int], others: set[int]) -> None:
    left, right = spans_of(some), spans_of(others)
    assert positions(left).tolist() == sorted(some)
    assert size(left) == len(some)
    assert positions(minus(left, right)).tolist() == sorted(some - others)
    assert positions(common(left, right)).tolist() == sorted(some & others)
    assert from_json(to_json(left)) == left


@pytest.mark.parametrize("value", [7, [[1]], [[3, 1]], [[-1, 2]], [["0", "1"]], [1, 2]])
def test_what_is_no_range_of_rows_is_refused(value: object) -> None:
    with pytest.raises(UsageError):
        from_json(value)  # type: ignore[arg-type]
