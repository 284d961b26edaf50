from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from credenza import verify_release
from credenza.core.canonical import canonical_json
from credenza.core.errors import (
    ConflictError,
    CredenzaError,
    ForbiddenError,
    NotFoundError,
    PendingError,
    UntrustedError,
    UsageError,
)
from credenza.core.rows import row_root
from credenza.provenance.keys import new_key
from credenza.provenance.row_proof import membership
from credenza.response.bounds import rows_for, share, weight_for
from credenza.response.plan import read_plan
from credenza.response.steps.step import Wishes
from credenza.response.suspicion import Suspicion
from credenza.store.rows import WatchRow

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from tests.unit.response.recovery.conftest import Story

    from credenza.response.plan import Plan
    from credenza.workspace import Workspace

    Document = dict[str, Any]

TRAIN = (sys.executable, "-c", "import sys; open(sys.argv[1], 'w').write('model')", "{model}")
TEST = ("echo", '{"accuracy": 0.97}')
WISHES = Wishes(retrain=TRAIN, revalidate=TEST, criteria=("accuracy>=0.9",))
STEPS = [
    "hold-sources",
    "roll-back-channels",
    "recall-releases",
    "excise",
    "rebuild-baseline",
    "release",
    "retrain",
    "revalidate",
    "declare-clean",
    "promote-channels",
]


def edited(plan: Plan, change: Callable[[Document], object]) -> Plan:
    """The plan of the same file after somebody changed it by hand."""
    document = json.loads(canonical_json(plan.document))
    change(document)
    return read_plan(canonical_json(document))


def steps_of(document: Document) -> list[Document]:
    return cast("list[Document]", document["steps"])


def state(workspace: Workspace) -> tuple[bytes, int]:
    """The catalog and the ledger's length: what must not change."""
    return workspace.log.catalog_dump(), workspace._stores.journal.ledger.size


def test_one_plan_and_one_apply_lead_to_the_dataset_without_the_attackers(
    story: Story, poisoned: Workspace, clean_rows: pa.Table
) -> None:
    plan = poisoned.response.plan(story.suspicion, WISHES)
    assert [step.name for step in plan.steps] == STEPS
    story.finish(poisoned, plan)
    found = story.rows_of(poisoned).drop_columns(["_batch"])
    assert row_root(found) == row_root(clean_rows.drop_columns(["_batch"]))
    assert row_root(story.rows_of(poisoned, 6)) != row_root(story.rows_of(poisoned))
    radius = poisoned.response.blast_radius(story.suspicion)
    assert sum(one.held for one in radius.batches) == 0
    assert radius.channels == ()


def test_the_proof_names_the_root_of_the_rows_that_are_there(
    story: Story, poisoned: Workspace
) -> None:
    plan = poisoned.response.plan(story.suspicion, WISHES)
    story.finish(poisoned, plan)
    results = {step.name: step.result for step in poisoned.response.recovery(plan.digest).steps}
    assert results["rebuild-baseline"]["root"] == row_root(story.rows_of(poisoned))
    directory = poisoned.home / "recoveries" / plan.digest[:16] / "release"
    clean = verify_release(directory, trust=[poisoned.public_key])
    assert not any(membership(one, clean.batches).is_member for one in story.sent(poisoned))
    assert poisoned.response.channel(story.dataset, "prod").release == clean.digest
    assert poisoned.response.training_runs()[-1].releases == (clean.digest,)


def test_what_was_contained_stays_contained(story: Story, poisoned: Workspace) -> None:
    story.finish(poisoned, poisoned.response.plan(story.suspicion, WISHES))
    assert story.releases["r2"] in poisoned.releases.recalled()
    assert story.releases["r1"] not in poisoned.releases.recalled()
    with pytest.raises(UntrustedError, match="recalled"):
        verify_release(
            story.home.parent / "r2",
            trust=[poisoned.public_key],
            recalls=poisoned.releases.recalled(),
        )
    with pytest.raises(ConflictError, match="rows that were excised"):
        poisoned.releases.create(story.dataset, poisoned.home.parent / "again", version=6)
    with pytest.raises(ConflictError, match="rows that were excised"):
        poisoned.response.move_channel(story.dataset, "prod", version=6, reason="oops")
    with pytest.raises(ConflictError, match="rows that were excised"):
        poisoned.datasets.rollback(story.dataset, 6, "oops")


