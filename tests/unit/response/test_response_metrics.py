from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from credenza.response.compliance import (
    PREDICATES,
    Status,
    by_status,
    controls,
    markdown,
)
from credenza.response.incident import State
from credenza.response.metrics import Share, Times
from credenza.response.prometheus import prometheus

if TYPE_CHECKING:
    from tests.unit.response.conftest import Judged


def test_shares_and_times_say_how_little_they_rest_on() -> None:
    assert (Share(0, 0).low, Share(0, 0).high) == (0.0, 1.0)
    assert Share(3, 3).low == pytest.approx(0.438, abs=0.001)
    assert Share(3, 3).high == pytest.approx(1.0)
    assert (Times().median, Times((1, 5, 9, 20)).median) == (None, 5)


def test_false_alarms_are_counted_from_what_reviewers_decided(decided: Judged) -> None:
    gate = decided.gate
    before = gate.oversight.metrics("trips")
    assert before.all.false.n == 0
    stopped = [one for one in gate.reviews() if one.status == "held"]
    gate.decide(stopped[0].digest, "admit", "a holiday")
    after = gate.oversight.metrics("trips", lineage=True)
    assert (after.all.false.k, after.all.false.n) == (1, 1)
    assert after.all.cost.k == 1
    assert after.all.cost.n == before.all.cost.n + 1
    assert after.by_source[stopped[0].source].false.k == 1
    assert after.by_rule["batch-rows"].false.k == 1
    assert after.by_detector["confident-disagreement"].false.n <= 1
    assert after.lineage.k == after.lineage.n == gate.datasets.version("trips").rows
    gone = {name for name, times in before.backlog.items() if name not in after.backlog}
    assert gone <= {stopped[0].source}


def test_time_to_containment_is_measured_from_the_finding(decided: Judged) -> None:
    gate, clock = decided.gate, decided.clock
    known = gate.incidents.open(
        "labels", playbook="label-flip", by="ada", batch=decided.batches["cara"]
    )
    assert gate.oversight.metrics().contain == Times((), 1)
    clock.now_s += 3_600
    gate.incidents.run(known.id)
    gate.incidents.enter(known.id, State.ACKNOWLEDGED, by="ada", note="on it")
    gate.incidents.enter(known.id, State.CONTAINED, by="ada", note="held")
    found = gate.oversight.metrics()
    (seconds,) = found.contain.known
    known = gate.incidents.show(known.id)
    assert seconds == known.entered_s[State.CONTAINED] - known.began_s
    assert seconds >= 3_600
    assert found.recover == Times((), 1)
    assert found.detect.known[0] > 0
    assert found.incidents == {"contained": 1}
    assert 'credenza_time_seconds{to="contain"} ' in prometheus(found)


def test_the_file_for_prometheus_is_well_formed_whatever_names_are_in_it(judged: Judged) -> None:
    found = judged.gate.oversight.metrics()
    hostile = 'a"} 1\ncredenza_false_alarms{by="x\\\u202e\x1b'
    alarms = next(iter(found.by_source.values()))
    text = prometheus(replace(found, by_source={hostile: alarms}))
    assert text.isascii()
    assert text.endswith("\n")
    for line in text.splitlines():
        sample = r'credenza_[a-z_]+\{([a-z]+="(?:[^"\\\n]|\\.)*",?)*\} -?[0-9.e+]+'
        assert line.startswith("# ") or re.fullmatch(sample, line), line


def test_every_control_names_a_predicate_or_says_why_it_lies_outside() -> None:
    found = controls()
    assert len({(one.framework, one.id) for one in found}) == len(found)
    assert all(bool(one.predicate) != bool(one.outside) for one in found)
    assert {one.predicate for one in found} - {""} == set(PREDICATES) - {"decided"} | {"decided"}
    checked = {one.framework.split()[0] for one in found if one.checked}
    assert checked == {"OWASP", "MITRE"}


def test_the_status_of_a_control_is_computed_and_moves_with_the_ledger(decided: Judged) -> None:
    def status() -> dict[str, Status]:
        return {
            one.control.predicate: one.status
            for one in decided.gate.oversight.compliance()
            if one.control.predicate
        }

    before = status()
    assert before["signed-batches"] is Status.EVIDENCED
    assert before["screened"] is Status.EVIDENCED
    assert before["stopped"] is Status.EVIDENCED
    assert before["governed"] is Status.GAP
    assert before["decided"] is Status.CONFIGURED
    assert before["signed-releases"] is Status.CONFIGURED
    decided.gate.decide(decided.batches["cara"], "reject", "flipped")
    assert status() == before | {"decided": Status.EVIDENCED}


def test_the_report_speaks_of_evidence_and_never_of_compliance(judged: Judged) -> None:
    found = judged.gate.oversight.compliance()
    page = markdown(found)
    assert "compliant" not in page.lower()
    assert "evidence for it" in page
    assert "text not checked against the original" in page
    assert sum(by_status(found).values()) == len(found)
    for one in found:
        if one.status is Status.EVIDENCED:
            assert one.entries
            assert str(one.entries[0]) in one.sentence
