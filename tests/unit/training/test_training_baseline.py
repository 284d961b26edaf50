from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.errors import UsageError
from credenza.core.types import Role
from credenza.training.baseline import evaluate, fit_reference, out_of_fold
from credenza.training.encoding import CategoryColumn

if TYPE_CHECKING:
    from collections.abc import Mapping

FACETS: Mapping[str, Role] = {
    "delay": Role.NUMBER,
    "carrier": Role.CATEGORY,
    "feed": Role.SOURCE,
    "late": Role.LABEL,
}


def flights(rows: int, seed: int = 0) -> pa.Table:
    """Rows whose label depends on a number and, for one carrier, on nothing else."""
    rng = np.random.default_rng(seed)
    delay = rng.normal(0, 10, rows)
    carrier = rng.choice(["AA", "BB", "CC"], rows, p=[0.6, 0.3, 0.1])
    late = (delay > 3) | (carrier == "CC")
    return pa.table(
        {
            "delay": delay,
            "carrier": carrier.tolist(),
            "feed": rng.choice([f"f{i}" for i in range(8)], rows).tolist(),
            "late": np.where(late, "yes", "no").tolist(),
        }
    )


def test_the_reference_learns_what_the_label_should_have_been() -> None:
    model = fit_reference(flights(3_000), label="late", facets=FACETS)
    found = evaluate(model, flights(1_000, seed=1), "late")
    assert model.classes == ("no", "yes")
    assert found.rows == 1_000
    assert found.accuracy > 0.97
    assert set(found.per_class) == {"no", "yes"}


def test_probabilities_are_a_distribution_with_a_floor() -> None:
    model = fit_reference(flights(2_000), label="late", facets=FACETS)
    expected = model.expected(flights(500, seed=2))
    assert expected.shape == (500, 2)
    assert expected.dtype == np.float64
    assert np.allclose(expected.sum(axis=1), 1)
    assert expected.min() > 0


def test_a_poisoned_reference_is_believed() -> None:
    # The blind spot: labels that were admitted wrong are the truth from then on.
    table = flights(3_000)
    flipped = np.where(np.asarray(table["carrier"].to_pylist()) == "CC", "no", table["late"])
    poisoned = table.set_column(3, "late", pa.array(flipped.tolist()))
    model = fit_reference(poisoned, label="late", facets=FACETS)
    fresh = flights(1_000, seed=3)
    of_cc = np.asarray(fresh["carrier"].to_pylist()) == "CC"
    assert np.median(model.expected(fresh)[of_cc, 1]) < 0.5


def test_the_same_rows_and_seed_give_the_same_model_bit_for_bit() -> None:
    table, fresh = flights(2_000), flights(300, seed=4)
    first, second = (
        fit_reference(table, label="late", facets=FACETS, seed=7, max_rows=900) for _ in range(2)
    )
    assert np.array_equal(first.expected(fresh), second.expected(fresh))


def test_the_order_of_the_facets_changes_nothing() -> None:
    table, fresh = flights(1_000), flights(300, seed=4)
    backwards = dict(reversed(list(FACETS.items())))
    first = fit_reference(table, label="late", facets=FACETS)
    second = fit_reference(table, label="late", facets=backwards)
    assert np.array_equal(first.expected(fresh), second.expected(fresh))


def test_the_source_is_never_an_input() -> None:
    table = flights(2_000)
    model = fit_reference(table, label="late", facets=FACETS)
    renamed = table.set_column(2, "feed", pa.array(["other"] * table.num_rows))
    assert np.array_equal(model.expected(table), model.expected(renamed))
    assert [column.name for column in model.columns] == ["carrier", "delay"]


def test_one_label_gives_a_constant_model() -> None:
    table = flights(50).set_column(3, "late", pa.array(["no"] * 50))
    model = fit_reference(table, label="late", facets=FACETS)
    assert model.classes == ("no",)
    assert np.array_equal(model.expected(flights(5)), np.ones((5, 1)))


def test_no_readable_column_gives_the_class_shares() -> None:
    table = flights(400)
    model = fit_reference(table, label="late", facets={"late": Role.LABEL})
    share = np.mean(np.asarray(table["late"].to_pylist()) == "yes")
    assert np.allclose(model.expected(flights(3))[:, 1], share)


def test_an_unknown_level_is_treated_as_any_other_rare_one() -> None:
    table = flights(3_000)
    rare = table["carrier"].to_pylist()
    rare[:5] = ["ZZ"] * 5
    model = fit_reference(
        table.set_column(1, "carrier", pa.array(rare)), label="late", facets=FACETS
    )
    carrier = model.columns[0]
    assert isinstance(carrier, CategoryColumn)
    assert carrier.levels == ("AA", "BB", "CC")
    fresh = flights(10)
    never_seen = fresh.set_column(1, "carrier", pa.array(["QQ"] * 10))
    seen_rarely = fresh.set_column(1, "carrier", pa.array(["ZZ"] * 10))
    assert np.array_equal(model.expected(never_seen), model.expected(seen_rarely))


def test_nulls_and_infinities_are_values_like_others() -> None:
    table = flights(1_000)
    delay = table["delay"].to_pylist()
    delay[::7] = [None] * len(delay[::7])
    delay[1], delay[2], delay[3] = float("inf"), float("-inf"), float("nan")
    carrier = table["carrier"].to_pylist()
    carrier[::5] = [None] * len(carrier[::5])
    holes = table.set_column(0, "delay", pa.array(delay)).set_column(
        1, "carrier", pa.array(carrier)
    )
    model = fit_reference(holes, label="late", facets=FACETS)
    assert np.isfinite(model.expected(holes)).all()


