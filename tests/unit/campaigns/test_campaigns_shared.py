"""The score of a mark against slow twins."""

from __future__ import annotations

from itertools import combinations
from math import comb, log

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from credenza.campaigns import shared
from credenza.core.types import Role

UNITS = 6


@given(st.integers(1, 60), st.floats(0.001, 50))
def test_the_excess_is_a_poisson_tail_where_it_matters(n: int, mean: float) -> None:
    found = float(shared.excess(np.array([n]), np.array([mean]))[0])
    exact = -float(stats.poisson.logsf(n - 1, mean))
    if n <= mean:
        assert found == 0
    elif n > 3 * mean:
        assert found == pytest.approx(exact, rel=0.02, abs=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_the_best_claim_is_that_of_trying_every_set_of_units(seed: int) -> None:
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(UNITS), 200)
    bears = rng.random(len(of)) < np.array([0.02, 0.0, 0.01, 0.03, 0.001, 0.0])[of]
    table = pa.table({"mark": np.where(bears, "x", [f"v{i}" for i in range(len(of))]).tolist()})
    counted = shared.count(table, table.slice(0, 0), {"mark": Role.CATEGORY}, "")
    rows = np.full(UNITS, 200.0)
    units = shared.Units(of, of[:0], of[:0], rows, np.zeros((0, UNITS)))
    ranking = shared.rank(counted, units)
    cells = np.bincount(of[bears], minlength=UNITS)
    best = 0.0
    members: tuple[int, ...] = ()
    for k in (2, 3):
        for chosen in combinations(range(UNITS), k):
            if min(cells[list(chosen)]) < 2:
                continue
            # The first counts for nothing; the others are judged knowing outsiders, and in turn.
            n, sent, score = np.delete(cells, chosen).sum() + 0.5, 200 * (UNITS - k) + 1, 0.0
            for c in sorted(chosen, key=lambda c: -cells[c])[1:]:
                score += float(shared.excess(cells[[c]], np.array([200 * n / sent]))[0])
                n, sent = n + cells[c], sent + 200
            score -= log(comb(UNITS, k))
            if score > best:
                best, members = score, chosen
    assert ranking.score[0] == pytest.approx(best)
    assert set(ranking.units[0, : ranking.k[0]].tolist()) == set(members)


@pytest.mark.parametrize("seed", range(5))
def test_rows_that_fall_by_chance_on_the_same_few_units_score_next_to_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    marks = np.repeat(np.arange(500), 8)
    of = rng.integers(0, 20, len(marks))
    table = pa.table({"mark": [f"v{mark}" for mark in marks]})
    counted = shared.count(table, table.slice(0, 0), {"mark": Role.CATEGORY}, "")
    rows = np.bincount(of, minlength=20).astype(float)
    units = shared.Units(of, of[:0], of[:0], rows, np.zeros((0, 20)))
    # Nats: the best of 500 marks would exceed ln 500 by ln 20 in one world of twenty.
    assert shared.rank(counted, units).score.max() < np.log(500 * 20)


def test_ordinary_windows_cost_a_few_draws_and_a_clear_payload_all_of_them() -> None:
    drawn = np.array([5.0, 9.0, 8.0])
    assert shared.chance(drawn, 7.0) == pytest.approx(2 / 3)
    whole = np.arange(shared.DRAWS, dtype=np.float64)
    assert shared.chance(whole, 1e6) == pytest.approx(1 / (shared.DRAWS + 1))
