from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from credenza.datasets.checks import ID
from credenza.datasets.versions import LanceDatasets

if TYPE_CHECKING:
    from tests.unit.datasets.conftest import Rows

# Two publications of four rows, written by pylance 14.0.2 (storage version 2.1).
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def old(tmp_path: Path) -> LanceDatasets:
    shutil.copytree(GOLDEN, tmp_path / "datasets")
    return LanceDatasets(tmp_path / "datasets")


def test_a_dataset_of_the_oldest_supported_lance_reads_as_it_was_written(
    old: LanceDatasets, rows: Rows
) -> None:
    there = [repr(row) for part in old.read("flights") for row in part.to_pylist()]
    assert there == [repr(row) for batch in (1, 2) for row in rows(batch).to_pylist()]
    log = [(each.number, each.rows, each.properties) for each in old.log("flights")]
    assert log == [(1, 4, {ID: "window-1"}), (2, 8, {ID: "window-2"})]


def test_a_dataset_of_the_oldest_supported_lance_can_be_continued(
    old: LanceDatasets, rows: Rows
) -> None:
    assert old.publish("flights", rows(2), {ID: "window-2"}) == 2
    assert old.publish("flights", rows(3), {ID: "window-3"}) == 3
    assert old.restore("flights", 1, {ID: "back"}) == 4
    assert old.count("flights") == 4
