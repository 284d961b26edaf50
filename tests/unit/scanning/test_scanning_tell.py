from __future__ import annotations

import numpy as np

from credenza.scanning.tell import NAMED_P, flag_p


def test_three_colluders_of_twenty_are_told_from_the_calm_half() -> None:
    rows = np.full(20, 300)
    hits = np.array([15, 12, 18, *[0] * 14, 1, 1, 0])
    assert (np.flatnonzero(flag_p(hits, rows) <= NAMED_P) == [0, 1, 2]).all()


def test_flags_spread_evenly_name_nobody_in_99_of_100_files() -> None:
    rng = np.random.default_rng(0)
    rows = np.full(20, 300)
    named = [(flag_p(rng.binomial(rows, 0.003), rows) <= NAMED_P).any() for _ in range(400)]
    assert np.mean(named) <= 0.02


def test_a_crowd_of_three_and_two_flagged_rows_name_nobody() -> None:
    assert (flag_p(np.array([90, 0, 0]), np.full(3, 100)) == 1).all()
    assert (flag_p(np.array([2, 0, 0, 0]), np.full(4, 100)) == 1).all()
