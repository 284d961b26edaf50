from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from credenza.core.wilson import UNITS_99, wilson


@pytest.mark.parametrize(("hits", "cases"), [(0, 10), (10, 10), (3, 100), (1, 1)])
def test_the_interval_of_a_share_is_that_of_the_textbook(hits: int, cases: int) -> None:
    told = stats.binomtest(hits, cases).proportion_ci(0.95, "wilson")
    assert wilson(hits, cases) == pytest.approx((told.low, told.high), abs=1e-6)


@pytest.mark.parametrize("units", [0.5, UNITS_99])
def test_it_holds_the_share_and_stays_between_0_and_1(units: float) -> None:
    cases = np.arange(1.0, 50.0)
    for hits in (np.zeros_like(cases), cases, np.floor(cases / 3)):
        low, high = wilson(hits, cases, units)
        assert ((low >= 0) & (low <= hits / cases) & (hits / cases <= high) & (high <= 1)).all()


def test_nothing_is_known_of_no_cases() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(np.zeros(2), np.array([0.0, 40.0]))
    assert (low[0], high[0]) == (0.0, 1.0)
    assert high[1] < 0.1