def test_an_excision_that_was_a_mistake_is_taken_back_with_a_reason(
    story: Story, poisoned: Workspace
) -> None:
    before = row_root(story.rows_of(poisoned))
    wishes = Wishes(is_released=False)
    story.finish(poisoned, poisoned.response.plan(story.suspicion, wishes))
    poisoned.datasets.rollback(story.dataset, 6, "it was a new timetable", reinstate=True)
    assert row_root(story.rows_of(poisoned)) == before
    assert {one.status for one in poisoned.batches()} == {"admitted"}
    again = poisoned.response.plan(story.suspicion, wishes)
    story.finish(poisoned, again)
    radius = poisoned.response.blast_radius(story.suspicion)
    assert sum(one.held for one in radius.batches) == 0
    poisoned.datasets.rollback(story.dataset, 6, "it was a new timetable", reinstate=True)
    assert row_root(story.rows_of(poisoned)) == before


def test_a_second_apply_changes_nothing(story: Story, poisoned: Workspace) -> None:
    plan = poisoned.response.plan(story.suspicion, WISHES)
    first = story.finish(poisoned, plan)
    before = state(poisoned)
    second = poisoned.response.apply(plan)
    assert state(poisoned) == before
    assert [step.index for step in second] == [step.index for step in first]
    assert not any(step.is_new for step in second)


def test_a_recovery_survives_a_rebuild_of_the_index_and_an_audit(
    story: Story, poisoned: Workspace
) -> None:
    plan = poisoned.response.plan(story.suspicion, WISHES)
    story.finish(poisoned, plan)
    before, steps = poisoned.log.catalog_dump(), poisoned.response.recovery(plan.digest).steps
    poisoned.log.rebuild_catalog()
    assert poisoned.log.catalog_dump() == before
    assert poisoned.response.recovery(plan.digest).steps == steps
    assert poisoned.log.audit().problems == ()


def test_single_rows_are_excised_and_the_rest_of_their_batch_stays(
    story: Story, poisoned: Workspace
) -> None:
    batch = min(story.sent(poisoned))
    plan = poisoned.response.plan(
        Suspicion(story.dataset, rows={batch: ((0, 5), (9, 10))}), Wishes(is_released=False)
    )
    story.finish(poisoned, plan)
    rows = story.rows_of(poisoned)
    kept = [row["_row"] for row in rows.to_pylist() if row["_batch"] == batch]
    assert kept == [*range(5, 9), *range(10, story.rows)]
    assert poisoned.batch(batch).status == "admitted"


def test_a_failing_command_stops_there_and_the_next_apply_goes_on(
    story: Story, poisoned: Workspace
) -> None:
    flag = poisoned.home.parent / "mended"
    script = f"import os, sys; sys.exit(not os.path.exists({str(flag)!r}))"
    wishes = replace(WISHES, revalidate=(sys.executable, "-c", script), criteria=())
    plan = poisoned.response.plan(story.suspicion, wishes)
    with pytest.raises(ConflictError, match="failed"):
        poisoned.response.apply(plan)
    known = poisoned.response.recovery(plan.digest).steps
    assert [step.name for step in known if step.index is None] == STEPS[7:]
    flag.touch()
    taken = story.finish(poisoned, plan)
    assert [step.name for step in taken if step.is_new] == STEPS[8:]


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        (replace(WISHES, revalidate=("echo", '{"accuracy": 0.5}')), "does not keep"),
        (replace(WISHES, revalidate=("echo", "no figures")), "does not keep"),
        (replace(WISHES, retrain=("true",)), "wrote no model"),
        (replace(WISHES, retrain=("no-such-program-here",)), "failed"),
        (replace(WISHES, retrain=("sleep", "60"), timeout_s=1), "failed"),
    ],
)
def test_a_model_that_is_not_shown_to_be_good_is_not_promoted(
    story: Story, poisoned: Workspace, wishes: Wishes, says: str
) -> None:
    plan = poisoned.response.plan(story.suspicion, wishes)
    with pytest.raises(ConflictError, match=says):
        poisoned.response.apply(plan)
    assert poisoned.response.channel(story.dataset, "prod").release == story.releases["r1"]


