"""What all detectors promise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.types import Role
from credenza.screening.builtin import DETECTORS
from credenza.screening.run import screen
from credenza.screening.view import make_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.core.types import Ints, View

FACETS = {
    "size": Role.NUMBER,
    "day": Role.NUMBER,
    "colour": Role.CATEGORY,
    "note": Role.TEXT,
    "secret": Role.IGNORED,
    "vector": Role.EMBEDDING,
    "user": Role.USER,
    "item": Role.ITEM,
    "stars": Role.RATING,
    "at": Role.TIME,
    "pixels": Role.IMAGE,
}
EVERY = pytest.mark.parametrize("name", DETECTORS.names())


def poisoned_view(n: int = 900) -> View:
    """Rows with a flood, a trigger and flips, so that no detector has nothing to say."""
    rng = np.random.default_rng(7)
    size = np.round(rng.normal(size=n), 3)
    colour = rng.choice(["red", "green", "blue"], n).astype(object)
    day = rng.integers(0, 7, n)
    note = np.array([" ".join(rng.choice(list("abcdefghij"), 6)) for _ in range(n)], dtype=object)
    other = np.random.default_rng(8)
    vector = other.normal(size=(n, 8)).astype(np.float32) + (size > 0)[:, None]
    user, item = other.integers(0, 90, n), other.integers(0, 40, n)
    stars, at = other.integers(1, 6, n).astype(float), other.integers(0, 10**7, n)
    user[700:790], item[700:790:10] = np.repeat(np.arange(200, 209), 10), 3
    pixels = other.integers(0, 200, (n, 8, 8)).astype(np.uint8)
    pixels[500:530, 4:7, 4:7] = 255
    p = 1 / (1 + np.exp(-2 * size))
    label = np.where(rng.random(n) < p, "1", "0").astype(object)
    colour[500:530] = "\x1b[31mXXX\u202e"
    label[500:530] = "0"
    size[600:620], day[600:620], colour[600:620], note[600:620] = 1.25, 3, "red", "same note"
    table = pa.table(
        {
            "size": size,
            "day": day,
            "colour": list(colour),
            "note": list(note),
            "secret": list(rng.normal(size=n)),
            "vector": pa.FixedSizeListArray.from_arrays(vector.ravel(), 8),
            "user": user,
            "item": item,
            "stars": stars,
            "at": pa.array(at * 10**6).cast(pa.timestamp("us")),
            "pixels": pa.FixedShapeTensorArray.from_numpy_ndarray(pixels),
            "y": list(label),
        }
    )
    source = [f"s{i}" for i in rng.integers(0, 5, n)]
    return make_view(
        "v",
        table,
        label="y",
        source=source,
        trusted=np.arange(n) < 400,
        facets=FACETS,
        expected=np.stack([1 - p, p], axis=1),
        classes=("0", "1"),
    )


def taken(view: View, rows: Ints) -> View:
    expected = view.expected[rows] if view.expected is not None else None
    return replace(
        view,
        table=view.table.take(pa.array(rows)),
        source=view.source[rows],
        trusted=view.trusted[rows],
        expected=expected,
    )


@EVERY
def test_scores_are_finite_one_a_row_and_repeatable(name: str) -> None:
    view = poisoned_view()
    first, second = (DETECTORS.make(name).score(view) for _ in range(2))
    assert first.values.shape == (900,)
    assert np.isfinite(first.values).all()
    assert np.array_equal(first.values, second.values)
    assert first.findings == second.findings


@EVERY
def test_scores_follow_rows_under_permutation(name: str) -> None:
    view = poisoned_view()
    order = np.random.default_rng(3).permutation(900)
    direct, moved = (DETECTORS.make(name).score(v).values for v in (view, taken(view, order)))
    assert np.allclose(direct[order], moved, atol=1e-5)


@EVERY
def test_columns_that_are_not_declared_are_not_read(name: str) -> None:
    view = poisoned_view()
    hostile = pa.array([f"poison {i}" for i in range(900)])
    changed = view.table.set_column(view.table.column_names.index("secret"), "secret", hostile)
    direct, other = (DETECTORS.make(name).score(v) for v in (view, replace(view, table=changed)))
    assert np.array_equal(direct.values, other.values)
    assert direct.findings == other.findings


@EVERY
def test_the_view_is_left_alone(name: str) -> None:
    view, twin = poisoned_view(), poisoned_view()
    DETECTORS.make(name).score(view)
    assert view.table.equals(twin.table)
    assert np.array_equal(view.trusted, twin.trusted)
    assert np.array_equal(view.source, twin.source)
    assert np.array_equal(np.asarray(view.expected), np.asarray(twin.expected))


@EVERY
def test_hostile_bytes_reach_no_sentence_raw(name: str) -> None:
    for finding in DETECTORS.make(name).score(poisoned_view()).findings:
        assert "\x1b" not in finding.sentence
        assert "\u202e" not in finding.sentence


@EVERY
def test_findings_point_at_rows_under_test(name: str) -> None:
    view = poisoned_view()
    for finding in DETECTORS.make(name).score(view).findings:
        assert not view.trusted[list(finding.rows)].any()
        assert 0 < finding.p_value <= 1


def _empty(view: View) -> View:
    return taken(view, np.arange(0))


def _one_row(view: View) -> View:
    return taken(view, np.array([450]))


def _one_class(view: View) -> View:
    place = view.table.column_names.index("y")
    return replace(view, table=view.table.set_column(place, "y", pa.array(["1"] * 900)))


def _all_null(view: View) -> View:
    nulls = {f.name: pa.nulls(900, f.type) for f in view.table.schema}
    return replace(view, table=pa.table(nulls))


def _untyped_null(view: View) -> View:
    return replace(view, table=pa.table({name: pa.nulls(900) for name in view.table.column_names}))


def _no_reference(view: View) -> View:
    return replace(view, expected=None, classes=())


def _no_features(view: View) -> View:
    return replace(view, facets={"y": Role.LABEL})


@EVERY
@pytest.mark.parametrize(
    "shape", [_empty, _one_row, _one_class, _all_null, _untyped_null, _no_reference, _no_features]
)
def test_odd_views_give_scores_or_a_silence(name: str, shape: Callable[[View], View]) -> None:
    view = shape(poisoned_view())
    found = screen(view, [DETECTORS.make(name)])
    spoke = name in found.scores
    assert spoke or [silence.detector for silence in found.silences] == [name]
    assert np.isfinite(found.p_values).all()
    assert found.flagged.shape == (view.table.num_rows,)
