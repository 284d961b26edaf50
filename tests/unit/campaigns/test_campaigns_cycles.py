"""Cycles: found where sources follow one of their own, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from credenza.campaigns.cycles import find_cycle
from credenza.campaigns.panel import PanelScanner


def noise(seed: int, windows: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).standard_t(4, size=(windows, 10, 6))


@pytest.mark.parametrize("length", [7, 12])
def test_a_cycle_of_some_sources_is_found_with_its_length(length: int) -> None:
    hits = []
    for seed in range(10):
        rng = np.random.default_rng([seed, length])
        phases = rng.normal(0, 1.5, (length, 10, 6)) * (rng.random((10, 1)) < 0.6)
        u = noise(seed) + phases[np.arange(60) % length]
        u[rng.random(u.shape[:2]) < 0.1] = np.nan
        hits.append((find_cycle(u) or (0, 0.0))[0] == length)
    assert sum(hits) >= 9


def test_noise_and_wandering_levels_have_no_cycle() -> None:
    for seed in range(10):
        assert find_cycle(noise(seed)) is None
        wandering = np.cumsum(noise(seed), axis=0)
        assert find_cycle(wandering) is None


def test_a_cycle_seen_twice_or_shorter_than_two_windows_is_not_named() -> None:
    phases = np.random.default_rng(1).normal(0, 3, (30, 10, 6))
    assert find_cycle(phases[np.arange(60) % 30]) is None
    assert find_cycle(noise(1, 4)) is None
    assert find_cycle(np.zeros((30, 2, 2))) is None


def test_a_window_in_which_nobody_sent_anything_does_not_move_the_phase() -> None:
    rng = np.random.default_rng(5)
    phases = rng.normal(0, 4, (7, 6, 3))
    scanner = PanelScanner([f"s{n}" for n in range(6)], ["a", "b", "c"])
    days = [day for day in range(140) if day % 7 != 2 or day < 70]
    left = []
    for day in days:
        scanner = scanner.at(day, (7,))
        result = scanner.step(phases[day % 7] + 0.3 * rng.normal(size=(6, 3)))
        left.append(np.abs(result.expected - phases[day % 7]).mean())
        scanner.accept()
    # By the middle of the year the phases are known, and stay so when Wednesdays fall away.
    assert np.mean(left[-20:]) < 0.35 * np.abs(phases).mean()


def test_a_cycle_that_is_asked_for_later_begins_unknown_and_others_go_on() -> None:
    rng = np.random.default_rng(6)
    scanner = PanelScanner(["a", "b"], ["x"], periods=(7,))
    for day in range(30):
        scanner.step(rng.normal(size=(2, 1)) + day % 7)
        scanner.accept()
    both = scanner.at(30, (7, 3))
    np.testing.assert_array_equal(both.state.seasons[0].offset, scanner.state.seasons[0].offset)
    assert not both.state.seasons[1].offset.any()
    assert both.state.windows == 30
    assert both.at(40).state.seasons == ()