def test_clean_is_declared_by_two_members_and_by_nobody_else(
    story: Story, poisoned: Workspace
) -> None:
    plan = poisoned.response.plan(story.suspicion, Wishes(is_released=False))
    with pytest.raises(NotFoundError, match="no recovery begins"):
        poisoned.response.sign(plan.digest, story.members["ida"])
    with pytest.raises(PendingError, match="0 of 2"):
        poisoned.response.apply(plan)
    with pytest.raises(ForbiddenError, match="no member"):
        poisoned.response.sign(plan.digest, new_key())
    for _ in range(2):
        poisoned.response.sign(plan.digest, story.members["ida"])
    with pytest.raises(PendingError, match="1 of 2"):
        poisoned.response.apply(plan)
    poisoned.response.sign(plan.digest, story.members["otto"])
    signed = poisoned.response.apply(plan)[-1].result
    assert signed["signed_by"] == ["ida", "otto"]


def test_nobody_signs_before_there_is_something_to_sign(story: Story, poisoned: Workspace) -> None:
    plan = poisoned.response.plan(story.suspicion, replace(WISHES, retrain=("false",)))
    with pytest.raises(ConflictError, match="failed"):
        poisoned.response.apply(plan)
    with pytest.raises(ConflictError, match="no declaration to sign yet"):
        poisoned.response.sign(plan.digest, story.members["ida"])


def test_what_is_unknown_stops_the_declaration_until_it_is_waived(
    story: Story, poisoned: Workspace
) -> None:
    poisoned.releases.create(story.dataset, poisoned.home.parent / "r3", version=5)
    plan = poisoned.response.plan(story.suspicion, Wishes(is_released=False))
    with pytest.raises(ConflictError, match="nobody said what was trained on release"):
        poisoned.response.apply(plan)
    waived = Wishes(is_released=False, waivers={"untold-release": "nobody downloaded it"})
    again = poisoned.response.plan(story.suspicion, waived)
    assert "excise" not in [step.name for step in again.steps]
    edited_plan = edited(
        plan, lambda told: steps_of(told)[-1].update(waivers={"untold-release": "not downloaded"})
    )
    with pytest.raises(CredenzaError):
        poisoned.response.apply(edited_plan)


