"""Bad and odd columns: each has a clear error, or is said not to be assessed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from credenza import NotFoundError, UsageError, scan
from credenza.core.types import Role
from credenza.scanning.columns import Asked, resolve

N = 300


def table(**more: object) -> pa.Table:
    rng = np.random.default_rng(0)
    columns = {
        "x": rng.normal(size=N),
        "town": rng.choice(["Bern", "Genf"], N).tolist(),
        "late": rng.choice(["yes", "no"], N).tolist(),
        "sender": rng.choice(["a", "b", "c"], N).tolist(),
    }
    return pa.table({**columns, **more})


def test_a_wrong_column_is_answered_with_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(NotFoundError, match='no column "lates"') as wrong:
        scan(table(), label="lates")
    assert '"sender"' in wrong.value.why
    assert wrong.value.fix == 'did you mean "late"?'


def test_a_label_cannot_be_the_source_too() -> None:
    with pytest.raises(UsageError, match="cannot be both label and source"):
        scan(table(), label="late", source="late")


def test_one_class_is_not_assessed_and_the_rest_goes_on() -> None:
    result = scan(table(late=["yes"] * N), label="late")
    assert result.silences[0].detector == "labels"
    assert "1 distinct value" in result.silences[0].reason
    assert result.heard


def test_data_without_labels_is_judged_by_its_content() -> None:
    result = scan(table(), label="", source="")
    assert result.heard
    assert Role.LABEL not in result.roles.values()


def test_rows_without_a_label_are_counted() -> None:
    labels = [None if row % 3 == 0 else "ab"[row % 2] for row in range(N)]
    result = scan(table(late=labels), label="late")
    assert "100 of 300 rows have no label; only their content is judged" in result.notices


def test_a_column_of_nothing_is_said_not_to_be_assessed() -> None:
    result = scan(table(empty=pa.nulls(N, pa.float64())), label="late")
    assert "`empty` is empty and was not assessed" in result.notices
    assert result.roles["empty"] is Role.IGNORED


def test_a_label_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="`empty` is empty"):
        scan(table(empty=pa.nulls(N)), label="empty")


def test_nan_and_infinite_numbers_are_missing_numbers() -> None:
    x = np.where(np.arange(N) % 7 == 0, np.inf, np.where(np.arange(N) % 5 == 0, np.nan, 1.0))
    result = scan(table(x=x, z=np.full(N, -np.inf)), label="late")
    assert np.isfinite(result.rows.column("score").to_numpy()).all()
    assert "`z` holds no finite number and was not assessed" in result.notices


def test_a_stray_word_does_not_make_numbers_categories() -> None:
    ages = [str(20 + row % 50) for row in range(N)]
    ages[7] = "n/a"
    result = scan(table(age=ages, code=[f"{row % 9:03}" for row in range(N)]), label="late")
    assert result.roles["age"] is Role.NUMBER
    assert result.roles["code"] is Role.CATEGORY
    said = '`age` is numbers but for 1 of its values, such as "n/a"; those were taken for missing'
    assert said in result.notices
    assert result.data.column("age").to_pylist() == ages


def test_a_hundred_thousand_categories_are_an_id_and_no_feature() -> None:
    n = 100_000
    many = pa.table({"code": [f"c{row}" for row in range(n)], "y": np.arange(n) % 2})
    result = scan(many, label="y", detectors=["duplicates"])
    assert result.roles["code"] is Role.ID


def test_a_label_of_as_many_values_as_rows_is_no_class_and_that_is_said() -> None:
    result = scan(table(word=[f"w{row}" for row in range(N)]), label="word")
    assert "an id or a text, not a class" in result.silences[0].reason


def test_an_amount_is_judged_as_ten_ranges() -> None:
    price = np.random.default_rng(1).lognormal(size=N)
    result = scan(table(price=price), label="price")
    assert "`price` is an amount; its labels were judged as 10 ranges" in result.notices
    assert len(set(result.view.table.column("price").to_pylist())) == 10
    assert result.data.column("price").to_pylist() == price.tolist()


def test_lists_and_structs_are_named_as_not_assessed() -> None:
    result = scan(table(tags=[["a"], []] * (N // 2)), label="late")
    assert "`tags` not assessed: nested values" in result.notices


def test_a_label_of_lists_is_refused() -> None:
    with pytest.raises(UsageError, match="holds no labels"):
        scan(table(tags=[["a"], []] * (N // 2)), label="tags")


def test_embeddings_of_different_lengths_are_refused() -> None:
    vectors = [[0.0] * (4 + row % 2) for row in range(N)]
    with pytest.raises(UsageError, match="holds no embeddings") as wrong:
        scan(table(vector=vectors), embedding="vector")
    assert "different lengths: 4, 5" in wrong.value.why


def test_vectors_with_holes_stand_at_the_mean_and_are_counted() -> None:
    vectors = np.random.default_rng(0).normal(size=(N, 8))
    vectors[3, 2], vectors[9, 0] = np.nan, np.inf
    result = scan(table(vector=vectors.tolist()), label="late")
    assert result.roles["vector"] is Role.EMBEDDING
    assert any("2 vectors of `vector` are missing, NaN or infinite" in n for n in result.notices)


def test_times_are_read_from_texts_seconds_and_milliseconds() -> None:
    for values in (["2024-01-01"] * N, [1_704_067_200] * N, [1_704_067_200_000] * N):
        result = scan(table(when=values), label="late", time="when", detectors=["duplicates"])
        assert str(result.view.table.column("when")[0].as_py()).startswith("2024-01-01")


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="`town` cannot be a time"):
        scan(table(), time="town")


@pytest.mark.parametrize("named", [("x",), ("x", "town", "late", "sender")])
def test_interactions_are_two_columns_or_three(named: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="a user's and an item's column"):
        scan(table(), interactions=named)


def test_names_that_several_columns_fit_are_guessed_for_none_of_them() -> None:
    found = resolve(table(label=["a", "b"] * (N // 2), target=[1, 2] * (N // 2)), Asked(), {})
    assert found.named(Role.LABEL) == ""
    assert found.notices == ("no label was chosen: `label`, `target` all look like one; name it",)


def test_a_user_without_items_is_no_interaction() -> None:
    found = resolve(table(user_id=["u", "v"] * (N // 2)), Asked(), {})
    assert found.roles["user_id"] is Role.CATEGORY
    both = resolve(table(user_id=["u", "v"] * (N // 2), item_id=["i", "j"] * (N // 2)), Asked(), {})
    assert both.named(Role.USER) == "user_id"
    assert both.named(Role.ITEM) == "item_id"


def test_what_the_caller_names_is_not_guessed_again() -> None:
    found = resolve(table(label=["a", "b"] * (N // 2)), Asked(label="late"), {})
    assert [name for name, role in found.roles.items() if role is Role.LABEL] == ["late"]


def test_trusted_rows_are_a_column_a_mask_or_a_table() -> None:
    mask = np.arange(N) < 250
    for trusted, rows in (("good", N), (mask, N), (table(good=mask.tolist()), N)):
        result = scan(table(good=mask.tolist()), label="late", trusted=trusted)
        assert result.rows.num_rows == rows
        assert result.trusted == (N if isinstance(trusted, pa.Table) else 250)


def test_trusted_rows_in_a_file_are_never_in_the_answer(tmp_path: object) -> None:
    path = f"{tmp_path}/known.parquet"
    pq.write_table(table(), path)
    result = scan(table().slice(0, 100), label="late", trusted=path)
    assert result.rows.num_rows == 100
    assert result.clean().num_rows + result.suspect().num_rows == 100
    assert all(row < 100 for finding in result.findings for row in finding.rows)


def test_a_trusted_file_with_other_columns_is_refused() -> None:
    with pytest.raises(UsageError, match="other columns") as wrong:
        scan(table(), trusted=table().drop_columns(["town"]))
    assert '"town"' in wrong.value.why


def test_a_trusted_file_with_other_types_is_refused() -> None:
    with pytest.raises(UsageError, match="other types"):
        scan(table(), trusted=table(x=[[1.0]] * N))


def test_a_trusted_column_of_words_is_refused() -> None:
    with pytest.raises(UsageError, match="does not say which rows are trusted"):
        scan(table(), trusted="town")


def test_a_file_of_trusted_rows_only_leaves_nothing_to_scan() -> None:
    with pytest.raises(UsageError, match="nothing to scan"):
        scan(table(good=[True] * N), trusted="good")


def test_a_table_whose_label_has_another_name_is_told_so_and_one_that_has_none_is_not() -> None:
    said = "no column was taken for the label, and most attacks bend labels; name it"
    open_one = resolve(table(), Asked(), {})
    assert said in open_one.notices
    assert said not in resolve(table(), Asked(label="late"), {}).notices
    assert said not in resolve(table(), Asked(label=""), {}).notices
