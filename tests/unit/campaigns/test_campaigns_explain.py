"""A campaign explains itself from its own evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from credenza.campaigns.accuse import Trail, pursue
from credenza.campaigns.explain import explain, sentence
from credenza.campaigns.panel import PanelScanner

if TYPE_CHECKING:
    from credenza.core.types import Campaign

NAMES = [f"feed-{n:02d}" for n in range(16)]
STATISTICS = ["label share late = no", "surprise late = no"]


def attacked_window(*, follows: bool = False) -> Campaign:
    rng = np.random.default_rng(3)
    scanner = PanelScanner(NAMES, STATISTICS)
    for _ in range(40):
        scanner.step(rng.normal(size=(16, 2)))
        scanner.accept()
    values = rng.normal(size=(16, 2))
    values[:4, 1] += 7
    result = scanner.step(values)
    found = result.campaign
    if follows:
        (found,) = pursue(None, result.averages, [Trail((0, 1, 2), 1, "up")])
    assert found is not None
    return explain(
        found,
        result,
        values,
        sources=NAMES,
        statistics=STATISTICS,
        window="2013-10-08",
        batches={name: f"digest-{name}" for name in NAMES},
    )


def test_a_campaign_names_sources_statistic_and_before_and_after() -> None:
    found = attacked_window()
    assert found.sources == tuple(NAMES[:4])
    assert found.batches == tuple(f"digest-{name}" for name in NAMES[:4])
    assert (found.statistic, found.direction) == ("surprise late = no", "up")
    moved = found.evidence["sources"]
    assert isinstance(moved, dict)
    for name in found.sources:
        assert moved[name]["after"] - moved[name]["before"] > 4
        assert moved[name]["named"]


def test_leaving_out_a_named_source_weakens_the_claim() -> None:
    found = attacked_window()
    without = found.evidence["score_without"]
    score = found.evidence["score"]
    assert isinstance(without, dict)
    assert isinstance(score, float)
    assert set(without) == set(found.sources)
    assert max(without.values()) < score


def test_the_sentence_says_what_the_evidence_says() -> None:
    found = attacked_window()
    text = sentence(found)
    for part in (*found.sources, found.statistic, "up", found.window, f"{found.p_value:.2g}"):
        assert part in text
    assert f"{found.removed_common_cause:+.1f}" in text
    assert str(found.evidence["history_windows"]) in text


def test_who_follows_is_said_to_move_as_the_named_did() -> None:
    found = attacked_window(follows=True)
    text = sentence(found)
    assert text.startswith(f'"{NAMES[3]}" moved up')
    named = ", ".join(f'"{name}"' for name in NAMES[:3])
    assert f"as {named} did before" in text
    assert found.suspected == (NAMES[3],)