def test_time_to_containment_is_read_from_the_ledger(story: Story, poisoned: Workspace) -> None:
    plan = poisoned.response.plan(story.suspicion, Wishes(is_released=False))
    now = iter(range(2_000_000_000, 2_000_001_000, 7))
    poisoned._stores.journal._clock = lambda: next(now)
    story.finish(poisoned, plan)
    timing = poisoned.response.recovery(plan.digest).timing
    assert timing.contained_s is not None
    assert timing.eradicated_s is not None
    assert timing.begun_s < timing.contained_s < timing.eradicated_s
    assert timing.recovered_s is not None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda told: steps_of(told).reverse(), "contradicts itself"),
        (lambda told: steps_of(told).append(steps_of(told)[0]), "comes twice"),
        (lambda told: steps_of(told).pop(3), "needs 'excise' before it"),
        (
            lambda told: steps_of(told).insert(
                4, {"step": "cap", "rows": told["rows"], "at_most": "0.1"}
            ),
            "cannot both meet",
        ),
        (lambda told: told["suspicion"].update(since=""), "means other rows"),
        (lambda told: steps_of(told)[1]["to"].update(prod=3), "is no move of channel"),
        (lambda told: steps_of(told)[1]["to"].update(qa=None), "has no channel"),
        (lambda told: steps_of(told)[2]["releases"].append("0" * 64), "has no release"),
        (
            lambda told: steps_of(told)[3]["rows"].update({"0" * 64: [[0, 1]]}),
            "not under suspicion",
        ),
        (lambda told: steps_of(told)[7].update(criteria=["accuracy>0.9"]), "is no criterion"),
        (
            lambda told: steps_of(told)[7].update(criteria=["a>=0.9", "a<=0.1"]),
            "no a is at least 0.9 and at most 0.1",
        ),
        (lambda told: steps_of(told)[8].update(criteria=["luck"]), "no criterion is called"),
        (lambda told: steps_of(told)[8].update(waivers={"untold-release": " "}), "needs a reason"),
        (lambda told: steps_of(told)[6].update(command=["{models}"]), "stands for nothing"),
        (lambda told: steps_of(told)[0].update(sources=["zoe"]), "zoe"),
    ],
)
def test_a_plan_that_contradicts_itself_or_the_workspace_changes_nothing(
    story: Story, looked_at: Workspace, change: Callable[[Document], object], says: str
) -> None:
    plan = edited(looked_at.response.plan(story.suspicion, WISHES), change)
    before = state(looked_at)
    with pytest.raises(CredenzaError, match=says):
        looked_at.response.apply(plan)
    assert state(looked_at) == before


