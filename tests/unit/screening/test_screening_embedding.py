"""Encoders, activations and leaves come in through one seam; rows become points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import RandomForestClassifier

from credenza.core.errors import UsageError
from credenza.core.types import Role
from credenza.screening.builtin import DETECTORS
from credenza.screening.features.embedding import (
    as_column,
    leaves,
    vector_codes,
    vectors_of,
    with_embedding,
)
from credenza.screening.features.encoding import points_of
from credenza.screening.view import make_view

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints, View


def table_view(n: int = 300) -> View:
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "size": rng.normal(size=n),
            "kind": rng.choice(["a", "b"], n).tolist(),
            "note": [" ".join(rng.choice(["x", "y", "z"], 3)) for _ in range(n)],
            "y": rng.choice(["0", "1"], n).tolist(),
        }
    )
    facets = {"size": Role.NUMBER, "kind": Role.CATEGORY, "note": Role.TEXT}
    return make_view("t", table, label="y", facets=facets)


def lengths(rows: pa.Table) -> Floats:
    return np.array(
        [[float(note.count("x")), float(note.count("y"))] for note in rows["note"].to_pylist()]
    )


def test_an_encoder_of_the_user_becomes_an_embedding_that_detectors_read() -> None:
    view = with_embedding(table_view(), "encoded", lengths)
    assert view.facets["encoded"] is Role.EMBEDDING
    assert np.allclose(vectors_of(view, "encoded"), lengths(view.table))
    assert DETECTORS.make("neighbour-labels").score(view).values.shape == (300,)


def test_leaves_of_a_forest_put_rows_together_that_it_treats_alike() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(200, 2))
    forest = RandomForestClassifier(20, max_depth=3, random_state=0).fit(points, points[:, 0] > 0)

    def apply(rows: pa.Table) -> Ints:
        found: Ints = forest.apply(np.stack([rows["a"].to_numpy(), rows["b"].to_numpy()], axis=1))
        return found

    table = pa.table({"a": points[:, 0], "b": points[:, 1]})
    view = with_embedding(make_view("t", table), "leaves", leaves(apply))
    found = vectors_of(view, "leaves")
    likeness = found @ found.T
    same = (points[:, 0] > 0)[:, None] == (points[:, 0] > 0)[None, :]
    assert likeness[same].mean() > likeness[~same].mean() + 0.3


@pytest.mark.parametrize(
    "wrong",
    [
        lambda rows: np.zeros((rows.num_rows + 1, 2)),
        lambda rows: np.zeros(rows.num_rows),
        lambda rows: np.full((rows.num_rows, 2), np.nan),
    ],
)
def test_vectors_that_do_not_fit_are_refused(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(UsageError, match="does not give one vector a row"):
        with_embedding(table_view(), "encoded", wrong)


def test_an_embedding_may_not_take_the_name_of_a_column() -> None:
    with pytest.raises(UsageError, match="there is a column `note` already"):
        with_embedding(table_view(), "note", lengths)


def test_missing_vectors_are_zero() -> None:
    column = pa.array([[1.0, 2.0], None, [3.0, float("nan")]], pa.list_(pa.float32(), 2))
    view = make_view("t", pa.table({"v": column}), facets={"v": Role.EMBEDDING})
    assert vectors_of(view, "v").tolist() == [[1, 2], [0, 0], [3, 0]]


def test_equal_vectors_share_a_code_and_others_do_not() -> None:
    vectors = np.random.default_rng(2).normal(size=(500, 7))
    vectors[10], vectors[20], vectors[21] = vectors[400], 0.0, -0.0
    codes = vector_codes(vectors)
    assert codes[10] == codes[400]
    assert codes[20] == codes[21]
    assert len(np.unique(codes)) == 498


def test_points_follow_the_rows_and_copies_share_a_fold() -> None:
    view = table_view()
    points = points_of(view)
    assert np.array_equal(points.in_rows(points.order.astype(float)), np.arange(300))
    assert points.matrix.var(axis=0).sum() == pytest.approx(3.0, rel=1e-4)
    twice = make_view(
        "t", pa.concat_tables([view.table, view.table]), label="y", facets=dict(view.facets)
    )
    both = points_of(twice)
    fold = both.in_rows(both.folds(5).astype(float))
    assert np.array_equal(fold[:300], fold[300:])


def test_an_embedding_stands_for_the_row_when_there_is_one() -> None:
    view = table_view()
    vectors = np.random.default_rng(3).normal(size=(300, 4))
    table = view.table.append_column("v", as_column(vectors))
    facets = {**view.facets, "v": Role.EMBEDDING}
    assert points_of(make_view("t", table, label="y", facets=facets)).matrix.shape == (300, 4)
