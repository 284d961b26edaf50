from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from credenza.datasets.checks import ID
from credenza.datasets.lineage_columns import with_lineage
from credenza.datasets.versions import LanceDatasets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Rows = Callable[..., pa.Table]
    Publish = Callable[..., int]


def batch_digest(number: int) -> str:
    return f"{number:064x}"


@pytest.fixture
def rows() -> Rows:
    """Rows of a batch, with awkward values: nulls, NaN, a zero byte, text beyond ASCII."""

    def made(batch: int = 1, count: int = 4, source: str = "aa-jfk") -> pa.Table:
        table = pa.table(
            {
                "delay": pa.array([None, float("nan"), *map(float, range(count))][:count]),
                "dest": pa.array(["ZRH", None, "a\0b", "søl"][:count] + ["x"] * (count - 4)),
                "late": pa.array([row % 2 for row in range(count)], pa.int64()),
            }
        )
        return with_lineage(table, batch=batch_digest(batch), source=source)

    return made


@pytest.fixture
def store(tmp_path: Path) -> LanceDatasets:
    return LanceDatasets(tmp_path / "datasets")


@pytest.fixture
def publish(store: LanceDatasets, rows: Rows) -> Publish:
    """Publish batches ``first``, … as versions of ``flights``, one each."""

    def made(*batches: int, count: int = 4) -> int:
        number = 0
        for batch in batches:
            number = store.publish("flights", rows(batch, count), {ID: f"window-{batch}"})
        return number

    return made
