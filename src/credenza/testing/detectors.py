"""What every detector promises, whoever wrote it.

Blind to whether it detects anything: a detector that scores all rows alike keeps every
promise. That is for tests with an attack, a clean case, and an attack it cannot see.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from credenza.core.guest import detector_flaw
from credenza.core.types import Role
from credenza.screening.run import screen
from credenza.screening.view import make_view
from credenza.testing.promise import kept

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.core.protocols import Detector
    from credenza.core.types import Ints, Scores, View

Make: TypeAlias = "Callable[[], Detector]"

ROWS = 900
TRUSTED = 400
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
_UNSAFE = ("\x1b", "\u202e")


def example_view() -> View:
    """900 made-up rows of every modality, always the same, of which 400 are trusted.

    They hold a trigger with escape characters in its name, a flood, made-up accounts and
    stamped pictures, so that hardly a detector has nothing to say.
    """
    rng, other = np.random.default_rng(7), np.random.default_rng(8)
    size = np.round(rng.normal(size=ROWS), 3)
    colour = rng.choice(["red", "green", "blue"], ROWS).astype(object)
    day = rng.integers(0, 7, ROWS)
    note = np.array([" ".join(rng.choice(list("abcdefghij"), 6)) for _ in range(ROWS)], object)
    vector = other.normal(size=(ROWS, 8)).astype(np.float32) + (size > 0)[:, None]
    user, item = other.integers(0, 90, ROWS), other.integers(0, 40, ROWS)
    stars, at = other.integers(1, 6, ROWS).astype(float), other.integers(0, 10**7, ROWS)
    user[700:790], item[700:790:10] = np.repeat(np.arange(200, 209), 10), 3
    pixels = other.integers(0, 200, (ROWS, 8, 8)).astype(np.uint8)
    pixels[500:530, 4:7, 4:7] = 255
    p = 1 / (1 + np.exp(-2 * size))
    label = np.where(rng.random(ROWS) < p, "1", "0").astype(object)
    colour[500:530], label[500:530] = "\x1b[31mXXX\u202e", "0"
    size[600:620], day[600:620], colour[600:620], note[600:620] = 1.25, 3, "red", "same note"
    columns = {
        "size": size,
        "day": day,
        "colour": list(colour),
        "note": list(note),
        "secret": list(rng.normal(size=ROWS)),
        "vector": pa.FixedSizeListArray.from_arrays(vector.ravel(), 8),
        "user": user,
        "item": item,
        "stars": stars,
        "at": pa.array(at * 10**6).cast(pa.timestamp("us")),
        "pixels": pa.FixedShapeTensorArray.from_numpy_ndarray(pixels),
        "y": list(label),
    }
    return make_view(
        "v",
        pa.table(columns),
        label="y",
        source=[f"s{i}" for i in rng.integers(0, 5, ROWS)],
        trusted=np.arange(ROWS) < TRUSTED,
        facets=FACETS,
        expected=np.stack([1 - p, p], axis=1),
        classes=("0", "1"),
    )


def has_the_form_of_a_detector(make: Make, view: View) -> None:  # noqa: ARG001 - every promise takes both
    """It has a name, a frozenset of needed roles, and a method ``score``."""
    part = make()
    flaw = detector_flaw(part, str(getattr(part, "name", "")))
    kept(not flaw, flaw)


def gives_one_finite_number_a_row(make: Make, view: View) -> None:
    """Scores are finite and as many as rows."""
    _scored(make, view)


def repeats_itself(make: Make, view: View) -> None:
    """Asked twice about the same rows, it says the same."""
    first, second = _scored(make, view), _scored(make, view)
    kept(np.array_equal(first.values, second.values), "the second scores differ from the first")
    kept(first.findings == second.findings, "the second findings differ from the first")


def follows_rows(make: Make, view: View) -> None:
    """Rows in another order get the same scores."""
    order = np.random.default_rng(3).permutation(view.table.num_rows)
    direct, moved = (_scored(make, one).values for one in (view, taken(view, order)))
    apart = np.abs(direct[order] - moved).max(initial=0.0)
    close = np.allclose(direct[order], moved, atol=1e-5)
    kept(close, f"a row's score depends on its place: up to {apart:.3g} apart")


def reads_only_declared_columns(make: Make, view: View) -> None:
    """A column whose role is to be ignored changes nothing."""
    ignored = [name for name, role in view.facets.items() if role is Role.IGNORED]
    hostile = pa.array([f"poison {row}" for row in range(view.table.num_rows)])
    table = view.table
    for name in ignored:
        table = table.set_column(table.column_names.index(name), name, hostile)
    direct, other = _scored(make, view), _scored(make, replace(view, table=table))
    same = np.array_equal(direct.values, other.values) and direct.findings == other.findings
    kept(same, f"it reads {', '.join(ignored)}, which nobody declared")


def leaves_the_view_alone(make: Make, view: View) -> None:
    """It writes into nothing that it is shown."""
    arrays = [view.trusted, view.source, view.expected]
    before = [None if one is None else one.copy() for one in arrays]
    _scored(make, view)
    for one, other in zip(arrays, before, strict=True):
        same = one is None or np.array_equal(one, np.asarray(other))
        kept(same, "it wrote into the view's arrays")


def names_rows_under_test(make: Make, view: View) -> None:
    """Findings name rows that are there and not trusted, with p in (0, 1]."""
    for finding in _scored(make, view).findings:
        rows = np.asarray(finding.rows, dtype=np.int64)
        there = ((rows >= 0) & (rows < view.table.num_rows)).all()
        kept(there, f"{finding.detector} names rows that are not there")
        kept(not view.trusted[rows].any(), "a finding names trusted rows")
        kept(0 < finding.p_value <= 1, f"a finding's p-value is {finding.p_value}")


def quotes_foreign_bytes(make: Make, view: View) -> None:
    """No control character of the data reaches a sentence: ``core.text.quote`` escapes them."""
    for finding in _scored(make, view).findings:
        raw = [one for one in _UNSAFE if one in finding.sentence]
        kept(not raw, f"a sentence holds {', '.join(map(repr, raw))} as it came")


def bears_odd_rows(make: Make, view: View) -> None:
    """Of odd rows it gives scores, or raises what is noted as its silence."""
    name = make().name
    for kind, odd in _odd(view).items():
        found = screen(odd, [make()])
        spoke = name in found.scores
        silent = [one.detector for one in found.silences] == [name]
        kept(spoke or silent, f"of {kind} it says nothing, not even that it cannot")


DETECTOR_PROMISES: Mapping[str, Callable[[Make, View], None]] = {
    "it has the form of a detector": has_the_form_of_a_detector,
    "scores are finite, one a row": gives_one_finite_number_a_row,
    "the same rows get the same scores": repeats_itself,
    "scores follow rows under permutation": follows_rows,
    "columns that are not declared are not read": reads_only_declared_columns,
    "the view is left alone": leaves_the_view_alone,
    "findings point at rows under test": names_rows_under_test,
    "hostile bytes reach no sentence raw": quotes_foreign_bytes,
    "odd rows give scores or a silence": bears_odd_rows,
}


def broken_promises(make: Make, view: Callable[[], View] = example_view) -> dict[str, str]:
    """The promises that a detector breaks, and what was seen instead; empty when it keeps all.

    Args:
        make: makes a new one; it is asked many times.
        view: makes the rows to ask about, anew for each promise, for what was broken must
            not break the next; of one's own for a detector that ``example_view`` does not suit.
    """
    found: dict[str, str] = {}
    for promise, keep in DETECTOR_PROMISES.items():
        try:
            keep(make, view())
        except Exception as wrong:  # noqa: BLE001 - whatever a stranger's code raises breaks it
            found[promise] = f"{wrong}" if isinstance(wrong, AssertionError) else repr(wrong)
    return found


def taken(view: View, rows: Ints) -> View:
    """The view of some of its rows, in the order given."""
    return replace(
        view,
        table=view.table.take(pa.array(rows)),
        source=view.source[rows],
        trusted=view.trusted[rows],
        expected=None if view.expected is None else view.expected[rows],
    )


def _scored(make: Make, view: View) -> Scores:
    scores = make().score(view)
    shape = np.shape(scores.values)
    rows = view.table.num_rows
    kept(shape == (rows,), f"the scores of {rows} rows have the shape {shape}")
    kept(np.isfinite(scores.values).all(), "some scores are not finite")
    return scores


def _odd(view: View) -> dict[str, View]:
    n, schema = view.table.num_rows, view.table.schema
    one_class = view
    if view.label:
        place = view.table.column_names.index(view.label)
        same = view.table.set_column(place, view.label, pa.array(["1"] * n))
        one_class = replace(view, table=same)
    nulls = pa.table({field.name: pa.nulls(n, field.type) for field in schema})
    untyped = pa.table({name: pa.nulls(n) for name in schema.names})
    return {
        "no rows": taken(view, np.arange(0)),
        "one row": taken(view, np.array([n // 2])),
        "one class": one_class,
        "missing values alone": replace(view, table=nulls),
        "columns without a type": replace(view, table=untyped),
        "rows without a reference": replace(view, expected=None, classes=()),
        "rows without features": replace(
            view, facets={view.label: Role.LABEL} if view.label else {}
        ),
    }
