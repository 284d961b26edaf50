from __future__ import annotations

import numpy as np

from credenza.campaigns.claim import SCALES, PanelCampaign, claim

SOURCES = 20


def window(moved: dict[int, float], rest: float = 0.0) -> np.ndarray:
    """``(K, S)`` averages of quiet sources, in which some moved."""
    u = np.tile(np.linspace(-1.0, 1.0, SOURCES) + rest, (len(SCALES), 1))
    for source, far in moved.items():
        u[:, source] = far
    return u


def judged(u: np.ndarray, own: np.ndarray) -> PanelCampaign | None:
    return claim(u, own, (0, 0), 3, 0.01)


def test_who_moved_is_named_and_who_moved_less_is_suspected() -> None:
    u = window({2: 6.0, 5: 5.0, 7: 4.5, 9: 1.8})
    u[1, 9] = 2.6
    found = judged(u, u[0])
    assert found is not None
    assert found.sources == (2, 5, 7)
    assert found.suspected == (9,)
    assert found.evidence == (6.0, 5.0, 4.5)


def test_nobody_is_named_in_a_quiet_window_or_for_one_source_alone() -> None:
    assert judged(window({}), window({})[0]) is None
    assert judged(window({2: 6.0}), window({2: 6.0})[0]) is None


def left_behind(stayed: list[int]) -> PanelCampaign:
    u = window(dict.fromkeys(stayed, 5.0))
    own = np.full(SOURCES, -5.0)
    own[stayed] = 0.0
    found = judged(u, own)
    assert found is not None
    return found


def test_sources_that_stay_where_most_leave_are_not_the_ones_that_moved() -> None:
    found = left_behind(list(range(8)))
    assert found.direction == "down"
    assert found.sources == tuple(range(8, SOURCES))


def test_a_few_that_stay_where_nearly_all_leave_are_the_odd_ones() -> None:
    found = left_behind([2, 5, 7])
    assert found.direction == "up"
    assert found.sources == (2, 5, 7)


def test_a_quiet_week_of_those_who_stand_out_does_not_turn_the_claim_round() -> None:
    """Averages last longer than one window: the rest has to have moved, too."""
    u = window({2: 6.0, 5: 5.0, 7: 5.0})
    found = judged(u, window({2: 0.5, 5: 0.5, 7: 0.5})[0])
    assert found is not None
    assert (found.direction, found.sources) == ("up", (2, 5, 7))


def test_several_that_moved_a_little_are_all_named() -> None:
    u = window({2: 2.6, 5: 2.5, 7: 2.4, 9: 2.4})
    found = judged(u, u[0])
    assert found is not None
    assert found.sources == (2, 5, 7, 9)


def test_among_more_sources_each_has_to_move_further() -> None:
    u = np.hstack([window({2: 2.6, 5: 2.5, 7: 2.4, 9: 2.4}), *[window({})] * 9])
    assert judged(u, u[0]) is None


def test_two_that_moved_a_little_are_no_campaign() -> None:
    u = window({2: 2.3, 5: 2.3})
    assert judged(u, u[0]) is None
