"""A payload that few of many sources share is a campaign."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from credenza.core.types import Finding, Unit, View
from credenza.screening.together import LEVEL, shared_payloads, sharing
from credenza.screening.view import make_view


def rows(sources: int) -> View:
    source = [f"s{i % sources}" for i in range(600)]
    return make_view("v", pa.table({"x": np.arange(600.0)}), source=source)


def payload(view: View, names: set[str], count: int = 30) -> Finding:
    carriers = [i for i in range(600) if str(view.source[i]) in names][:count]
    return Finding(
        "duplicates", Unit.GROUP, (), 1e-9, "copies", rows=tuple(carriers), names_rows=True
    )


def test_three_of_twenty_sources_that_share_a_payload_are_a_campaign() -> None:
    view = rows(20)
    (found,) = shared_payloads(view, [payload(view, {"s1", "s4", "s7"})])
    assert found.unit is Unit.CAMPAIGN
    assert found.subjects == ("s1", "s4", "s7")
    assert found.sentence.startswith("3 of 20 sources share a payload in 30 rows")
    assert found.p_value < 1e-6


def test_what_the_same_sources_share_is_one_campaign() -> None:
    view = rows(20)
    first, second = payload(view, {"s1", "s4", "s7"}), payload(view, {"s1", "s4", "s7"}, 45)
    second = replace(second, detector="association", sentence="a pair")
    other = payload(view, {"s2", "s3"})
    both, alone = shared_payloads(view, [first, other, second])
    assert both.subjects == ("s1", "s4", "s7")
    assert both.sentence.startswith("3 of 20 sources share 2 payloads in 45 rows")
    assert both.sentence.endswith(": copies; a pair")
    assert both.rows == second.rows
    assert alone.subjects == ("s2", "s3")


def test_honest_carriers_of_a_shared_payload_are_not_named() -> None:
    view = rows(20)
    guilty = payload(view, {"s1", "s4", "s7"}, 60).rows
    honest = payload(view, {"s2", "s11", "s13", "s15"}, 4).rows
    both = tuple(sorted(guilty + honest))
    (found,) = shared_payloads(
        view, [Finding("x", Unit.GROUP, (), 1e-9, "a value", rows=both, names_rows=True)]
    )
    assert found.subjects == ("s1", "s4", "s7")
    assert found.rows == guilty
    assert found.exhibits["elsewhere"] == 4


def test_carriers_spread_by_chance_name_nobody() -> None:
    rng, sent = np.random.default_rng(0), np.full(20, 400)
    naming = 0
    for _ in range(200):
        few, log_p = sharing(rng.multinomial(60, sent / sent.sum()), sent)
        naming += few.sum() >= 2 and log_p <= np.log(LEVEL)
    assert naming <= 2


def test_a_payload_in_all_sources_or_in_one_is_no_campaign() -> None:
    view = rows(20)
    everyone = {str(name) for name in view.source}
    assert shared_payloads(view, [payload(view, everyone, 100), payload(view, {"s1"})]) == []


def test_three_sources_are_no_crowd_to_stand_out_of() -> None:
    view = rows(3)
    assert shared_payloads(view, [payload(view, {"s1", "s2"}, 100)]) == []
