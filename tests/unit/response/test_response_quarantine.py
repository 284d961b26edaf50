from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PendingError,
    UsageError,
)
from credenza.core.types import Outcome
from credenza.gate.policy_file import load_policy, shipped_policy
from credenza.provenance.keys import key_from_seed, save_key
from credenza.workspace.warrants import Acting

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.response.conftest import Judged

DATASET = "trips"


def rows_in(judged: Judged, batch: str) -> int:
    """How many rows of a batch the newest version holds."""
    number = judged.gate.datasets.version(DATASET).number
    found = judged.gate._stores.datasets.read(DATASET, number, columns=["_batch"])
    return sum(rows["_batch"].to_pylist().count(batch) for rows in found)


def test_what_is_held_stands_in_the_queue_of_its_weightiest_rule(judged: Judged) -> None:
    (held,) = [one for one in judged.gate.quarantine.held() if one.batch == judged.batches["cara"]]
    assert (held.source, held.status, held.rule, held.rows) == ("cara", "held", "batch-rows", 60)
    assert held.queue == "data"
    assert held.expires_s == held.since_s + 30 * 86_400
    assert held in judged.gate.quarantine.held("data")
    with pytest.raises(NotFoundError):
        judged.gate.quarantine.held("nobody's")


def test_rows_and_slices_are_released_and_the_rest_goes_on_waiting(decided: Judged) -> None:
    gate, batch = decided.gate, decided.batches["cara"]
    before = gate.datasets.version(DATASET).rows
    gate.quarantine.release("checked ten", batch=batch, rows=((0, 10),))
    record = gate.batch(batch)
    assert (record.status, record.quarantined_rows) == ("admitted", 50)
    assert gate.datasets.version(DATASET).rows == before + 10
    town = decided.sources.table("cara", 4).column("town").to_pylist()
    bern = sum(name == "Bern" for name in town[10:])
    gate.quarantine.release("Bern is right", batch=batch, where={"town": "Bern"})
    assert rows_in(decided, batch) == 10 + bern
    gate.quarantine.release("not these", outcome="reject", batch=batch, where={"town": "Chur"})
    chur = sum(name == "Chur" for name in town[10:])
    assert gate.batch(batch).quarantined_rows == 50 - bern - chur
    with pytest.raises(UsageError) as again:
        gate.quarantine.release("again", batch=batch, rows=((0, 1),))
    assert again.value.code == "rows-not-open"
    with pytest.raises(UsageError, match="no row"):
        gate.quarantine.release("again", batch=batch, where={"town": "Bern"})
    gate.decide(batch, "admit", "the rest")
    assert rows_in(decided, batch) == 60 - chur
    dump = gate.log.catalog_dump()
    gate.log.rebuild_catalog()
    assert gate.log.catalog_dump() == dump


def test_a_rejection_can_be_taken_back_with_nothing_lost(decided: Judged) -> None:
    gate, batch = decided.gate, decided.batches["cara"]
    gate.decide(batch, "reject", "surely poison")
    assert gate.batch(batch).status == "rejected"
    gate.quarantine.reopen(batch, "the airline explained it")
    assert gate.batch(batch).status == "held"
    gate.decide(batch, "admit", "it was a holiday")
    assert rows_in(decided, batch) == 60
    with pytest.raises(ConflictError):
        gate.quarantine.reopen(batch, "why not")


def test_what_nobody_decides_on_is_rejected_in_the_end_and_never_admitted(decided: Judged) -> None:
    gate, batch = decided.gate, decided.batches["cara"]
    assert gate.quarantine.expire() == []
    decided.clock.now_s += 31 * 86_400
    expired = gate.quarantine.expire()
    assert batch in {one.batch for one in expired}
    assert gate.batch(batch).status == "rejected"
    assert gate.quarantine.held() == []
    gate.quarantine.reopen(batch, "we were on holiday")
    assert gate.batch(batch).status == "held"


