"""One dataset, one shape; and what fails while judging falls silent."""

from __future__ import annotations

import pyarrow as pa
import pytest

from credenza.core.errors import ConflictError, UntrustedError, UsageError
from credenza.core.types import Silence
from credenza.gate.shape import conformed, first_shape
from credenza.gate.silence import assessed

TABLE = pa.table({"x": pa.array([1.5, 2.5]), "n": pa.array([1, 2]), "y": pa.array(["a", "b"])})
SHAPE = first_shape(TABLE, "y")


def test_a_batch_of_the_datasets_shape_is_left_as_it_is() -> None:
    assert conformed(TABLE, "y", SHAPE).equals(TABLE)


def test_columns_come_in_the_datasets_order_and_widths() -> None:
    narrow = pa.table(
        {"y": pa.array(["a"], pa.large_string()), "x": pa.array([7]), "n": pa.array([1], pa.int8())}
    )
    fitted = conformed(narrow, "y", SHAPE)
    assert fitted.schema == TABLE.schema
    assert fitted.to_pylist() == [{"x": 7.0, "n": 1, "y": "a"}]


def test_a_column_without_values_takes_the_datasets_type() -> None:
    empty = TABLE.set_column(0, "x", pa.nulls(2))
    assert conformed(empty, "y", SHAPE).schema == TABLE.schema


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (TABLE.drop_columns(["n"]), "lacks `n`"),
        (TABLE.append_column("z", TABLE["n"]), "new column `z`"),
        (TABLE.set_column(1, "n", pa.array([1.0, 2.0])), "`n` holds double"),
        (TABLE.set_column(0, "x", pa.array(["1", "2"])), "`x` holds string"),
        (TABLE.set_column(0, "x", pa.array([2**60 + 1, 1])), "does not fit"),
        (TABLE.set_column(1, "n", pa.array([2**64 - 1, 1], pa.uint64())), "does not fit"),
        (TABLE.append_column("\x1b[2J", TABLE["n"]), r"`\u001b[2J`"),
    ],
)
def test_another_shape_is_refused_with_the_column_that_differs(table: pa.Table, why: str) -> None:
    with pytest.raises(UntrustedError) as refused:
        conformed(table, "y", SHAPE)
    assert refused.value.code == "schema-changed"
    assert why in refused.value.why


def test_types_that_no_dataset_holds_are_kept_as_their_plain_twins() -> None:
    table = pa.table(
        {
            "t": pa.array(["a"], pa.string_view()),
            "d": pa.array([1], pa.decimal128(5, 0)).cast(pa.decimal32(5, 0)),
        }
    )
    shape = first_shape(table, "")
    assert shape.schema.types == [pa.string(), pa.decimal128(5, 0)]
    assert conformed(table, "", shape).to_pylist() == table.to_pylist()


def test_an_assessment_that_succeeds_is_its_answer() -> None:
    assert assessed("part", lambda: 7) == 7


def test_a_failure_over_the_data_falls_silent_and_says_what_it_was() -> None:
    def divide() -> int:
        return 1 // 0

    def refuse() -> int:
        raise UsageError("no-labels", "no row has a label")

    assert assessed("part", refuse) == Silence("part", "no row has a label")
    silent = assessed("part", divide)
    assert isinstance(silent, Silence)
    assert silent.reason.startswith("ZeroDivisionError")


def test_a_failure_of_the_stores_is_not_taken_for_silence() -> None:
    def fail() -> int:
        raise ConflictError("disk-full", "the state was not stored")

    with pytest.raises(ConflictError):
        assessed("part", fail)
