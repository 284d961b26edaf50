"""The scan under restarts, arrivals in any order, gaps, and sources that join late."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from credenza.campaigns.panel import PanelScanner

if TYPE_CHECKING:
    from credenza.campaigns.judge import WindowResult
    from credenza.core.types import Bools, Floats

SOURCES, WINDOWS, STATISTICS, ATTACK = 10, 30, 3, 26
NAMES = [f"feed-{n:02d}" for n in range(SOURCES)]
COLUMNS = ["rate", "share", "delay"]


def panel(seed: int) -> tuple[Floats, Bools]:
    """Values with gaps, since sources send at different rates, and who is accepted."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(SOURCES, WINDOWS, STATISTICS))
    values[:3, ATTACK:, 1] += 6
    every = rng.integers(1, 4, SOURCES)
    for source, gap in enumerate(every):
        values[source, np.arange(WINDOWS) % gap != 0] = np.nan
    return values, rng.random((SOURCES, WINDOWS)) < 0.9


def said(result: WindowResult) -> tuple[object, ...]:
    return result.t, result.p_value, result.campaign, result.source_alarms


@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    killed=st.sets(st.tuples(st.integers(0, WINDOWS - 1), st.booleans()), max_size=12),
)
def test_killed_before_or_after_any_acceptance_the_verdicts_and_the_state_are_the_same(
    seed: int, killed: set[tuple[int, bool]]
) -> None:
    values, accepted = panel(seed)
    straight = PanelScanner(NAMES, COLUMNS, periods=(7,))
    broken = PanelScanner(NAMES, COLUMNS, periods=(7,))
    for t in range(WINDOWS):
        one, two = straight.step(values[:, t]), broken.step(values[:, t])
        if (t, False) in killed:
            broken = PanelScanner.from_bytes(broken.to_bytes())
        assert said(one) == said(two)
        straight.accept(accepted[:, t])
        broken.accept(accepted[:, t])
        if (t, True) in killed:
            broken = PanelScanner.from_bytes(broken.to_bytes())
    assert straight.to_bytes() == broken.to_bytes()


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.randoms(use_true_random=False))
def test_in_whatever_order_batches_fill_their_windows_the_verdicts_are_the_same(
    seed: int, order: object
) -> None:
    values, accepted = panel(seed)
    batches = [(s, t) for s in range(SOURCES) for t in range(WINDOWS)]
    order.shuffle(batches)  # type: ignore[attr-defined]  # a random.Random
    arrived = np.full_like(values, np.nan)
    for s, t in batches:
        arrived[s, t] = values[s, t]
    one, two = (PanelScanner(NAMES, COLUMNS) for _ in range(2))
    for t in range(WINDOWS):
        assert said(one.step(values[:, t])) == said(two.step(arrived[:, t]))
        one.accept(accepted[:, t])
        two.accept(accepted[:, t])


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), joined=st.integers(0, WINDOWS - 1))
@example(seed=9894, joined=15)  # whose silence was a little of something in single precision
def test_a_source_that_joins_is_as_one_that_was_silent_from_the_beginning(
    seed: int, joined: int
) -> None:
    values, accepted = panel(seed)
    values[-1, :joined] = np.nan
    whole = PanelScanner(NAMES, COLUMNS, groups=[""] * 8 + ["pair"] * 2, periods=(7,))
    grown = PanelScanner(NAMES[:-1], COLUMNS, groups=[""] * 8 + ["pair"], periods=(7,))
    for t in range(WINDOWS):
        if t == joined:
            grown = grown.with_sources(NAMES[-1:], ["pair"])
        have = len(grown.state.sources)
        one, two = whole.step(values[:, t]), grown.step(values[:have, t])
        claims = [r.campaign and (r.campaign.sources, r.campaign.statistic) for r in (one, two)]
        assert claims[0] == claims[1]
        # Sums over nine and ten rows are rounded otherwise, in states of single precision.
        np.testing.assert_allclose(one.p_value, two.p_value, rtol=1e-3)
        whole.accept(accepted[:, t])
        grown.accept(accepted[:have, t])


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), lie=st.floats(-1e6, 1e6))
def test_what_a_held_source_sends_teaches_nothing(seed: int, lie: float) -> None:
    values, _ = panel(seed)
    other = values.copy()
    other[0, 20:] = np.where(np.isfinite(other[0, 20:]), lie, np.nan)
    accepted = np.ones(SOURCES, dtype=bool)
    accepted[0] = False
    one, two = (PanelScanner(NAMES, COLUMNS, periods=(7,)) for _ in range(2))
    for t in range(WINDOWS):
        one.step(values[:, t])
        two.step(other[:, t])
        for scanner in (one, two):
            scanner.accept(None if t < 20 else accepted)
    for part in ("count", "mean", "spread"):
        first, second = getattr(one.state.levels, part), getattr(two.state.levels, part)
        np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(one.state.wander[:, 0], two.state.wander[:, 0])