def test_a_source_is_paused_while_a_batch_of_it_waits_and_goes_on_afterwards(
    decided: Judged,
) -> None:
    gate, sources = decided.gate, decided.sources
    paused = sources.submit(gate, "cara", 5).batch
    other = sources.submit(gate, "anna", 5).batch
    sources.settle(gate, 5)
    assert gate.batch(paused).status == "held"
    assert "same-source" in {reason.rule for reason in gate.batch(paused).reasons}
    assert "same-source" not in {reason.rule for reason in gate.batch(other).reasons}
    (data,) = [one for one in gate.quarantine.queues() if one.name == "data"]
    assert data.over == ""
    done = gate.quarantine.release("all of cara is right", source="cara")
    assert {one.batch for one in done} == {paused, decided.batches["cara"]}
    assert not [one for one in gate.quarantine.held() if one.source == "cara"]


def test_parts_that_cannot_be_meant_are_refused_and_change_nothing(judged: Judged) -> None:
    gate, batch = judged.gate, judged.batches["cara"]
    size = gate._stores.journal.ledger.size
    with pytest.raises(UsageError):
        gate.quarantine.release("which?")
    with pytest.raises(UsageError):
        gate.quarantine.release("which?", batch=batch, source="cara")
    with pytest.raises(UsageError):
        gate.quarantine.release("beyond", batch=batch, rows=((50, 70),))
    with pytest.raises(UsageError, match="no column"):
        gate.quarantine.release("where?", batch=batch, where={"planet": "Mars"})
    with pytest.raises(UsageError, match="reason"):
        gate.quarantine.release(" ", batch=batch)
    with pytest.raises(NotFoundError):
        gate.quarantine.release("who?", source="nobody")
    assert gate._stores.journal.ledger.size == size
    assert gate.batch(batch).status == "held"


def test_threat_16_in_a_governed_workspace_two_people_release_and_one_opens_again(
    decided: Judged, tmp_path: Path
) -> None:
    gate, batch = decided.gate, decided.batches["cara"]
    keys = {}
    for place, (name, role) in enumerate((("rita", "reviewer"), ("stan", "steward"))):
        key = key_from_seed(bytes([100 + place]) * 32)
        keys[name] = tmp_path / f"{name}.key"
        save_key(key, keys[name])
        roles = [role] if role == "reviewer" else [role, "auditor"]
        gate.members.add(name, [key.public], roles)
    more = key_from_seed(bytes([102]) * 32)
    gate.members.add("sue", [more.public], ["steward"])
    gate.governance.start()
    gate.warrants.acting = Acting(keys["rita"])
    with pytest.raises(PendingError):
        gate.quarantine.release("looks right", batch=batch, rows=((0, 10),))
    assert gate.batch(batch).status == "held"
    request = gate.requests.all()[-1].digest
    gate.requests.approve(request, keys["stan"])
    gate.warrants.acting = Acting(request=request)
    with pytest.raises(ConflictError):  # what was approved is these ten rows and nothing wider
        gate.quarantine.release("looks right", batch=batch)
    gate.quarantine.release("looks right", batch=batch, rows=((0, 10),))
    assert rows_in(decided, batch) == 10
    gate.warrants.acting = Acting(keys["rita"])
    gate.decide(batch, "reject", "not these")
    gate.warrants.acting = Acting()
    with pytest.raises(ForbiddenError, match="who asks to reopen"):
        gate.quarantine.reopen(batch, "let them in")
    gate.warrants.acting = Acting(keys["rita"])
    gate.quarantine.reopen(batch, "a ticket came in")
    assert gate.governance.audit().problems == ()


@pytest.mark.parametrize(
    "line",
    ["queues = 1", "queues = { rows = 1 }", "expire_days = -1", "backlog_days = 1.5", "colour = 1"],
)
def test_a_quarantine_that_makes_no_sense_is_refused(line: str) -> None:
    name = line.split(" =", maxsplit=1)[0]
    kept = [one for one in shipped_policy().splitlines() if not one.startswith(f"{name} =")]
    at = kept.index(next(one for one in kept if one.startswith("[quarantine]")))
    text = "\n".join([*kept[: at + 1], line, *kept[at + 1 :]])
    with pytest.raises(UsageError):
        load_policy(text.encode())
    assert load_policy(shipped_policy().encode()).outcomes.same_source is Outcome.ADMIT
