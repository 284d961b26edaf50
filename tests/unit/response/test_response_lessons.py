from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from credenza.gate.policy_file import load_policy, shipped_policy
from credenza.response.lessons import Lesson, _holds, _with_detectors, lessons

if TYPE_CHECKING:
    from tests.unit.response.conftest import Judged

SURE = Lesson("outcomes.rows", '"admit"', '"hold"', 8, 8, 0, 20, holds=False, text=shipped_policy())
ALL_PASS = shipped_policy().replace('campaign_named = "quarantine"', 'campaign_named = "admit"')


@pytest.mark.parametrize(
    ("lesson", "holds"),
    [
        (SURE, True),
        (replace(SURE, caught=0), False),
        (replace(SURE, caught=1, bad=1, honest=3), False),  # one batch proves little
        (replace(SURE, disturbed=15), False),  # it stops the honest as well
        (replace(SURE, honest=0), False),  # nobody to compare with
        (replace(SURE, text=ALL_PASS), False),  # a required case would fail
    ],
)
def test_a_rule_is_proposed_only_if_it_stops_the_incident_beyond_the_honest(
    lesson: Lesson, holds: bool
) -> None:
    assert _holds(lesson) is holds


def test_another_list_of_detectors_leaves_the_rest_of_a_policy_as_it_was() -> None:
    text = _with_detectors(shipped_policy(), '["lof"]')
    changed, before = load_policy(text.encode()), load_policy(shipped_policy().encode())
    assert changed.detectors == ("lof",)
    assert replace(changed, detectors=before.detectors, digest=before.digest) == before


def test_rules_are_tried_on_the_incident_s_own_batches_and_on_the_honest_beside_them(
    judged: Judged,
) -> None:
    gate, bad = judged.gate, judged.batches["cara"]
    known = gate.incidents.open("turned", playbook="label-flip", by="ada", batch=bad)
    found = lessons(gate.incidents._desk, known, ("knn-disagreement",))
    by_key = {one.key: one for one in found}
    assert by_key["outcomes.rows"].caught == 1
    asked = by_key["detectors"]
    assert (asked.caught, asked.bad, asked.honest) == (1, 1, 3)
    assert "knn-disagreement" in load_policy(asked.text.encode()).detectors
    assert not any(one.holds for one in found)  # one batch proves little
    assert "1 of the 1 batches of the incident" in asked.sentence
