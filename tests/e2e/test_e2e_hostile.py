"""Hostile batches: each is refused with its reason, and none stops the others."""

from __future__ import annotations

import datetime as dt
import decimal
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.errors import UntrustedError
from credenza.core.types import Outcome
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import NewWorkspace, SourceSimulator

LABEL = "late"
NOW_S = 1_800_000_000.0


def replaced(table: pa.Table, column: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(column), column, values)


HOSTILE_SHAPES = {
    "another column": lambda t: t.append_column("extra", pa.array([1] * len(t))),
    "a column less": lambda t: t.drop_columns(["town"]),
    "texts for numbers": lambda t: replaced(t, "distance", pa.array(["far"] * len(t))),
    "lists for numbers": lambda t: replaced(t, "distance", pa.array([[1.0]] * len(t))),
    "structs for texts": lambda t: replaced(t, "town", pa.array([{"a": 1}] * len(t))),
    "bytes for texts": lambda t: replaced(t, "town", pa.array([b"\xff"] * len(t))),
    "times for numbers": lambda t: replaced(
        t, "hour", pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC)] * len(t))
    ),
    "decimals for numbers": lambda t: replaced(
        t, "hour", pa.array([decimal.Decimal("1.5")] * len(t))
    ),
}


@pytest.mark.parametrize("change", HOSTILE_SHAPES.values(), ids=HOSTILE_SHAPES)
def test_threat_i4_a_batch_of_another_shape_is_refused_and_the_rest_of_its_window_is_judged(
    workspace: Workspace, sources: SourceSimulator, change: object
) -> None:
    assert callable(change)
    sources.submit(workspace, "anna", 0)
    with pytest.raises(UntrustedError) as refused:
        sources.submit(workspace, "beat", 0, change(sources.table("beat", 0)))
    assert refused.value.code == "schema-changed"
    assert refused.value.why
    (settled,) = sources.settle(workspace, 0)
    assert settled.version == 1
    sources.submit(workspace, "beat", 1)  # the refusal used up no sequence number


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("_batch", "reserved-column"),
        ("_row", "reserved-column"),
        ("_source", "reserved-column"),
        ("_rowid", "reserved-column"),
        ("", "bad-column-name"),
        ("a.b", "bad-column-name"),
        ("a`b", "bad-column-name"),
        ("a\x00b", "bad-column-name"),
        ("\x1b[2J", "bad-column-name"),
    ],
)
def test_columns_that_only_the_gate_may_write_or_nobody_can_name_are_refused(
    workspace: Workspace, sources: SourceSimulator, name: str, code: str
) -> None:
    table = sources.table("anna", 0)
    with pytest.raises(UntrustedError) as refused:
        sources.submit(workspace, "anna", 0, table.append_column(name, table["hour"]))
    assert refused.value.code == code
    assert str(refused.value).replace("\n", "").isprintable()
    sources.submit(workspace, "beat", 0)
    assert sources.settle(workspace, 0)[0].version == 1


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (pa.nulls(60), "unfit-column"),
        (pa.array([{"a": None}] * 60), "unfit-column"),
        (pa.array([[("k", 1)]] * 60, pa.map_(pa.string(), pa.int64())), "unfit-column"),
        (pa.array([{"a.b": 1}] * 60), "bad-column-name"),
    ],
    ids=["nulls without a type", "structs of them", "maps", "dotted names inside"],
)
def test_a_first_batch_with_what_no_dataset_can_hold_is_refused(
    workspace: Workspace, sources: SourceSimulator, values: pa.Array, code: str
) -> None:
    table = sources.table("anna", 0).append_column("odd", values)
    with pytest.raises(UntrustedError) as refused:
        sources.submit(workspace, "anna", 0, table)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1.0, 2.0]] * 60),
        pa.array([b"\xff\x00"] * 60),
        pa.array([[[1], []], None] * 30),
        pa.array([[b"x"]] * 60),
    ],
    ids=["lists", "bytes", "lists of lists", "lists of bytes"],
)
def test_a_label_that_cannot_be_learnt_is_refused(
    workspace: Workspace, sources: SourceSimulator, values: pa.Array
) -> None:
    with pytest.raises(UntrustedError) as refused:
        sources.submit(workspace, "anna", 0, replaced(sources.table("anna", 0), LABEL, values))
    assert refused.value.code == "bad-label"