def test_rows_without_a_label_are_passed_over() -> None:
    table = flights(1_000)
    late = table["late"].to_pylist()
    late[600:] = [None] * 400
    partly = table.set_column(3, "late", pa.array(late))
    first = fit_reference(partly, label="late", facets=FACETS)
    second = fit_reference(table.slice(0, 600), label="late", facets=FACETS)
    fresh = flights(100, seed=5)
    assert np.array_equal(first.expected(fresh), second.expected(fresh))
    assert evaluate(first, partly, "late").rows == 600


def test_a_label_the_model_never_saw_counts_as_wrong() -> None:
    model = fit_reference(flights(500), label="late", facets=FACETS)
    strange = flights(40).set_column(3, "late", pa.array(["maybe"] * 40))
    found = evaluate(model, strange, "late")
    assert found.accuracy == 0
    assert found.per_class == {"maybe": 0.0}


def test_labels_and_inputs_of_any_arrow_type_are_read() -> None:
    rng = np.random.default_rng(0)
    when = rng.integers(0, 40, 600)
    table = pa.table(
        {
            "day": pa.array(when.astype(np.int32), pa.int32()).cast(pa.date32()),
            "at": pa.array(when.astype(np.int64), pa.timestamp("us")),
            "flag": pa.array((when > 20).tolist(), pa.bool_()),
            "kind": pa.array(np.where(when > 5, "a", "b").tolist()).dictionary_encode(),
            "late": pa.array((when > 20).tolist(), pa.bool_()),
        }
    )
    facets = {
        "day": Role.NUMBER,
        "at": Role.NUMBER,
        "flag": Role.NUMBER,
        "kind": Role.CATEGORY,
        "late": Role.LABEL,
    }
    model = fit_reference(table, label="late", facets=facets)
    assert model.classes == ("false", "true")
    assert evaluate(model, table, "late").accuracy == 1


def test_text_columns_are_read() -> None:
    rng = np.random.default_rng(0)
    good = rng.random(1_500) < 0.5
    filler = rng.choice(["the plane", "a seat", "my flight", "the crew"], 1_500)
    tone = np.where(good, "was a joy", "was a mess")
    table = pa.table(
        {
            "review": [f"{a} {b}" for a, b in zip(filler, tone, strict=True)],
            "label": np.where(good, "up", "down").tolist(),
        }
    )
    facets = {"review": Role.TEXT, "label": Role.LABEL}
    model = fit_reference(table.slice(0, 1_000), label="label", facets=facets)
    assert evaluate(model, table.slice(1_000), "label").accuracy > 0.98


def test_out_of_fold_rows_are_judged_by_other_sources_only() -> None:
    # Source f0 flips all its labels; a model that saw them would partly agree with it.
    table = flights(4_000)
    feeds = np.asarray(table["feed"].to_pylist(), dtype=np.object_)
    late = np.asarray(table["late"].to_pylist(), dtype=np.object_)
    late[feeds == "f0"] = np.where(late[feeds == "f0"] == "yes", "no", "yes")
    flipped = table.set_column(3, "late", pa.array(late.tolist()))
    found = out_of_fold(flipped, label="late", facets=FACETS, groups=feeds)
    given = (late == "yes").astype(int)
    agrees = found.expected.argmax(axis=1) == given
    assert found.classes == ("no", "yes")
    assert agrees[feeds == "f0"].mean() < 0.05
    assert agrees[feeds != "f0"].mean() > 0.95


def test_out_of_fold_without_groups_holds_out_row_by_row() -> None:
    table = flights(1_500)
    found = out_of_fold(table, label="late", facets=FACETS)
    right = found.expected.argmax(axis=1) == (np.asarray(table["late"].to_pylist()) == "yes")
    assert right.mean() > 0.95


def test_a_single_source_cannot_be_held_out() -> None:
    with pytest.raises(UsageError, match="held out"):
        out_of_fold(
            flights(50),
            label="late",
            facets=FACETS,
            groups=np.asarray(["f"] * 50, dtype=np.object_),
        )


@pytest.mark.parametrize(
    ("facets", "label", "says"),
    [
        ({"absent": Role.NUMBER}, "late", "no single column 'absent'"),
        ({"carrier": Role.NUMBER}, "late", "cannot be read as a number"),
        ({"delay": Role.NUMBER}, "absent", "no single column 'absent'"),
        ({"carrier": Role.CATEGORY}, "delay", "has 300 values"),
    ],
)
def test_what_cannot_be_fitted_says_why(facets: Mapping[str, Role], label: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        fit_reference(flights(300), label=label, facets=facets)
    assert says in str(refused.value)


def test_a_label_column_without_values_is_refused() -> None:
    table = flights(10).set_column(3, "late", pa.nulls(10, pa.string()))
    with pytest.raises(UsageError, match="no row has a value"):
        fit_reference(table, label="late", facets=FACETS)


def test_labels_that_follow_from_vectors_are_foreseen_and_missing_vectors_are_not() -> None:
    rng = np.random.default_rng(3)
    late = rng.random(1_200) < 0.5
    vectors = rng.normal(size=(1_200, 32)) * np.geomspace(100, 0.01, 32)
    vectors[:, 20] += 3 * late * np.geomspace(100, 0.01, 32)[20]
    table = pa.table(
        {
            "vector": pa.FixedSizeListArray.from_arrays(vectors.ravel(), 32),
            "late": np.where(late, "yes", "no").tolist(),
        }
    )
    facets = {"vector": Role.EMBEDDING, "late": Role.LABEL}
    model = fit_reference(table.slice(0, 800), label="late", facets=facets)
    assert evaluate(model, table.slice(800), "late").accuracy > 0.85
    missing = pa.table({"vector": pa.array([None] * 5, table.schema.field("vector").type)})
    assert np.isfinite(model.expected(missing)).all()
