"""Sources are named for disputed labels, and not for being unlike each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from scipy import special

from credenza.core.types import Scores
from credenza.screening.builtin import DETECTORS
from credenza.screening.crowd import above_the_crowd
from credenza.screening.disputes import Disputes, disputes_of
from credenza.screening.features import label as label_module
from credenza.screening.features.own_rates import at_own_rates
from credenza.screening.run import screen
from credenza.screening.view import make_view

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, Ints, View

SOURCES = 20
ROWS = 1600
FDR = 0.05


class Senders:
    """Twenty sources whose labels are foretold well; some may relabel rows."""

    def __init__(
        self,
        seed: int,
        *,
        balance: float = 0.0,
        noise: float = 0.0,
        hard: float = 0.0,
        sizes: float = 0.0,
    ) -> None:
        rng = np.random.default_rng(seed)
        share = np.exp(rng.normal(0, sizes, SOURCES))
        sent = np.maximum((SOURCES * ROWS * share / share.sum()).astype(int), 30)
        self.source = np.repeat(np.arange(SOURCES), sent)
        n = len(self.source)
        own = rng.normal(0, balance, SOURCES)[self.source]
        width = np.exp(rng.normal(0, hard, SOURCES))[self.source]
        foretold = rng.normal(0, 3, n) * width
        true = rng.random(n) < special.expit(foretold + own)
        share = 0.01 + noise * rng.beta(2, 30, SOURCES)[self.source]
        flipped = rng.random(n) < share
        p = 0.01 + 0.98 * special.expit(foretold)
        self.labels = (true ^ flipped).astype(np.int64)
        self.expected = np.stack([1 - p, p], axis=1)
        self.rng = rng

    def relabel(self, sources: list[int], share: float) -> None:
        bad = np.isin(self.source, sources) & (self.rng.random(len(self.source)) < share)
        self.labels = np.where(bad, 1 - self.labels, self.labels)

    def move_up(self, sources: list[int], share: float) -> None:
        bad = np.isin(self.source, sources) & (self.rng.random(len(self.source)) < share)
        self.labels = np.where(bad, 1, self.labels)

    def disputes(self) -> Disputes:
        once: Ints = np.arange(len(self.source))
        return disputes_of(self.expected, self.labels, self.source, once, SOURCES)

    def p_values(self) -> Floats:
        return self.disputes().p_values

    def named(self) -> set[int]:
        return set(np.flatnonzero(self.disputes().named(FDR)).tolist())


def test_three_of_twenty_sources_that_relabel_one_row_in_twenty_are_named() -> None:
    found = 0
    for seed in range(4):
        senders = Senders(seed)
        senders.relabel([2, 9, 17], 0.05)
        found += senders.named() == {2, 9, 17}
    assert found >= 3


def test_sources_that_move_a_tenth_of_one_class_into_the_other_are_named() -> None:
    found = 0
    for seed in range(4):
        senders = Senders(seed)
        senders.move_up([2, 9, 17], 0.1)
        found += senders.named() == {2, 9, 17}
    assert found >= 3


def test_who_relabels_is_asked_only_in_ways_that_somebody_does() -> None:
    by_way = np.ones((3, SOURCES))
    by_way[1, 4], by_way[2, 6] = 1e-3, 1e-3
    nothing = np.zeros(0, bool)
    assert not Disputes(by_way, np.array([1.0, 0.1, 0.1]), nothing, 0.0).named(FDR).any()
    named = Disputes(by_way, np.array([1.0, 1e-4, 0.1]), nothing, 0.0).named(FDR)
    assert set(np.flatnonzero(named).tolist()) == {4}


@pytest.mark.parametrize(
    "unlike",
    [
        {},
        {"balance": 1.0},
        {"hard": 0.5},
        {"noise": 1.0},
        {"sizes": 1.2},
        {"balance": 1.0, "hard": 0.5, "sizes": 1.0},
    ],
)
def test_honest_sources_unlike_each_other_are_not_named(unlike: dict[str, float]) -> None:
    naming = sum(bool(Senders(seed, **unlike).named()) for seed in range(4))
    assert naming == 0


def test_a_source_of_hard_rows_has_a_wide_error_and_is_not_named() -> None:
    senders = Senders(5)
    mine = senders.source == 7
    unsure = senders.expected[mine] * 0.2 + 0.4
    senders.expected[mine] = unsure
    senders.labels[mine] = (senders.rng.random(mine.sum()) < unsure[:, 1]).astype(np.int64)
    assert 7 not in senders.named()
    assert senders.p_values()[7] > 0.01


def test_a_source_with_sharper_labels_than_all_others_is_not_named() -> None:
    senders = Senders(1, noise=1.0)
    mine = senders.source == 4
    senders.labels[mine] = senders.expected[mine].argmax(axis=1)
    assert senders.p_values()[4] > 0.5


def test_disputes_are_blind_to_what_most_sources_do() -> None:
    senders = Senders(2)
    senders.relabel(list(range(15)), 0.05)
    assert not senders.named() & set(range(15))


def test_disputes_are_blind_to_relabelling_where_honest_labels_differ_more() -> None:
    senders = Senders(2, noise=1.0)
    senders.relabel([3, 4, 5], 0.05)
    assert not senders.named()


def test_of_three_sources_none_is_named_for_there_is_no_crowd() -> None:
    senders = Senders(6)
    few: Bools = senders.source < 3
    senders.relabel([1], 0.5)
    labels, expected = senders.labels[few], senders.expected[few]
    once: Ints = np.arange(few.sum())
    found = disputes_of(expected, labels, senders.source[few], once, 3)
    assert not found.named(FDR).any()
    assert (found.p_values == 1.0).all()


def test_estimates_lie_above_the_crowd_whatever_their_order_and_unit() -> None:
    rng = np.random.default_rng(7)
    error = np.full(12, 0.01)
    estimate = rng.normal(0.0, error)
    estimate[3] = 0.2
    alone, together = above_the_crowd(estimate, error)
    assert alone.argmin() == 3
    assert max(alone[3], together) < 1e-3 < np.delete(alone, 3).min()
    turned = above_the_crowd(estimate[::-1] + 0.3, error)
    assert np.allclose(turned.alone[::-1], alone)
    assert np.isclose(turned.together, together)


def test_a_wide_crowd_makes_the_same_height_less_surprising() -> None:
    rng = np.random.default_rng(8)
    error, own = np.full(20, 0.01), rng.exponential(1.0, 20)
    heights = []
    for spread in (0.0, 0.02, 0.06):
        estimate = rng.normal(spread * own, error)
        estimate[0] = np.median(estimate) + 0.15
        heights.append(above_the_crowd(estimate, error).alone[0])
    assert heights == sorted(heights)
    assert heights[0] < 1e-4 < heights[2]


def test_own_rates_give_each_source_the_labels_it_has() -> None:
    senders = Senders(3, balance=1.5)
    adjusted = at_own_rates(senders.expected, senders.labels, senders.source)
    assert np.allclose(adjusted.sum(axis=1), 1.0)
    for source in range(SOURCES):
        mine = senders.source == source
        assert abs(adjusted[mine, 1].mean() - senders.labels[mine].mean()) < 0.02


def table(rng: np.random.Generator, n: int = 1200) -> dict[str, list[object]]:
    return {f"c{i}": rng.choice(list("abcdefgh"), n).tolist() for i in range(4)}


def test_pupils_of_a_school_who_share_its_label_are_no_trigger() -> None:
    rng = np.random.default_rng(0)
    school = rng.integers(0, 60, 1200)
    columns = {f"c{i}": rng.integers(0, 6, 60)[school].astype(str).tolist() for i in range(5)}
    columns |= {"school": school.astype(str).tolist(), "desk": rng.integers(0, 9, 1200).tolist()}
    columns["y"] = np.where(rng.random(60)[school] < 0.3, "up", "down").tolist()
    view = make_view("schools", pa.table(columns), label="y")
    assert DETECTORS.make("disagreeing-carriers").score(view).findings == ()


def test_rows_that_agree_in_common_values_are_no_copies() -> None:
    rng = np.random.default_rng(1)
    zeros: Bools = rng.random((6, 1200)) < 0.7
    columns = {f"n{i}": np.where(zero, 0.0, rng.normal(size=1200)) for i, zero in enumerate(zeros)}
    view = make_view("zeros", pa.table(columns))
    assert DETECTORS.make("duplicates").score(view).findings == ()
    for values in columns.values():
        values[:30] = values[np.flatnonzero(values)[0]]
    (found, *_) = DETECTORS.make("duplicates").score(make_view("v", pa.table(columns))).findings
    assert set(range(30)) <= set(found.rows)


def test_labels_that_cannot_be_foretold_are_a_silence_and_the_scan_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(view: View, *_: object) -> Floats:
        raise ValueError(f"no fold of {view.name} can teach")

    monkeypatch.setattr(label_module, "out_of_fold", fails)
    columns = table(np.random.default_rng(2))
    columns["y"] = ["p", "q"] * 600
    found = screen(make_view("odd", pa.table(columns), label="y"), [DETECTORS.make("duplicates")])
    assert [(s.detector, "can teach" in s.reason) for s in found.silences] == [
        ("expected-labels", True)
    ]
    assert isinstance(found.scores["duplicates"], type(Scores(found.e_values).values))
