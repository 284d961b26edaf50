"""A payload that few of many sources share is a campaign."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from credenza.core.types import Finding, Unit, View
from credenza.screening.together import shared_payloads
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


def test_a_payload_in_all_sources_or_in_one_is_no_campaign() -> None:
    view = rows(20)
    everyone = {str(name) for name in view.source}
    assert shared_payloads(view, [payload(view, everyone, 100), payload(view, {"s1"})]) == []


def test_three_sources_are_no_crowd_to_stand_out_of() -> None:
    view = rows(3)
    assert shared_payloads(view, [payload(view, {"s1", "s2"}, 100)]) == []