def test_another_label_than_the_datasets_is_refused(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    sources.submit(workspace, "anna", 0)
    path = sources.write(sources.table("beat", 0))
    with pytest.raises(UntrustedError) as refused:
        sources.submit_file(workspace, "beat", 0, path, label="town")
    assert refused.value.code == "label-changed"


def test_empty_columns_narrow_integers_and_another_order_fit_the_datasets_shape(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    sources.submit(workspace, "anna", 0)
    table = sources.table("beat", 0)
    table = replaced(table, "town", pa.nulls(len(table)))
    table = replaced(table, "hour", table["hour"].cast(pa.int8()))
    table = replaced(table, "distance", table["hour"])
    sources.submit(workspace, "beat", 0, table.select(table.column_names[::-1]))
    (settled,) = sources.settle(workspace, 0)
    assert settled.version == 1
    assert workspace.datasets.version("trips").rows == 120


def every_type(rows: int) -> pa.Table:
    """Columns of the types that people put into Parquet beside numbers and texts."""
    moment = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    columns = {
        "list": pa.array([[1.5, None]] * rows),
        "struct": pa.array([{"a": 1, "b": None}] * rows, pa.struct([("a", "i8"), ("b", "str")])),
        "decimal": pa.array([decimal.Decimal("1.25")] * rows),
        "binary": pa.array([b"\xff\x00"] * rows),
        "instant": pa.array([moment] * rows),
        "local": pa.array([moment.replace(tzinfo=None)] * rows, pa.timestamp("ns")),
        "date": pa.array([moment.date()] * rows),
        "time": pa.array([1] * rows, pa.time64("ns")),
        "span": pa.array([1] * rows, pa.duration("us")),
        "vector": pa.array([[1.0, 2.0]] * rows, pa.list_(pa.float32(), 2)),
        "half": pa.array([1.0] * rows, pa.float16()),
        "huge": pa.array([2**64 - 1] * rows, pa.uint64()),
        "nothing": pa.nulls(rows, pa.float64()),
        "endless": pa.array([float("inf"), float("nan")] * (rows // 2)),
        "control": pa.array(["\x1b[31m\u202e\x00\n"] * rows),
        "same": pa.array(["x"] * rows),
    }
    return pa.table(columns)


def test_columns_of_every_type_pass_the_whole_gate(
    new_workspace: NewWorkspace, sources: SourceSimulator
) -> None:
    workspace = new_workspace(
        campaigns=True,
        detectors=(
            "association",
            "column-drift",
            "confident-disagreement",
            "duplicates",
            "knn-disagreement",
            "subgroup-labels",
        ),
    )
    sources.register(workspace)
    for window in range(5):
        for name in sources.names:
            table = sources.table(name, window)
            for field, column in zip(every_type(60).schema, every_type(60).columns, strict=True):
                table = table.append_column(field, column)
            sources.submit(workspace, name, window, table)
        (settled,) = sources.settle(workspace, window)
        assert settled.silences == ()
    assert workspace.datasets.version("trips").rows >= 4 * 4 * 60
    assert workspace.log.audit().problems == ()


HOSTILE_VALUES = {
    "nothing but nulls": lambda t: pa.table(
        {f.name: pa.nulls(len(t), f.type) for f in t.schema}, schema=t.schema
    ),
    "unknown classes": lambda t: replaced(
        t, LABEL, pa.array([f"class {i}" for i in range(len(t))])
    ),
    "labels missing": lambda t: replaced(t, LABEL, pa.nulls(len(t), pa.string())),
    "one row": lambda t: t.slice(0, 1),
    "infinite numbers": lambda t: replaced(t, "distance", pa.array([float("inf")] * len(t))),
    "numbers beyond floats' squares": lambda t: replaced(
        t, "distance", pa.array(np.full(len(t), 1e300))
    ),
    "largest integers": lambda t: replaced(t, "hour", pa.array([2**63 - 1] * len(t))),
    "control characters": lambda t: replaced(
        t, "town", pa.array(["\x1b]0;pwned\x07\u202e\x00\r\n"] * len(t))
    ),
    "long texts": lambda t: replaced(t, "town", pa.array(["x" * 100_000] * len(t))),
    "texts that never repeat": lambda t: replaced(
        t, "town", pa.array([f"t{i}" for i in range(len(t))])
    ),
}


@pytest.fixture(scope="module")
def vouched_home(shared_workspace: NewWorkspace, simulator: type[SourceSimulator]) -> Path:
    """Where four vouched-for windows lie. Made once; each test opens a copy."""
    workspace = shared_workspace(
        campaigns=True,
        detectors=("column-drift", "confident-disagreement", "duplicates", "subgroup-labels"),
        outcomes={"silence": "admit"},
    )
    sources = simulator(workspace.home.parent / "desk", ["anna", "beat", "cara", "dino"])
    sources.register(workspace)
    sources.play(workspace, range(4))
    workspace.close()
    return workspace.home


@pytest.fixture
def vouched(vouched_home: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of one's own."""
    shutil.copytree(vouched_home, tmp_path / "vouched")
    with Workspace.open(tmp_path / "vouched", clock=lambda: NOW_S) as workspace:
        yield workspace


@pytest.mark.parametrize("change", HOSTILE_VALUES.values(), ids=HOSTILE_VALUES)
def test_one_hostile_batch_does_not_keep_the_others_of_its_window_from_being_judged(
    vouched: Workspace, sources: SourceSimulator, change: object
) -> None:
    assert callable(change)
    for name in ("anna", "beat", "cara"):
        sources.submit(vouched, name, 4)
    hostile = sources.submit(vouched, "dino", 4, change(sources.table("dino", 4)))
    (settled,) = sources.settle(vouched, 4)
    assert settled.silences == ()
    outcomes = {verdict.batch: verdict.outcome for verdict in settled.verdicts}
    assert len(outcomes) == 4
    del outcomes[hostile.batch]
    assert set(outcomes.values()) == {Outcome.ADMIT}
    sources.play(vouched, range(5, 6))  # and the gate goes on
    assert vouched.log.audit().problems == ()
