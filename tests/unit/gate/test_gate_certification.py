"""A release gate that demands a certificate computes it from what would be released."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import ConflictError, UsageError
from credenza.datasets.verify_release import verify_release
from credenza.gate.policy_file import load_policy
from credenza.provenance.keys import key_from_seed
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa
    from tests.conftest import SourceSimulator

DATASET = "trips"
NOW_S = 1_800_000_000.0
NAMES = ["anna", "beat", "cora", "dora", "emil"]


def demanding(against: int, accuracy: float) -> bytes:
    return (
        'schema = "credenza.policy/1"\n[release]\n'
        f"certified_against = {against}\ncertified_accuracy = {accuracy}\n"
    ).encode()


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory, simulator: type[SourceSimulator]) -> Path:
    """A workspace with one admitted week of five sources."""
    desk = tmp_path_factory.mktemp("certified")
    sources = simulator(desk / "desk", NAMES, 120)
    with Workspace.init(desk / "home", clock=lambda: NOW_S) as workspace:
        sources.register(workspace)
        sources.play(workspace, range(1))
    return desk


@pytest.fixture
def under(fed: Path, tmp_path: Path) -> Callable[[int, float], Workspace]:
    """The workspace, asking for a certificate."""

    def make(against: int, accuracy: float) -> Workspace:
        policy = tmp_path / "policy.toml"
        policy.write_bytes(demanding(against, accuracy))
        workspace = Workspace.open(fed / "home", clock=lambda: NOW_S)
        workspace.policies.adopt(policy)
        return workspace

    return make


@pytest.fixture
def verified(tmp_path: Path, simulator: type[SourceSimulator]) -> pa.Table:
    """Rows that somebody vouches for."""
    return simulator(tmp_path / "vouched", ["judge"], 600).table("judge", 40)


def test_a_version_that_survives_one_hostile_source_is_released(
    under: Callable[[int, float], Workspace], verified: pa.Table, tmp_path: Path
) -> None:
    with under(1, 0.7) as workspace:
        made = workspace.releases.create(DATASET, tmp_path / "release", verified=verified)
        assert verify_release(tmp_path / "release", trust=[workspace.public_key]) == made


def test_a_version_that_three_of_five_sources_can_sway_is_not(
    under: Callable[[int, float], Workspace], verified: pa.Table, tmp_path: Path
) -> None:
    with under(3, 0.5) as workspace, pytest.raises(ConflictError) as said:
        workspace.releases.create(DATASET, tmp_path / "release", verified=verified)
    assert said.value.code == "not-certified"
    assert "whatever 3 colluding units send" in said.value.why
    assert not (tmp_path / "release").exists()


def test_without_verified_rows_the_refusal_says_whose_labels_it_counted_on(
    under: Callable[[int, float], Workspace], tmp_path: Path
) -> None:
    with under(1, 1.0) as workspace, pytest.raises(ConflictError) as said:
        workspace.releases.create(DATASET, tmp_path / "release")
    assert "unverified labels" in said.value.why


def test_sources_registered_as_one_group_count_as_one(
    tmp_path: Path, simulator: type[SourceSimulator], verified: pa.Table
) -> None:
    sources = simulator(tmp_path / "desk", NAMES, 60)
    policy = tmp_path / "policy.toml"
    policy.write_bytes(demanding(1, 0.5))
    with Workspace.init(tmp_path / "home", clock=lambda: NOW_S) as workspace:
        for place, name in enumerate(NAMES):
            key = key_from_seed(bytes([place + 1]) * 32)
            workspace.add_source(name, [key.public], group="one-hand")
        sources.play(workspace, range(1))
        workspace.policies.adopt(policy)
        with pytest.raises(ConflictError, match="certificate"):
            workspace.releases.create(DATASET, tmp_path / "release", verified=verified)


def test_rows_without_the_label_verify_nothing(
    under: Callable[[int, float], Workspace], verified: pa.Table, tmp_path: Path
) -> None:
    with under(1, 0.5) as workspace, pytest.raises(UsageError):
        workspace.releases.create(DATASET, tmp_path / "r", verified=verified.drop_columns(["late"]))


def test_a_policy_asks_for_no_certificate_unless_it_says_so() -> None:
    assert load_policy(b'schema = "credenza.policy/1"').release.certified_against == 0
    with pytest.raises(UsageError, match="certified_accuracy"):
        load_policy(demanding(1, 1.5))
