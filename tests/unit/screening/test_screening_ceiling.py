"""Subgroups that lost their positives are named, shifted ones are not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.types import View
from credenza.screening.builtin import DETECTORS
from credenza.screening.detectors.subgroup_ceiling import Ceiling, explaining_first
from credenza.screening.features.foretell import foretold
from credenza.screening.features.label import labels_of, with_expected
from credenza.screening.features.table import Coded
from credenza.screening.view import NotApplicableError, make_view

N = 2500


class People:
    """A label that two numbers decide, and groups that have nothing to do with it."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.size = self.rng.normal(size=N)
        self.age = self.rng.normal(size=N)
        self.group = self.rng.choice(["red", "blue", "green", "grey"], N).astype(object)
        self.log_odds = 4 * self.size + 3 * self.age
        self.label = self.drawn()

    def drawn(self) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
        yes = self.rng.random(N) < 1 / (1 + np.exp(-self.log_odds))
        return np.where(yes, "yes", "no").astype(object)

    def view(self) -> View:
        columns = {"size": self.size, "age": self.age, "group": list(self.group)}
        table = pa.table(columns | {"y": list(self.label)})
        return make_view("people", table, label="y")


def test_half_of_a_subgroups_positives_are_missed_and_its_rows_named() -> None:
    data = People(0)
    positive = np.flatnonzero((data.group == "red") & (data.label == "yes"))
    lost = data.rng.choice(positive, len(positive) // 2, replace=False)
    data.label[lost] = "no"
    scores = DETECTORS.make("subgroup-ceiling").score(data.view())
    first = scores.findings[0]
    assert first.exhibits["subgroup"] == '`group` = "red"'
    assert first.exhibits["label"] == "yes"
    assert first.names_rows
    assert np.isin(first.rows, lost).mean() > 0.9
    assert np.isin(lost, first.rows).mean() > 0.25
    assert f"{len(first.rows)} rows lost that label" in first.sentence


@pytest.mark.parametrize("seed", range(3))
def test_honest_subgroups_are_not_named(seed: int) -> None:
    assert DETECTORS.make("subgroup-ceiling").score(People(seed).view()).findings == ()


def test_a_subgroup_with_fewer_positives_for_its_own_reasons_is_not_named() -> None:
    data = People(1)
    data.log_odds[data.group == "red"] -= 2.0
    data.label = data.drawn()
    assert DETECTORS.make("subgroup-ceiling").score(data.view()).findings == ()


def test_a_column_that_decides_the_label_has_no_odd_subgroups() -> None:
    data = People(2)
    data.group = data.rng.choice(["a", "b", "c", "d", "e", "f"], N).astype(object)
    data.label = data.drawn()
    dear = np.flatnonzero(np.isin(data.group.astype(str), ["a", "b", "c"]) & (data.label == "yes"))
    data.label[data.rng.choice(dear, len(dear) // 2, replace=False)] = "no"
    assert DETECTORS.make("subgroup-ceiling").score(data.view()).findings == ()


def test_a_wide_subgroup_is_named_and_not_its_part() -> None:
    data = People(3)
    part = np.where((data.group == "red") & (data.rng.random(N) < 0.5), "inner", "outer")
    positive = np.flatnonzero((data.group == "red") & (data.label == "yes"))
    lost = data.rng.choice(positive, len(positive) // 2, replace=False)
    data.label[lost] = "no"
    table = data.view().table.append_column("part", [list(part)])
    found = DETECTORS.make("subgroup-ceiling").score(make_view("people", table, label="y"))
    assert [one.exhibits["subgroup"] for one in found.findings] == ['`group` = "red"']


def wed(data: People, married: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> View:
    """Among the red ones the married are wives."""
    kin = np.where(married, np.where(data.group == "red", "wife", "husband"), "single")
    table = data.view().table.append_column("kin", [list(kin)])
    return make_view("people", table, label="y")


@pytest.mark.parametrize(
    ("lost_by", "first"), [("red", '`group` = "red"'), ("wife", '`kin` = "wife"')]
)
def test_the_subgroup_that_lost_labels_outside_the_other_is_named_first(
    lost_by: str, first: str
) -> None:
    data = People(5)
    married = data.rng.random(N) < 1 / (1 + np.exp(-data.size))
    inside = (data.group == "red") & (married | (lost_by == "red"))
    positive = np.flatnonzero(inside & (data.label == "yes"))
    data.label[data.rng.choice(positive, len(positive) // 2, replace=False)] = "no"
    found = DETECTORS.make("subgroup-ceiling").score(wed(data, married))
    assert found.findings[0].exhibits["subgroup"] == first


def test_flips_all_over_are_nobodys_ceiling() -> None:
    data = People(2)
    rows = data.rng.choice(N, N // 10, replace=False)
    data.label[rows] = np.where(data.label[rows] == "yes", "no", "yes")
    assert DETECTORS.make("subgroup-ceiling").score(data.view()).findings == ()


def test_one_column_is_nothing_to_teach_by() -> None:
    view = make_view("v", pa.table({"x": np.arange(50.0), "y": ["a", "b"] * 25}), label="y")
    with pytest.raises(NotApplicableError, match="no two columns"):
        DETECTORS.make("subgroup-ceiling").score(view)


def test_labels_are_foretold_by_rows_of_other_folds() -> None:
    view = People(3).view()
    labels = labels_of(view)
    p = foretold(view, labels.codes, 2)
    assert np.allclose(p.sum(axis=1), 1, atol=0.02)
    assert (p.argmax(axis=1) == labels.codes).mean() > 0.85
    assert with_expected(view).is_out_of_fold


def test_trusted_rows_teach_alone() -> None:
    data = People(4)
    trusted = np.arange(N) < N // 2
    data.label[~trusted] = np.where(data.label[~trusted] == "yes", "no", "yes")
    plain = data.view()
    view = View(plain.name, plain.table, plain.label, plain.facets, plain.source, trusted)
    told = with_expected(view)
    assert not told.is_out_of_fold
    own = labels_of(view).probability_of_own(np.asarray(told.expected))
    assert own[trusted].mean() > 0.8
    assert own[~trusted].mean() < 0.3


def test_one_class_is_foretold_as_its_share() -> None:
    view = make_view("v", pa.table({"x": np.arange(80.0), "y": ["a"] * 80}), label="y")
    assert foretold(view, np.zeros(80, np.int64), 1).shape == (80, 1)


def ceiling(column: str, codes: np.ndarray, *, log_p: float, flipped: float) -> Ceiling:
    """Code 1 of a column, all of whose rows are sure."""
    coded = Coded(column, codes, 2, ("0", "1"))
    rows = int((codes == 1).sum())
    claimed = 0.95 * rows
    kept = round(claimed * (1.0 - flipped))
    p = np.full(rows, 0.95)
    return Ceiling(coded, 1, 1, rows, claimed, kept, log_p, 0.0, 0.0, p)


@pytest.mark.parametrize("is_part_only", [True, False])
def test_a_stronger_p_does_not_decide_whether_a_part_or_the_whole_was_relabelled(
    *, is_part_only: bool
) -> None:
    whole = np.repeat([1, 1, 0], 100)
    part = np.repeat([1, 0, 0], 100)
    labels = np.ones(300, np.int64)
    labels[0 : 100 if is_part_only else 200 : 2] = 0
    strong, weak = -50.0, -20.0
    women = ceiling("sex", whole, log_p=strong if is_part_only else weak, flipped=0.4)
    wives = ceiling("kin", part, log_p=weak if is_part_only else strong, flipped=0.5)
    ordered = explaining_first([women, wives], labels, np.ones(300, bool))
    assert ordered[0] is (wives if is_part_only else women)
