"""The whole gate on real stores: ledger, catalog, content, Lance, sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import UntrustedError
from credenza.core.types import Outcome
from credenza.datasets.lineage import Origin, Reach
from credenza.datasets.verify_release import verify_release

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import SourceSimulator

    from credenza.workspace import Workspace

DATASET = "trips"


def test_the_whole_way_from_submission_to_a_release_that_verifies_offline(
    workspace: Workspace, sources: SourceSimulator, tmp_path: Path
) -> None:
    settled = sources.play(workspace, range(5))
    assert [one.version for one in settled] == [1, 2, 3, 4, 5]
    assert all(v.outcome is Outcome.ADMIT for one in settled for v in one.verdicts)

    log = workspace.dataset_log(DATASET)
    assert [version.rows for version in log[:4]] == [240, 480, 720, 960]
    assert len(log[0].batches) == len(sources.names)

    release = workspace.release(DATASET, tmp_path / "release")
    verified = verify_release(tmp_path / "release", trust=[workspace.public_key])
    assert verified.digest == release.digest
    assert release.rows == log[-1].rows

    (data,) = (tmp_path / "release").glob("*.parquet")
    data.chmod(0o644)
    data.write_bytes(data.read_bytes() + b"\0")
    with pytest.raises(UntrustedError):
        verify_release(tmp_path / "release", trust=[workspace.public_key])

    back = workspace.rollback(DATASET, 2, "the last weeks are in doubt")
    assert (back.number, back.rows, back.parent) == (6, 480, 2)
    assert "in doubt" in back.rationale

    origin = workspace.lineage(row=(DATASET, 5, 700))
    assert isinstance(origin, Origin)
    batch = workspace.batch(origin.batch)
    assert origin.source == batch.source
    reach = workspace.lineage(batch=origin.batch)
    assert isinstance(reach, Reach)
    assert release.digest in reach.releases

    audit = workspace.audit()
    assert audit.problems == ()
    before = workspace.catalog_dump()
    assert workspace.rebuild_catalog() == audit.entries
    assert workspace.catalog_dump() == before
