"""Views and the roles of their columns."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.errors import UsageError
from credenza.core.types import Role
from credenza.screening.view import infer_roles, make_view


def test_roles_follow_from_types_and_values() -> None:
    n = 100
    table = pa.table(
        {
            "serial": range(n),
            "price": np.linspace(0, 1, n),
            "colour": ["red", "blue"] * 50,
            "sold": [True, False] * 50,
            "review": [f"this is the long text number {i}" for i in range(n)],
            "key": [f"k{i}" for i in range(n)],
            "when": [dt.date(2013, 1, 1)] * n,
            "nested": [[1, 2]] * n,
            "nothing": pa.nulls(n),
        }
    )
    assert infer_roles(table) == {
        "serial": Role.ID,
        "price": Role.NUMBER,
        "colour": Role.CATEGORY,
        "sold": Role.CATEGORY,
        "review": Role.TEXT,
        "key": Role.ID,
        "when": Role.TIME,
        "nested": Role.IGNORED,
        "nothing": Role.IGNORED,
    }


def test_a_view_knows_its_label_and_source_columns() -> None:
    view = make_view("v", pa.table({"x": [1.5], "y": ["a"], "s": ["one"]}), label="y", source="s")
    assert view.facets == {"x": Role.NUMBER, "y": Role.LABEL, "s": Role.SOURCE}
    assert view.source.tolist() == ["one"]
    assert view.trusted.tolist() == [False]


def test_an_unknown_column_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no column") as refused:
        make_view("v", pa.table({"x": [1]}), label="y")
    assert refused.value.why == 'there are: "x"'


@pytest.mark.parametrize("sources", [[], ["a", "b"]])
def test_sources_of_another_length_are_refused(sources: list[str]) -> None:
    with pytest.raises(UsageError, match="1 rows"):
        make_view("v", pa.table({"x": [1]}), source=sources)


def test_expected_probabilities_of_another_shape_are_refused() -> None:
    with pytest.raises(UsageError, match="do not fit"):
        make_view("v", pa.table({"x": [1]}), expected=np.ones((1, 3)), classes=("a", "b"))
