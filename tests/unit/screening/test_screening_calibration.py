"""P-values, e-values and the tests made of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from credenza.screening.calibrate import conformal_p, drift_factor, e_from_p, mondrian_p
from credenza.screening.fuse import (
    SourceRows,
    average_e,
    excess_log_p,
    reject_e,
    reject_log_p,
    reject_p,
    reject_within,
    source_p,
    sure_within,
    temper,
)

FEW = st.lists(st.integers(0, 9), max_size=30)


@given(scores=FEW, trusted=FEW)
def test_conformal_p_equals_its_definition(scores: list[int], trusted: list[int]) -> None:
    slow = [(1 + sum(t >= s for t in trusted)) / (1 + len(trusted)) for s in scores]
    fast = conformal_p(np.array(scores, dtype=float), np.array(trusted, dtype=float))
    assert np.allclose(fast, slow)


def test_mondrian_p_ranks_a_row_within_its_class_only() -> None:
    scores = np.r_[np.arange(100.0), np.arange(100.0) + 1000, 99.5, 99.5]
    classes = np.r_[np.zeros(100), np.ones(100), 0, 1].astype(np.int64)
    p = mondrian_p(scores, np.arange(202) < 200, classes)
    assert p[200] == pytest.approx(1 / 101)
    assert p[201] == 1.0


def test_a_class_that_trusted_rows_hardly_have_is_ranked_against_all() -> None:
    scores = np.r_[np.arange(100.0), 50.0]
    classes = np.r_[np.zeros(100), 1].astype(np.int64)
    assert mondrian_p(scores, np.arange(101) < 100, classes)[100] == pytest.approx(51 / 101)


def test_p_values_of_trusted_rows_are_distributed_as_those_of_new_ones() -> None:
    scores = np.random.default_rng(0).normal(size=4000)
    p = mondrian_p(scores, np.arange(4000) < 2000, np.zeros(4000, dtype=np.int64))
    for level in (0.01, 0.1, 0.5):
        assert (p[:2000] <= level).mean() == pytest.approx((p[2000:] <= level).mean(), abs=0.03)


@given(st.floats(1e-6, 1.0))
def test_the_e_value_is_the_integral_over_kappa(p: float) -> None:
    slow = integrate.quad(lambda kappa: kappa * p ** (kappa - 1), 0, 1)[0]
    assert e_from_p(np.array([p]))[0] == pytest.approx(slow, rel=1e-4)


def test_e_values_have_mean_one_at_most_under_the_null() -> None:
    grid = (np.arange(1_000_000) + 0.5) / 1_000_000
    assert e_from_p(grid).mean() <= 1.0


@pytest.mark.parametrize("p", [0.0, -0.1, 1.1])
def test_a_p_value_of_zero_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="lie in"):
        e_from_p(np.array([p]))


@given(st.lists(st.floats(1e-6, 1.0), max_size=20))
def test_rejection_by_p_equals_its_definition(p: list[float]) -> None:
    values = np.array(p)
    ks = [k for k in range(1, len(p) + 1) if (values <= 0.2 * k / len(p)).sum() >= k]
    slow = values <= 0.2 * max(ks) / len(p) if ks else np.zeros(len(p), dtype=bool)
    assert np.array_equal(reject_p(values, 0.2), slow)
    assert np.array_equal(reject_log_p(np.log(values), 0.2, len(p)), slow)


@given(st.lists(st.floats(0, 1e4), max_size=20))
def test_rejection_by_e_equals_its_definition(e: list[float]) -> None:
    values = np.array(e)
    ks = [k for k in range(1, len(e) + 1) if (values >= len(e) / (0.1 * k)).sum() >= k]
    slow = values >= len(e) / (0.1 * max(ks)) if ks else np.zeros(len(e), dtype=bool)
    assert np.array_equal(reject_e(values, 0.1), slow)


def test_e_values_are_averaged_and_never_multiplied() -> None:
    p = np.array([0.001])
    assert average_e([p, p, p], 1)[0] == pytest.approx(e_from_p(p)[0])
    assert average_e([], 2).tolist() == [1.0, 1.0]


def test_rows_are_rejected_inside_a_named_group_that_the_window_would_bury() -> None:
    p = np.random.default_rng(0).uniform(0.02, 1, 6000)
    p[:10] = 1e-3
    assert not reject_p(p, 0.05).any()
    assert reject_within(p, [np.arange(100)], 0.05)[:10].all()


def test_the_drift_factor_follows_the_typical_source_and_not_the_boldest() -> None:
    rng = np.random.default_rng(1)
    source = np.repeat(np.arange(20), 300)
    p = rng.uniform(size=6000)
    calm = drift_factor(p, source)
    p[source < 4] /= 50
    assert drift_factor(p, source) == pytest.approx(calm, abs=0.4)
    assert drift_factor(rng.uniform(size=6000) / 3, source) == pytest.approx(3, abs=0.5)


def test_copies_within_a_source_count_once() -> None:
    n = 4000
    p = np.random.default_rng(2).uniform(0.1, 1, n)
    source = np.repeat(np.arange(10), n // 10)
    trusted = np.arange(n) % 2 == 0
    loud = np.flatnonzero((source == 3) & ~trusted)[:20]
    p[loud] = 1e-3
    units = np.arange(n)
    apart = source_p(p, SourceRows(source, units, trusted, 10))
    units[loud] = -1
    copies = source_p(p, SourceRows(source, units, trusted, 10))
    assert apart[3] < 1e-6
    assert copies[3] > 0.1


def test_tempering_leaves_a_calm_crowd_alone_and_quiets_a_wild_one() -> None:
    calm = np.log(np.linspace(0.05, 0.95, 19))
    assert np.allclose(temper(calm), calm)
    wild = np.log(np.r_[np.full(6, 1e-4), np.full(7, 0.5), np.full(6, 1 - 1e-4)])
    assert temper(wild)[0] > np.log(0.1)


def test_a_rate_known_from_few_rows_convicts_no_large_source() -> None:
    hits, rows, rate = np.array([2600]), np.array([200_000]), np.array([0.012])
    assert excess_log_p(hits, rows, rate, 8000)[0] > np.log(0.1)
    assert excess_log_p(hits, rows, rate, 10**9)[0] < np.log(1e-4)


def test_a_row_is_no_surer_than_its_group_and_the_less_likely_stay_weak() -> None:
    chance, likely = np.array([1.0, 0.5, 0.1, 0.0]), np.array([True, False, False, False])
    strength = sure_within(-20.0 * np.log(10), chance, likely)
    assert strength[0] == pytest.approx(12.0)
    assert strength[1] == pytest.approx(5.3 - np.log10(2))
    assert strength[2] == pytest.approx(4.3)
    assert strength[3] == 0.0
    assert sure_within(-2.0 * np.log(10), chance, likely)[0] == pytest.approx(2.0)
