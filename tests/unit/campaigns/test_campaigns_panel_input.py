"""What ``scan_panel`` takes, and what it refuses before it judges anything."""

from __future__ import annotations

import numpy as np
import pytest

from credenza.campaigns import scan_panel
from credenza.core.errors import UsageError

SOURCES, WINDOWS, STATISTICS, START = 4, 20, 2, 10
VALUES = np.random.default_rng(0).normal(size=(SOURCES, WINDOWS, STATISTICS))
INFINITE = np.where(np.arange(WINDOWS)[None, :, None] == 12, np.inf, VALUES)
ALL = np.ones((SOURCES, WINDOWS), dtype=bool)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (np.zeros((3, 4)), "sources, windows, statistics"),
        (VALUES[:0], "sources, windows, statistics"),
        (VALUES[:, :, :0], "sources, windows, statistics"),
        (INFINITE, "infinite"),
        (np.ma.masked_array(VALUES, VALUES > 1), "mask"),
        (VALUES.astype(str), "array of numbers"),
        (VALUES.astype(object), "array of numbers"),
        (VALUES.astype(complex), "array of numbers"),
        ([[[1.0], [2.0, 3.0]]], "no array"),
        (None, "array of numbers"),
    ],
)
def test_values_that_are_no_panel_are_refused_at_the_call(values: object, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        scan_panel(values, start=1)  # type: ignore[arg-type]  # that is the test


@pytest.mark.parametrize(
    "options",
    [
        {"start": -1},
        {"start": WINDOWS + 1},
        {"start": 1.5},
        {"start": "3"},
        {"rate": 0.0},
        {"rate": -0.01},
        {"rate": 1.0},
        {"rate": float("nan")},
        {"rate": "0.01"},
        {"periods": (0,)},
        {"periods": (1,)},
        {"periods": (-7,)},
        {"periods": (7.5,)},
        {"periods": 7},
        {"periods": "7"},
        {"groups": ["a"] * (SOURCES - 1)},
        {"groups": "abcd"},
        {"groups": [0.5] * SOURCES},
        {"accepted": ALL.T},
        {"accepted": ALL[:, 0]},
        {"accepted": np.full(ALL.shape, np.nan)},
        {"accepted": ALL.astype(str)},
    ],
)
def test_an_option_that_does_not_fit_is_refused_at_the_call(options: dict[str, object]) -> None:
    with pytest.raises(UsageError) as refused:
        scan_panel(VALUES, **({"start": START} | options))  # type: ignore[arg-type]  # that is the test
    assert refused.value.why
    assert refused.value.fix


@pytest.mark.parametrize("values", [VALUES[:1], np.full(VALUES.shape, np.nan)])
def test_a_panel_without_company_or_content_has_windows_and_no_campaign(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> None:
    results = list(scan_panel(values, start=START))
    assert [result.t for result in results] == list(range(START, WINDOWS))
    assert not any(result.campaign for result in results)


def test_numbers_of_any_width_and_nested_lists_are_read_alike() -> None:
    whole = np.round(VALUES * 10)
    given: list[object] = [whole, whole.astype(np.int32), whole.astype(np.float32), whole.tolist()]
    told = []
    for one in given:
        results = scan_panel(one, start=START)  # type: ignore[arg-type]  # lists too
        told.append([(result.p_value, result.expected.tolist()) for result in results])
    assert told[0] == told[1] == told[2] == told[3]


def test_groups_are_names_or_numbers_and_the_number_zero_is_one_of_them() -> None:
    by_name, by_number = (
        [result.p_value for result in scan_panel(VALUES, start=START, groups=groups)]
        for groups in (["a", "a", "b", ""], [0, 0, 1, None])
    )
    assert by_name == by_number


def test_nothing_is_judged_when_the_scan_begins_behind_the_last_window() -> None:
    assert list(scan_panel(VALUES, start=WINDOWS)) == []
