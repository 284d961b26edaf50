"""Statistics of a batch: what moves them, and what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.errors import UsageError
from credenza.core.types import Role
from credenza.profiling.statistics.builtin import family_of, measure
from credenza.profiling.statistics.reference import ReferenceSummary, summarise

if TYPE_CHECKING:
    from credenza.core.types import Floats

FACETS = {
    "delay": Role.NUMBER,
    "hour": Role.NUMBER,
    "place": Role.CATEGORY,
    "late": Role.LABEL,
    "note": Role.IGNORED,
}
PLACES = ["BOS", "MIA", "ORD", "SEA"]


def chance(table: pa.Table) -> Floats:
    """The true probabilities of (no, yes): delayed departures arrive late."""
    late = np.where(np.asarray(table["delay"]) > 20, 0.985, 0.05)
    return np.column_stack([1 - late, late])


def batch(rows: int, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    delay = np.where(rng.random(rows) < 0.2, rng.normal(60, 15, rows), rng.normal(0, 5, rows))
    table = pa.table(
        {
            "delay": delay.round(1),
            "hour": rng.integers(5, 24, rows),
            "place": pa.array(rng.choice(PLACES, rows)),
        }
    )
    yes = rng.random(rows) < chance(table)[:, 1]
    return table.append_column("late", pa.array(np.where(yes, "yes", "no")))


@pytest.fixture(scope="module")
def reference() -> ReferenceSummary:
    return summarise(batch(20_000, 99), label="late", classes=("no", "yes"), facets=FACETS)


def values(table: pa.Table, reference: ReferenceSummary) -> dict[str, float]:
    measured = measure(table, reference=reference, expected=chance(table))
    return {name: value for name, (value, _) in measured.items()}


def with_column(table: pa.Table, name: str, column: object) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, pa.array(column))


def flipped(table: pa.Table, count: int) -> pa.Table:
    """The labels of ``count`` late departures, flipped to on time."""
    label = np.asarray(table["late"].to_pylist(), dtype=object)
    label[np.flatnonzero(np.asarray(table["delay"]) > 20)[:count]] = "no"
    return with_column(table, "late", label.tolist())


def test_batches_of_one_dataset_have_the_same_statistics(reference: ReferenceSummary) -> None:
    sizes = (1, 2, 50, 700)
    assert len({tuple(values(batch(rows, rows), reference)) for rows in sizes}) == 1


def test_an_empty_batch_is_measured_without_a_warning(reference: ReferenceSummary) -> None:
    empty = batch(10).slice(0, 0)
    found = measure(empty, reference=reference, expected=np.zeros((0, 2)))
    assert set(found) == set(values(batch(5), reference))


def test_values_are_finite_and_sampling_errors_are_positive(reference: ReferenceSummary) -> None:
    table = batch(200)
    for value, sd in measure(table, reference=reference, expected=chance(table)).values():
        assert np.isfinite(value)
        assert sd > 0


def test_the_order_of_rows_does_not_matter(reference: ReferenceSummary) -> None:
    table = batch(300)
    shuffled = table.take(np.random.default_rng(1).permutation(300))
    assert values(table, reference) == pytest.approx(values(shuffled, reference))


def test_label_statistics_are_standard_normal_on_honest_rows(reference: ReferenceSummary) -> None:
    runs = [values(batch(400, seed), reference) for seed in range(60)]
    for name in ("residual late = no", "surprise late = no"):
        z = np.array([run[name] for run in runs])
        assert abs(z.mean()) < 0.5
        assert 0.5 < z.std() < 1.3


def test_a_dozen_flipped_labels_contradict_the_model(reference: ReferenceSummary) -> None:
    clean, poisoned = (
        values(table, reference) for table in (batch(400, 7), flipped(batch(400, 7), 12))
    )
    name = "contradiction late = no"
    assert poisoned[name] > 5
    assert poisoned[name] - clean[name] > 4
    # and the share of labels, which a plain drift test looks at, hardly moves
    assert abs(poisoned["label share late = no"] - clean["label share late = no"]) < 0.025


def test_flips_that_the_model_does_not_contradict_are_not_seen_as_surprise(
    reference: ReferenceSummary,
) -> None:
    table = flipped(batch(400, 7), 12)
    fooled = np.full((400, 2), 0.5)
    found = measure(table, reference=reference, expected=fooled)
    assert found["surprise late = no"][0] == found["contradiction late = no"][0] == 0


def test_flips_in_a_subgroup_show_there(reference: ReferenceSummary) -> None:
    table = flipped(batch(400, 7), 12)
    found = values(table, reference)
    inside = [name for name in found if name.startswith("surprise late = no where delay >")]
    outside = [name for name in found if name.startswith("surprise late = no where delay <=")]
    assert found[inside[0]] > 3
    assert abs(found[outside[0]]) < 1


def test_without_a_model_only_rates_of_labels_are_measured(reference: ReferenceSummary) -> None:
    found = measure(batch(50), reference=reference)
    assert "label share late = no" in found
    assert not [name for name in found if name.startswith(("residual", "surprise"))]


def test_a_shifted_number_moves_its_mean_and_tail(reference: ReferenceSummary) -> None:
    table = batch(400, 3)
    moved = with_column(table, "hour", np.asarray(table["hour"]) + 6)
    before, after = values(table, reference), values(moved, reference)
    assert after["number mean hour"] - before["number mean hour"] > 0.5
    tail = next(name for name in after if name.startswith("number share hour >"))
    assert after[tail] > before[tail] + 0.2


def test_unknown_levels_and_pairs_are_counted(
    reference: ReferenceSummary,
) -> None:
    table = batch(200, 4)
    place = table["place"].to_pylist()
    place[:10] = ["ANC"] * 10
    new = with_column(table, "place", place)
    before, after = values(table, reference), values(new, reference)
    assert after["novelty unknown place"] - before["novelty unknown place"] > 0.15
    assert after["pairs unseen with place"] > before["pairs unseen with place"]


def test_missing_values_are_counted_by_column(reference: ReferenceSummary) -> None:
    table = batch(100, 5)
    hour = [None, *np.asarray(table["hour"]).tolist()[1:]]
    found = values(with_column(table, "hour", hour), reference)
    assert found["volume missing hour"] > found["volume missing delay"]


def test_copies_of_a_row_are_counted_whatever_their_label(reference: ReferenceSummary) -> None:
    table = batch(200, 6)
    copy = with_column(table.slice(0, 1), "late", ["no"])
    flood = pa.concat_tables([table, *[copy] * 10])
    before, after = values(table, reference), values(flood, reference)
    assert after["repeat exact"] - before["repeat exact"] > 8
    assert after["repeat near"] - before["repeat near"] > 5


def test_copies_that_vary_everywhere_are_not_seen_as_repeats(reference: ReferenceSummary) -> None:
    before = values(batch(200, 6), reference)["repeat exact"]
    assert values(batch(210, 8), reference)["repeat exact"] == before


def test_numbers_that_start_to_go_together_are_seen(reference: ReferenceSummary) -> None:
    table = batch(400, 9)
    tied = with_column(table, "hour", np.asarray(table["delay"]) / 5 + 12)
    name = "correlation delay, hour"
    assert values(tied, reference)[name] > values(table, reference)[name] + 0.5


def test_columns_without_a_role_are_not_read(reference: ReferenceSummary) -> None:
    table = batch(50)
    noted = table.append_column("note", pa.array(["x"] * 50))
    assert values(noted, reference) == values(table, reference)


def test_hostile_names_stay_inside_their_quotes() -> None:
    table = with_column(batch(60), "place", ['x" where y\u202e\n'] * 60)
    summary = summarise(table, label="late", classes=("no", "yes"), facets=FACETS)
    names = "".join(values(table, summary))
    assert "\n" not in names
    assert "\u202e" not in names


def test_every_statistic_is_of_a_known_kind(reference: ReferenceSummary) -> None:
    kinds = {family_of(name) for name in values(batch(20), reference)}
    assert "other" not in kinds
    assert {"surprise", "residual", "repeat", "novelty", "shape", "structure"} <= kinds
    assert family_of("anything else") == "other"


def test_expected_probabilities_of_another_shape_are_refused(reference: ReferenceSummary) -> None:
    with pytest.raises(UsageError, match="do not fit the rows"):
        measure(batch(5), reference=reference, expected=np.zeros((5, 3)))


def test_a_reference_without_rows_is_refused() -> None:
    with pytest.raises(UsageError, match="no trusted rows"):
        summarise(batch(5).slice(0, 0), label="late", classes=(), facets=FACETS)
