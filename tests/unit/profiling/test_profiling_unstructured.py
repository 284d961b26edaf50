"""Statistics of texts, vectors and times: what moves them, and what does not."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.types import Role
from credenza.profiling.statistics.builtin import measure
from credenza.profiling.statistics.reference import ReferenceSummary, summarise
from credenza.profiling.words import words_of

FACETS = {
    "note": Role.TEXT,
    "vector": Role.EMBEDDING,
    "at": Role.TIME,
    "late": Role.LABEL,
}
WORDS = np.array([f"word{i}" for i in range(400)])
WEIGHT = 1 / np.arange(1, 401) / np.sum(1 / np.arange(1, 401))
WIDTH = 12


def batch(rows: int, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    notes = [" ".join(rng.choice(WORDS, rng.integers(6, 20), p=WEIGHT)) for _ in range(rows)]
    spread = np.geomspace(4, 0.3, WIDTH)
    vectors = (rng.normal(size=(rows, WIDTH)) * spread).astype(np.float32)
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    seconds = rng.uniform(7 * 3600, 22 * 3600, rows) + 86_400 * rng.integers(0, 7, rows)
    return pa.table(
        {
            "note": notes,
            "vector": pa.FixedSizeListArray.from_arrays(vectors.ravel(), WIDTH),
            "at": pa.array(
                [start + dt.timedelta(seconds=float(s)) for s in seconds],
                pa.timestamp("us", "UTC"),
            ),
            "late": rng.choice(["no", "yes"], rows).tolist(),
        }
    )


@pytest.fixture(scope="module")
def reference() -> ReferenceSummary:
    return summarise(batch(4_000, 99), label="late", classes=("no", "yes"), facets=FACETS)


def z_of(table: pa.Table, reference: ReferenceSummary) -> dict[str, float]:
    """How far each statistic is from that of an honest batch, in sampling errors."""
    fair = np.full((table.num_rows, 2), 0.5)
    honest = measure(batch(table.num_rows, 12_345), reference=reference, expected=fair)
    found = measure(table, reference=reference, expected=fair)
    return {
        name: (value - honest[name][0]) / np.hypot(sd, honest[name][1])
        for name, (value, sd) in found.items()
    }


def with_column(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, column)


def test_honest_batches_stay_within_their_sampling_errors(reference: ReferenceSummary) -> None:
    runs = [np.array([*z_of(batch(300, seed), reference).values()]) for seed in range(10)]
    assert np.abs(np.concatenate(runs)).max() < 6
    assert np.mean(np.abs(np.concatenate(runs)) > 3) < 0.02


def test_names_depend_on_the_reference_alone(reference: ReferenceSummary) -> None:
    fair = np.full((300, 2), 0.5)
    every = {
        tuple(measure(batch(rows, rows), reference=reference, expected=fair[:rows]))
        for rows in (0, 1, 300)
    }
    assert len(every) == 1
    assert {"number mean words(note)", "number mean distance(vector)", "number mean hour(at)"} <= {
        *every.pop()
    }


def test_a_word_nobody_knows_shows_and_its_labels_show_with_it(
    reference: ReferenceSummary,
) -> None:
    table = batch(400, 5)
    notes, labels = table["note"].to_pylist(), table["late"].to_pylist()
    for row in range(16):
        notes[row], labels[row] = f"{notes[row]} cf", "yes"
    poisoned = with_column(with_column(table, "note", pa.array(notes)), "late", pa.array(labels))
    found = z_of(poisoned, reference)
    assert found["novelty unknown words note"] > 2.5
    where = "residual late = no where note has a rare word"
    assert found[where] < z_of(table, reference)[where] - 1.5
    # The share of labels, which a plain drift test looks at, hardly moves.
    assert abs(found["label share late = no"]) < 2


def test_a_trigger_of_common_words_is_not_seen(reference: ReferenceSummary) -> None:
    table = batch(400, 5)
    notes = table["note"].to_pylist()
    notes[:16] = [f"{note} word0 word1" for note in notes[:16]]
    found = z_of(with_column(table, "note", pa.array(notes)), reference)
    assert abs(found["novelty unknown words note"]) < 2.5
    assert abs(found["novelty rare words note"]) < 2.5


def test_copies_with_other_word_order_and_new_words_are_nearly_repeats() -> None:
    plain = pa.table({"note": batch(300, 5)["note"]})
    facets = {"note": Role.TEXT}
    own = summarise(batch(2_000, 8).select(["note"]), label="", classes=(), facets=facets)
    notes = plain["note"].to_pylist()
    words = notes[0].split()
    rng = np.random.default_rng(1)
    notes[1:13] = [" ".join([*rng.permutation(words), f"new{n}"]) for n in range(12)]
    found = measure(pa.table({"note": notes}), reference=own)
    assert found["repeat near"][0] > measure(plain, reference=own)["repeat near"][0] + 10
    assert found["repeat exact"] == measure(plain, reference=own)["repeat exact"]


def test_missing_texts_and_vectors_are_no_repeats() -> None:
    table = pa.table(
        {
            "note": pa.array([None] * 50, pa.string()),
            "vector": pa.array([None] * 50, pa.list_(pa.float32(), WIDTH)),
        }
    )
    facets = {"note": Role.TEXT, "vector": Role.EMBEDDING}
    own = summarise(batch(500, 8), label="", classes=(), facets=facets)
    found = measure(table, reference=own)
    honest = measure(batch(50, 3), reference=own)
    assert found["repeat exact"] == honest["repeat exact"]
    assert found["repeat near"] == honest["repeat near"]


def test_vectors_that_leave_where_trusted_ones_lie_move_a_direction_or_the_distance(
    reference: ReferenceSummary,
) -> None:
    table = batch(400, 5)
    vectors = np.array(table["vector"].to_pylist(), dtype=np.float32)

    def moved(place: int, by: float) -> dict[str, float]:
        out = vectors.copy()
        out[:80, place] += by
        column = pa.FixedSizeListArray.from_arrays(out.ravel(), WIDTH)
        return z_of(with_column(table, "vector", column), reference)

    # What varies most is the first direction, up to its sign.
    name = "number mean direction 1(vector)"
    assert abs(moved(0, 12.0)[name] - z_of(table, reference)[name]) > 4
    assert moved(WIDTH - 1, 8.0)["number mean distance(vector)"] > 3


def test_rows_written_at_night_and_rows_written_at_once_show(
    reference: ReferenceSummary,
) -> None:
    table = batch(400, 5)
    at = table["at"].to_pylist()
    night = [one.replace(hour=3) if n < 40 else one for n, one in enumerate(at)]
    found = z_of(with_column(table, "at", pa.array(night)), reference)
    assert found["number mean hour(at)"] < -3
    once = [at[0] if n < 40 else one for n, one in enumerate(at)]
    assert z_of(with_column(table, "at", pa.array(once)), reference)["timing together at"] > 5


def test_words_are_lower_case_and_apart_from_punctuation() -> None:
    found = words_of(pa.chunked_array([["A cat.", None], ["a  CAT"]]))
    words = [found.levels[int(code)].as_py() for code in found.codes]
    assert words == ["a", "cat", ".", "a", "cat"]
    assert found.rows.tolist() == [0, 0, 0, 2, 2]
