from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from credenza.core.errors import NotFoundError, UsageError
from credenza.datasets.checks import ID
from credenza.datasets.lineage import Reach, batch_reach, row_origin, version_batches
from credenza.datasets.lineage_columns import with_lineage
from credenza.store.rows import BatchRow, ReleaseRow, VersionRow

if TYPE_CHECKING:
    from tests.unit.datasets.conftest import Rows

    from credenza.datasets.versions import LanceDatasets


def digest(number: int) -> str:
    return f"{number:064x}"


def batch(number: int, source: str) -> BatchRow:
    return BatchRow(digest(number), "flights", source, 1, "2013-01-07", "admitted", 4, number)


# Version 1 holds batch 1; 2 adds batch 2; 3 adds batch 3; 4 goes back to 1; 5 adds batch 4.
VERSIONS = [
    VersionRow("flights", 1, 4, "first", (digest(1),)),
    VersionRow("flights", 2, 8, "second", (digest(2),), parent=1),
    VersionRow("flights", 3, 12, "third", (digest(3),), parent=2),
    VersionRow("flights", 4, 4, "rollback", (), parent=1),
    VersionRow("flights", 5, 8, "fourth", (digest(4),), parent=4),
]
RELEASES = [
    ReleaseRow("a" * 64, "flights", 1, "good"),
    ReleaseRow("b" * 64, "flights", 3, "recalled", "label flips"),
    ReleaseRow("c" * 64, "flights", 5, "good"),
]


@pytest.fixture
def history(store: LanceDatasets, rows: Rows) -> LanceDatasets:
    """The dataset that ``VERSIONS`` describes."""
    for number in (1, 2, 3):
        store.publish("flights", rows(number, source=f"s{number}"), {ID: f"w{number}"})
    store.restore("flights", 1, {ID: "back"})
    store.publish("flights", rows(4, source="s4"), {ID: "w4"})
    return store


def test_every_row_of_a_version_names_its_batch_position_and_source(
    history: LanceDatasets,
) -> None:
    origins = [row_origin(history, "flights", 5, position) for position in range(8)]
    assert [(origin.batch, origin.row, origin.source) for origin in origins] == [
        (digest(number), row, f"s{number}") for number in (1, 4) for row in range(4)
    ]


def test_a_row_beyond_the_last_is_not_found(history: LanceDatasets) -> None:
    with pytest.raises(NotFoundError, match="no row 8"):
        row_origin(history, "flights", 5, 8)


def test_a_version_holds_what_lies_on_its_own_line() -> None:
    assert version_batches(VERSIONS, 3) == {digest(1), digest(2), digest(3)}
    assert version_batches(VERSIONS, 4) == {digest(1)}
    assert version_batches(VERSIONS, 5) == {digest(1), digest(4)}
    with pytest.raises(NotFoundError, match="version 2"):
        version_batches([VERSIONS[2]], 3)


def test_the_catalogs_line_agrees_with_the_rows_themselves(history: LanceDatasets) -> None:
    for version in VERSIONS:
        there = {
            name
            for part in history.read("flights", version.number, columns=["_batch"])
            for name in part["_batch"].to_pylist()
        }
        assert there == version_batches(VERSIONS, version.number)


def test_a_batch_reaches_every_later_version_until_it_is_rolled_back(
    history: LanceDatasets,
) -> None:
    second = batch_reach(history, [batch(2, "s2")], VERSIONS, RELEASES)
    assert second == Reach((digest(2),), 0, (2, 3), ("b" * 64,))
    first = batch_reach(history, [batch(1, "s1")], VERSIONS, RELEASES)
    assert first == Reach((digest(1),), 4, (1, 2, 3, 4, 5), ("a" * 64, "b" * 64, "c" * 64))


def test_a_source_reaches_as_far_as_any_of_its_batches(history: LanceDatasets) -> None:
    both = batch_reach(history, [batch(4, "s"), batch(3, "s")], VERSIONS, RELEASES)
    assert both == Reach((digest(3), digest(4)), 4, (3, 5), ("b" * 64, "c" * 64))


def test_a_batch_that_was_never_admitted_reaches_nothing(history: LanceDatasets) -> None:
    assert batch_reach(history, [batch(9, "s")], VERSIONS, RELEASES) == Reach(
        (digest(9),), 0, (), ()
    )
    assert batch_reach(history, [], VERSIONS, RELEASES) == Reach((), 0, (), ())


@pytest.mark.parametrize("name", ["_batch", "_row", "_source"])
def test_a_batch_cannot_speak_of_its_own_origin(name: str) -> None:
    table = pa.table({name: ["another-source"]})
    with pytest.raises(UsageError) as caught:
        with_lineage(table, batch=digest(1), source="s")
    assert caught.value.code == "reserved-column"


def test_positions_must_be_as_many_as_rows() -> None:
    with pytest.raises(UsageError, match="3 positions were given for 1 rows"):
        with_lineage(pa.table({"a": [1]}), batch=digest(1), source="s", rows=[1, 2, 3])
