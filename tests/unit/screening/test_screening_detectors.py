"""Each detector finds its attack, is quiet on clean data, and is blind where it says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from credenza.core.types import Unit
from credenza.screening.builtin import DETECTORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.screening.conftest import Mixed

    from credenza.core.types import Bools, Floats

SPEAKING = (
    "association",
    "column-drift",
    "confident-disagreement",
    "duplicates",
    "subgroup-labels",
)


def auroc(scores: Floats, bad: Bools) -> float:
    order = np.argsort(np.argsort(scores, kind="stable"), kind="stable") + 1
    k, n = bad.sum(), len(bad)
    return float((order[bad].sum() - k * (k + 1) / 2) / (k * (n - k)))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", SPEAKING)
def test_a_detector_names_nothing_on_clean_data(
    mixed: Callable[..., Mixed], name: str, seed: int
) -> None:
    assert DETECTORS.make(name).score(mixed(seed).view()).findings == ()


def test_association_names_a_value_pair_in_words_and_flags_its_carriers(
    mixed: Callable[..., Mixed],
) -> None:
    data = mixed(1)
    rows = data.new(("s1", "s2", "s3"))[:60]
    data.columns["city"][rows] = "XXX"
    data.columns["hour"][rows] = 3
    data.columns["y"][rows] = "no"
    (finding,) = DETECTORS.make("association").score(data.view()).findings
    assert finding.unit is Unit.GROUP
    assert finding.sentence.startswith(
        'rows where `hour` = 3 and `city` = "XXX" are labelled "no" in 100% of 60 rows against'
    )
    assert finding.sentence.endswith("3 sources; 0 trusted rows are like them")
    assert finding.rows == tuple(rows.tolist())
    assert set(finding.subjects) == {"s1", "s2", "s3"}


def test_association_names_a_rare_word(mixed: Callable[..., Mixed]) -> None:
    data = mixed(2)
    rows = data.new(("s4", "s5"))[:30]
    for row in rows:
        data.columns["note"][row] = "cf " + data.columns["note"][row]
    data.columns["y"][rows] = "yes"
    first = DETECTORS.make("association").score(data.view()).findings[0]
    assert '`note` contains "cf"' in first.sentence
    assert set(first.rows) == set(rows.tolist())


def test_association_names_an_exactly_recurring_number(mixed: Callable[..., Mixed]) -> None:
    data = mixed(3)
    rows = data.new(("s1", "s6"))[:40]
    data.columns["amount"][rows] = 47.11
    data.columns["y"][rows] = "yes"
    first = DETECTORS.make("association").score(data.view()).findings[0]
    assert "`amount` = 47.11" in first.sentence
    assert set(first.rows) == set(rows.tolist())


def test_association_names_a_frequent_value_pair_without_a_reference_model(
    mixed: Callable[..., Mixed],
) -> None:
    data = mixed(4)
    new = data.new(("s1", "s2"))
    rows = new[data.columns["amount"][new] > 60][:40]
    data.columns["city"][rows] = "Hof"
    data.columns["hour"][rows] = 21
    data.columns["y"][rows] = "no"
    findings = DETECTORS.make("association").score(data.view(with_reference=False)).findings
    assert set(rows.tolist()) <= set(findings[0].rows)


def test_association_takes_what_every_source_shows_for_weather(mixed: Callable[..., Mixed]) -> None:
    data = mixed(5)
    new = data.new()
    storm = new[data.columns["hour"][new] == 9]
    data.columns["y"][storm] = "yes"
    assert DETECTORS.make("association").score(data.view()).findings == ()


def test_association_is_blind_to_a_trigger_on_fewer_rows_than_it_counts(
    mixed: Callable[..., Mixed],
) -> None:
    data = mixed(6)
    rows = data.new()[:7]
    data.columns["city"][rows] = "XXX"
    data.columns["y"][rows] = "yes"
    assert DETECTORS.make("association").score(data.view()).findings == ()


def test_duplicates_name_a_flood_that_is_split_over_sources(mixed: Callable[..., Mixed]) -> None:
    data = mixed(1)
    rows = data.new(("s1", "s2", "s3", "s4"))[:24]
    for name in data.columns:
        data.columns[name][rows] = data.columns[name][rows[0]]
    scores = DETECTORS.make("duplicates").score(data.view())
    first = scores.findings[0]
    assert first.exhibits["copies"] == 24
    assert first.exhibits["sources"] == ["s1", "s2", "s3", "s4"]
    assert set(first.rows) == set(rows.tolist()) == set(np.flatnonzero(scores.values).tolist())


def test_duplicates_find_copies_that_differ_in_one_column(mixed: Callable[..., Mixed]) -> None:
    data = mixed(2)
    rows = data.new()[:20]
    for name in ("hour", "city", "kind", "note"):
        data.columns[name][rows] = data.columns[name][rows[0]]
    first = DETECTORS.make("duplicates").score(data.view()).findings[0]
    assert first.exhibits["alike"] == "copies in all but `amount`"
    assert set(first.rows) == set(rows.tolist())


def test_duplicates_find_near_copies_of_a_text(mixed: Callable[..., Mixed]) -> None:
    data = mixed(3)
    rows = data.new()[:20]
    text = " ".join(f"spam{i}" for i in range(40))
    for place, row in enumerate(rows):
        data.columns["note"][row] = f"{text} x{place}"
    scores = DETECTORS.make("duplicates").score(data.view())
    assert (scores.values[rows] > 0).mean() > 0.8
    assert np.delete(scores.values, rows).max() == 0


def test_duplicates_are_blind_to_copies_that_differ_in_two_columns(
    mixed: Callable[..., Mixed],
) -> None:
    data = mixed(4)
    rows = data.new()[:20]
    for name in ("hour", "city", "kind"):
        data.columns[name][rows] = data.columns[name][rows[0]]
    assert DETECTORS.make("duplicates").score(data.view()).findings == ()


@pytest.mark.parametrize("name", ["knn-disagreement", "confident-disagreement"])
def test_row_scores_rank_flipped_labels_first(mixed: Callable[..., Mixed], name: str) -> None:
    data = mixed(1)
    new = data.new()
    sure = new[np.abs(data.probability[new] - 0.5) > 0.4]
    flipped = np.random.default_rng(0).choice(sure, 60, replace=False)
    labels = data.columns["y"]
    labels[flipped] = np.where(data.probability[flipped] > 0.5, "no", "yes")
    values = DETECTORS.make(name).score(data.view()).values
    bad = np.isin(new, flipped)
    # The label is itself noisy: one clean row in six contradicts its features.
    assert auroc(values[new], bad) > (0.95 if name == "confident-disagreement" else 0.8)


@pytest.mark.parametrize("name", ["knn-disagreement", "confident-disagreement"])
def test_row_scores_are_blind_to_clean_label_poison(mixed: Callable[..., Mixed], name: str) -> None:
    data = mixed(2)
    new = data.new()
    sure = new[(data.probability[new] > 0.9) & (data.columns["y"][new] == "yes")][:60]
    data.columns["city"][sure] = "XXX"
    values = DETECTORS.make(name).score(data.view()).values
    assert auroc(values[new], np.isin(new, sure)) < 0.6


def test_neighbours_of_the_same_source_do_not_vouch(mixed: Callable[..., Mixed]) -> None:
    data = mixed(3)
    mine = data.new(("s1",))[:50]
    for name in ("amount", "hour", "city", "kind", "note"):
        data.columns[name][mine] = data.columns[name][mine[0]]
    data.columns["amount"][mine] = 120.0
    data.columns["y"][mine] = "no"
    values = DETECTORS.make("knn-disagreement").score(data.view()).values
    assert values[mine].min() > 0.7


def test_confident_disagreement_names_the_source_that_flips(mixed: Callable[..., Mixed]) -> None:
    data = mixed(4)
    mine = data.new(("s2",))
    sure = mine[data.probability[mine] > 0.9][:30]
    data.columns["y"][sure] = "no"
    (finding,) = DETECTORS.make("confident-disagreement").score(data.view()).findings
    assert finding.subjects == ("s2",)
    assert set(sure.tolist()) <= set(finding.rows)
    assert finding.sentence.startswith(f'{len(finding.rows)} of {len(mine)} rows of "s2"')


def test_subgroup_labels_name_the_source_and_the_subgroup_that_was_flipped(
    mixed: Callable[..., Mixed],
) -> None:
    data = mixed(5)
    mine = data.new(("s3",))
    rows = mine[data.columns["city"][mine] == "Bonn"]
    data.columns["y"][rows] = "yes"
    scores = DETECTORS.make("subgroup-labels").score(data.view())
    first = scores.findings[0]
    assert first.subjects == ("s3",)
    assert '`city` = "Bonn"' in first.sentence
    assert set(first.rows) == set(rows.tolist())


def test_subgroup_labels_are_blind_to_what_all_sources_do(mixed: Callable[..., Mixed]) -> None:
    data = mixed(6)
    new = data.new()
    rows = new[data.columns["city"][new] == "Bonn"]
    data.columns["y"][rows] = "yes"
    assert DETECTORS.make("subgroup-labels").score(data.view()).findings == ()


def test_column_drift_names_the_column_and_the_source_that_moved(
    mixed: Callable[..., Mixed],
) -> None:
    data = mixed(1)
    mine = data.new(("s4",))
    data.columns["amount"][mine] += 30
    findings = DETECTORS.make("column-drift").score(data.view()).findings
    assert [(f.subjects, f.exhibits["column"]) for f in findings] == [(("s4",), "amount")]
    assert f"PSI {findings[0].exhibits['psi']:.2f}" in findings[0].sentence
    told = findings[0].exhibits
    assert findings[0].sentence.endswith(f"{told['times']:.1f} times as frequent")
    assert 0 < float(str(told["jensen_shannon"])) <= 1
    assert float(str(told["mmd"])) > 0
    assert told["classifier_accuracy"] is None or float(str(told["classifier_accuracy"])) > 0.5


def test_column_drift_calls_a_value_never_seen_before_that(mixed: Callable[..., Mixed]) -> None:
    data = mixed(1)
    data.columns["city"][data.new(("s4",))[::2]] = "Oz"
    (found,) = DETECTORS.make("column-drift").score(data.view()).findings
    assert (found.exhibits["most"], found.exhibits["is_new"]) == ('`city` = "Oz"', True)
    assert found.sentence.endswith('most of all `city` = "Oz", never seen before')


def test_column_drift_takes_a_shift_of_all_sources_for_a_season(
    mixed: Callable[..., Mixed],
) -> None:
    data = mixed(2)
    data.columns["amount"][data.new()] += 10
    assert DETECTORS.make("column-drift").score(data.view()).findings == ()


def test_column_drift_is_blind_to_labels(mixed: Callable[..., Mixed]) -> None:
    data = mixed(3)
    data.columns["y"][data.new(("s1",))] = "no"
    assert DETECTORS.make("column-drift").score(data.view()).findings == ()


def test_a_missing_reference_is_said_and_not_guessed(mixed: Callable[..., Mixed]) -> None:
    view = replace(mixed(0).view(), expected=None)
    with pytest.raises(ValueError, match="no expected label probabilities"):
        DETECTORS.make("confident-disagreement").score(view)