def test_a_channel_does_not_go_back_to_what_is_suspicious(
    story: Story, looked_at: Workspace
) -> None:
    plan = looked_at.response.plan(story.suspicion, WISHES)
    bad = looked_at.response.channel_history(story.dataset, "prod")[-1].index
    worse = edited(plan, lambda told: steps_of(told)[1]["to"].update(prod=bad))
    before = state(looked_at)
    with pytest.raises(ConflictError, match="holds suspicious rows"):
        looked_at.response.apply(worse)
    assert state(looked_at) == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda told: told.pop("rows"), "exactly the fields"),
        (lambda told: told.update(schema="credenza.recovery-plan/9"), "no plan of this version"),
        (lambda told: told.update(steps=[]), "no steps"),
        (lambda told: steps_of(told)[0].update(step="pray"), "no step is called 'pray'"),
        (lambda told: steps_of(told)[0].pop("sources"), "lacks 'sources'"),
        (lambda told: steps_of(told)[0].update(why="x"), "has no field 'why'"),
        (lambda told: steps_of(told)[0].update(sources="cara"), "is unfit"),
        (lambda told: steps_of(told)[6].update(timeout_s=True), "is unfit"),
        (lambda told: told.update(rows={"a" * 64: [[5, 2]]}), "are no range"),
        (lambda told: told.update(finding="soon"), "are no numbers"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(
    story: Story, looked_at: Workspace, change: Callable[[Document], object], says: str
) -> None:
    plan = looked_at.response.plan(story.suspicion, WISHES)
    with pytest.raises(UsageError, match=says):
        edited(plan, change)


def test_a_channel_that_never_pointed_to_clean_rows_is_emptied(
    story: Story, poisoned: Workspace
) -> None:
    story.finish(poisoned, poisoned.response.plan(story.suspicion, Wishes(is_released=False)))
    assert poisoned.response.channel(story.dataset, "dev").version is None
    assert poisoned.response.channel(story.dataset, "prod").version == story.first


def test_the_senders_are_held_until_a_person_decides(story: Story, poisoned: Workspace) -> None:
    story.finish(poisoned, poisoned.response.plan(story.suspicion, Wishes(is_released=False)))
    with poisoned._stores.journal.catalog.snapshot() as index:
        watched = {row.source: row.until for row in index.find(WatchRow) if row.since}
    assert watched == {"cara": "", "dino": ""}
    frozen = Wishes(hold=False, freeze=True, is_released=False)
    batch = Suspicion(story.dataset, sources=("beat",), since=story.since)
    story.finish(poisoned, poisoned.response.plan(batch, frozen))
    assert poisoned.source("beat").standing == "frozen"


# ------------------------------------------------------------------ measures


def test_down_weighting_states_the_share_that_stays(story: Story, poisoned: Workspace) -> None:
    wishes = Wishes(measure="down-weight", at_most=0.01)
    plan = poisoned.response.plan(story.suspicion, wishes)
    assert [step.name for step in plan.steps] == ["hold-sources", "down-weight", "declare-clean"]
    result = story.finish(poisoned, plan)[1].result
    suspects, rows = 6 * story.rows, 24 * story.rows
    weight = float(str(result["weight"]))
    assert share(suspects, rows - suspects, weight) == pytest.approx(0.01, rel=1e-4)
    assert f"{suspects} of {rows} rows are suspicious" in str(result["sentence"])
    assert poisoned.datasets.version(story.dataset).number == 6


def test_a_cap_keeps_no_more_suspicious_rows_than_its_bound(
    story: Story, poisoned: Workspace
) -> None:
    wishes = Wishes(measure="cap", at_most=0.02)
    story.finish(poisoned, poisoned.response.plan(story.suspicion, wishes))
    radius = poisoned.response.blast_radius(story.suspicion)
    left = sum(one.held for one in radius.batches)
    clean = 18 * story.rows
    assert left == rows_for(6 * story.rows, clean, 0.02) == 14
    assert share(left, clean) <= 0.02 < share(left + 1, clean)


def test_a_slice_is_excluded_only_if_little_is_left_outside(
    story: Story, poisoned: Workspace
) -> None:
    towns = ("Bern", "Genf")
    wishes = Wishes(measure="exclude-slice", at_most=0.9, slice_column="town", slice_values=towns)
    result = story.finish(poisoned, poisoned.response.plan(story.suspicion, wishes))[1].result
    outside = [row for row in story.rows_of(poisoned).to_pylist() if row["town"] == "Chur"]
    bad = sum(row["_batch"] in story.sent(poisoned) for row in outside)
    assert float(str(result["bound"])) == pytest.approx(bad / len(outside), rel=1e-4)
    strict = replace(wishes, at_most=0.001)
    with pytest.raises(ConflictError, match="outside the slice are suspicious"):
        poisoned.response.apply(poisoned.response.plan(story.suspicion, strict))


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        (Wishes(measure="hope"), "no measure is called"),
        (Wishes(measure="cap", at_most=1.5), "is no share"),
        (Wishes(measure="exclude-slice", at_most=0.1, slice_column="x"), "has no slice by"),
    ],
)
def test_an_unfit_measure_changes_nothing(
    story: Story, looked_at: Workspace, wishes: Wishes, says: str
) -> None:
    before = state(looked_at)
    with pytest.raises(UsageError, match=says):
        looked_at.response.apply(looked_at.response.plan(story.suspicion, wishes))
    assert state(looked_at) == before


@pytest.mark.parametrize("at_most", [0.0, 0.003, 0.1, 0.5])
@pytest.mark.parametrize(("suspects", "clean"), [(1, 10), (37, 1_000), (500, 3)])
def test_the_bounds_are_kept_and_are_not_wasteful(
    suspects: int, clean: int, at_most: float
) -> None:
    weight = weight_for(suspects, clean, at_most)
    assert share(suspects, clean, weight) <= at_most + 1e-12 or weight == 1.0
    kept = rows_for(suspects, clean, at_most)
    assert share(kept, clean) <= at_most
    assert kept == suspects or share(kept + 1, clean) > at_most
