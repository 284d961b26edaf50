from __future__ import annotations

import numpy as np

from credenza.campaigns.accuse import Trail, accuse, pursue
from credenza.campaigns.claim import SCALES, PanelCampaign

SOURCES, STATISTICS = 20, 4
TRAIL = Trail((2, 5), 3, "up")


def claimed(evidence: dict[int, float]) -> PanelCampaign:
    return PanelCampaign(
        sources=tuple(evidence),
        suspected=(9,),
        statistic=3,
        direction="up",
        p_value=0.01,
        scale=1.0,
        score=20.0,
        without=(10.0,) * len(evidence),
        evidence=tuple(evidence.values()),
    )


def averages(moved: dict[int, float], *, statistic: int = 3) -> np.ndarray:
    """``(K, S, P)`` of quiet sources, in which some moved in the newest window."""
    u = np.tile(np.linspace(-1.0, 1.0, SOURCES)[:, None], (len(SCALES), 1, STATISTICS))
    for source, far in moved.items():
        u[0, source, statistic] = far
    return u


def test_an_accusation_keeps_only_who_moved_far() -> None:
    accused = accuse(claimed({2: 6.0, 5: 5.0, 7: 3.0}), "contradiction")
    assert (accused.sources, accused.suspected) == ((2, 5), (7, 9))
    assert len(accused.without) == len(accused.evidence) == 2


def test_where_only_one_moved_far_nobody_is_accused_and_all_are_suspected() -> None:
    accused = accuse(claimed({2: 6.0, 5: 3.2, 7: 3.1}), "contradiction")
    assert (accused.sources, accused.suspected) == ((), (2, 5, 7, 9))


def test_who_only_changed_what_it_sends_is_suspected_however_far() -> None:
    accused = accuse(claimed({2: 9.0, 5: 9.0}), "novelty")
    assert (accused.sources, accused.suspected) == ((), (2, 5, 9))


def test_beside_sources_on_watch_nobody_else_is_accused() -> None:
    accused = accuse(claimed({2: 6.0, 5: 6.0, 7: 6.0}), "contradiction", watched={2, 5})
    assert (accused.sources, accused.suspected) == ((2, 5), (7,)), "9 only came near"


def test_who_is_named_for_a_little_is_suspected_only_where_nobody_moved_further() -> None:
    accused = accuse(claimed({2: 6.0, 5: 5.0, 7: 2.4}), "contradiction")
    assert (accused.sources, accused.suspected) == ((2, 5), (9,))
    faint = accuse(claimed({2: 2.4, 5: 2.3, 7: 2.2}), "contradiction")
    assert (faint.sources, faint.suspected) == ((), (2, 5, 9))
    watched = accuse(claimed({2: 6.0, 5: 5.0, 7: 2.9}), "contradiction", watched={2})
    assert (watched.sources, watched.suspected) == ((2,), (5,))


def test_an_accomplice_that_moves_alone_is_suspected_beside_the_accused() -> None:
    (followed,) = pursue(None, averages({2: 5.0, 5: 5.0, 7: 4.0}), [TRAIL])
    assert (followed.sources, followed.suspected) == ((2, 5), (7,))
    assert (followed.statistic, followed.direction, followed.scale) == (3, "up", 1.0)
    assert 0 < followed.p_value < 0.01


def test_a_quiet_window_and_a_gate_without_accusations_pursue_nobody() -> None:
    assert pursue(None, averages({2: 5.0, 5: 5.0}), [TRAIL]) == ()
    assert pursue(None, averages({7: 9.0}), []) == ()


def test_of_quiet_windows_few_make_an_honest_source_suspected() -> None:
    rng = np.random.default_rng(4)
    windows = rng.standard_normal((2000, len(SCALES), 200, 1))
    trail = Trail((2, 5), 0, "up")
    share = np.mean([len(pursue(None, u, [trail])) for u in windows])
    assert 0.02 < share < 0.06, "as many among 200 sources as among 20"


def test_whoever_the_windows_own_claim_has_is_not_said_twice() -> None:
    claim = claimed({2: 6.0, 5: 5.0, 7: 4.0})
    assert pursue(claim, averages({2: 6.0, 5: 5.0, 7: 4.0}), [TRAIL]) == (claim,)


def test_an_absent_source_is_neither_accused_again_nor_pursued() -> None:
    u = averages({5: 5.0, 7: 4.0})
    u[:, [2, 11]] = np.nan
    (followed,) = pursue(None, u, [TRAIL])
    assert (followed.sources, followed.suspected) == ((5,), (7,))


def test_blind_to_an_accomplice_that_changes_its_ways() -> None:
    assert pursue(None, averages({7: 9.0}, statistic=1), [TRAIL]) == ()
    assert pursue(None, averages({7: -9.0}), [TRAIL]) == ()
