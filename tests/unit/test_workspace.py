"""The hall: opening, closing, and messages for what is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from credenza.core.errors import ConflictError, NotFoundError, UntrustedError, UsageError
from credenza.provenance.keys import key_from_seed
from credenza.workspace import HOME_VARIABLE, Workspace
from credenza.workspace.log import check_proof

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import SourceSimulator


def test_a_workspace_is_never_made_over_something_else(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(ConflictError) as refused:
        Workspace.init(tmp_path)
    assert refused.value.code == "workspace-exists"
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_a_workspace_is_found_by_name_by_environment_and_upward(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.close()
    with Workspace.open(workspace.home) as named:
        assert named.public_key == workspace.public_key
    monkeypatch.setenv(HOME_VARIABLE, str(workspace.home))
    with Workspace.open() as found:
        assert found.home == workspace.home
    monkeypatch.delenv(HOME_VARIABLE)
    inner = tmp_path / "project" / "deep"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    with pytest.raises(NotFoundError) as absent:
        Workspace.open()
    assert absent.value.code == "no-workspace"
    Workspace.init(tmp_path / "project" / ".credenza").close()
    with Workspace.open() as upward:
        assert upward.home == tmp_path / "project" / ".credenza"


def test_a_workspace_is_made_where_it_will_be_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "elsewhere"))
    with Workspace.init() as made, Workspace.open() as found:
        assert made.home == found.home == tmp_path / "elsewhere"
    monkeypatch.delenv(HOME_VARIABLE)
    with Workspace.init() as made, Workspace.open() as found:
        assert made.home == found.home == tmp_path / ".credenza"


def test_what_is_not_there_is_named_with_what_is(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    receipt = sources.submit(workspace, "anna", 0)
    with pytest.raises(NotFoundError, match="no batch begins with"):
        workspace.batch("feed")
    with pytest.raises(NotFoundError, match="no dataset is called"):
        workspace.datasets.log("trips")
    sources.settle(workspace, 0)
    with pytest.raises(NotFoundError) as version:
        workspace.datasets.version("trips", 9)
    assert version.value.why == "its versions are: 1"
    with pytest.raises(NotFoundError):
        workspace.datasets.rollback("trips", 9, "a reason")
    with pytest.raises(UsageError):
        workspace.datasets.rollback("trips", 1, "")
    with pytest.raises(NotFoundError):
        workspace.log.prove(10_000)
    assert workspace.batch(receipt.batch[:8]).status == "admitted"


def test_a_proof_holds_offline_for_its_ledger_and_for_no_other(
    workspace: Workspace, sources: SourceSimulator, tmp_path: Path
) -> None:
    receipt = sources.submit(workspace, "anna", 0)
    proof = workspace.log.prove(receipt.index)
    entry = check_proof(proof, trust=workspace.public_key)
    assert (entry.index, entry.kind) == (receipt.index, "submission")
    other = Workspace.init(tmp_path / "other")
    other.close()
    with pytest.raises(UntrustedError):
        check_proof(proof, trust=other.public_key)
    with pytest.raises(UntrustedError):
        check_proof(proof.replace("submission", "admission"), trust=workspace.public_key)


def test_a_frozen_source_submits_nothing(workspace: Workspace, sources: SourceSimulator) -> None:
    workspace.freeze_source("anna", "its key leaked")
    with pytest.raises(UntrustedError) as refused:
        sources.submit(workspace, "anna", 0)
    assert refused.value.code == "source-frozen"
    assert workspace.source("anna").standing == "frozen"


def test_an_edited_policy_is_recorded_before_it_is_used(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    first = sources.play(workspace, range(1))[0].verdicts[0].policy
    path = workspace.home / "policy.toml"
    path.write_text(path.read_text() + "# edited\n")
    second = sources.play(workspace, range(1, 2))[0].verdicts[0].policy
    assert first != second == workspace.policies.in_force().digest
    assert workspace.log.audit().problems == ()


def test_every_dataset_is_listed_with_its_newest_version(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    assert workspace.datasets.all() == []
    sources.play(workspace, range(2))
    assert workspace.datasets.all() == [workspace.datasets.version("trips")]
    assert workspace.datasets.all()[0].number == 2


def test_a_recalled_release_is_on_the_list_for_verifiers(
    workspace: Workspace, sources: SourceSimulator, tmp_path: Path
) -> None:
    sources.play(workspace, range(1))
    release = workspace.releases.create("trips", tmp_path / "release")
    kept = workspace.releases.create("trips", tmp_path / "kept")
    assert workspace.releases.recall(release.digest[:10], "a poisoned week") == release.digest
    assert workspace.releases.recalled() == {release.digest: "a poisoned week"}
    assert [
        (one.digest, one.rows, one.standing, one.reason) for one in workspace.releases.all()
    ] == [
        (release.digest, release.rows, "recalled", "a poisoned week"),
        (kept.digest, kept.rows, "good", ""),
    ]
    assert workspace.releases.all("ships") == []


def test_content_altered_at_rest_is_found_by_the_audit(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    sources.submit(workspace, "anna", 0)
    *_, entry = workspace._stores.journal.ledger.entries()
    path = workspace._stores.journal.blobs.path(entry.digest)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"anna", b"anno"))
    (problem,) = workspace.log.audit().problems
    assert problem.startswith(f"entry {entry.index}: ")


def test_threat_06_the_cells_that_differ_from_a_signed_batch_are_located(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    batch = sources.submit(workspace, "anna", 0).batch
    table = sources.table("anna", 0)
    assert workspace.log.changed_cells(batch, [sources.write(table)]) == ()
    hours = table["hour"].to_pylist()
    hours[7] += 1
    place = table.column_names.index("hour")
    changed = table.set_column(place, "hour", pa.array(hours, table["hour"].type))
    assert workspace.log.changed_cells(batch, [sources.write(changed)]) == ((7, "hour"),)
    with pytest.raises(UntrustedError, match="cannot be compared"):
        workspace.log.changed_cells(batch, [sources.write(table.slice(1))])


def test_a_source_is_frozen_and_unfrozen_and_gets_another_key(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    workspace.freeze_source("anna", "her key may be stolen")
    with pytest.raises(UntrustedError, match="may submit nothing"):
        sources.submit(workspace, "anna", 0)
    with pytest.raises(UsageError, match="with a reason"):
        workspace.unfreeze_source("anna", " ")
    workspace.unfreeze_source("anna", "it was not")
    with pytest.raises(ConflictError, match="cannot become active"):
        workspace.unfreeze_source("anna", "again")
    sources.submit(workspace, "anna", 0)
    with pytest.raises(UntrustedError, match="registered already"):
        workspace.add_key("anna", workspace.source("beat").keys[0])
    more = key_from_seed(b"7" * 32).public
    assert workspace.add_key("anna", more).keys[-1] == more
