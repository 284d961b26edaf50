"""A workspace in which two feeds poisoned for three weeks before anybody noticed.

Built once; each test gets a copy. Anna and Beat are honest; Cara and Dino send flipped
labels from window 3 on. ``prod`` pointed to the release of the third version, then to that
of the sixth, and models were trained on both.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from credenza.core.errors import PendingError
from credenza.provenance.keys import key_from_seed
from credenza.response.suspicion import Suspicion
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.conftest import SourceSimulator

    from credenza.provenance.keys import SigningKey
    from credenza.response.plan import Plan
    from credenza.response.recover import Taken

POLICY = """\
schema = "credenza.policy/1"
detectors = []
campaigns = false
[window]
reference = 1
calibration = 999
"""


@dataclass(frozen=True)
class Story:
    """Where the workspace lies that every test copies, and what is known of it."""

    home: Path
    releases: Mapping[str, str]
    dataset: str = "trips"
    attackers: tuple[str, ...] = ("cara", "dino")
    names: tuple[str, ...] = ("anna", "beat", "cara", "dino")
    windows: int = 6
    first: int = 3
    since: str = "2024-01-22"
    rows: int = 40
    models: Mapping[str, str] = field(
        default_factory=lambda: {
            name: f"{place:064x}" for place, name in enumerate(("old", "new", "child", "other"), 1)
        }
    )
    members: Mapping[str, SigningKey] = field(
        default_factory=lambda: {
            name: key_from_seed(bytes([90 + place]) * 32)
            for place, name in enumerate(("ida", "otto"))
        }
    )

    @property
    def suspicion(self) -> Suspicion:
        """What is true: who attacked, and since when."""
        return Suspicion(self.dataset, sources=self.attackers, since=self.since)

    def sent(self, workspace: Workspace) -> set[str]:
        """Ground truth: digests of the poisoned batches."""
        return {
            one.digest
            for one in workspace.batches(self.dataset)
            if one.source in self.attackers and one.window >= self.since
        }

    def rows_of(self, workspace: Workspace, version: int | None = None) -> pa.Table:
        """All rows of a version, in their order, with their lineage."""
        store = workspace._stores.datasets
        return pa.Table.from_batches(
            list(store.read(self.dataset, version)), store.schema(self.dataset)
        )

    def finish(self, workspace: Workspace, plan: Plan) -> list[Taken]:
        """Apply, have both members sign, apply again."""
        with pytest.raises(PendingError, match="of 2 signatures"):
            workspace.response.apply(plan)
        for key in self.members.values():
            workspace.response.sign(plan.digest, key)
        return workspace.response.apply(plan)


def _play(told: Story, simulator: type[SourceSimulator], *, attacked: bool) -> None:
    """The windows; without an attack the attackers send nothing from the first one on."""
    with Workspace.init(told.home) as workspace:
        (told.home / "policy.toml").write_text(POLICY, encoding="utf-8")
        senders = simulator(told.home.parent / "desk", told.names, told.rows)
        senders.register(workspace)
        for window in range(told.windows):
            for name in told.names:
                poisons = name in told.attackers and window >= told.first
                if attacked or not poisons:
                    table = senders.table(name, window, flip=0.9 if poisons else 0.0)
                    senders.submit(workspace, name, window, table)
            senders.settle(workspace, window)


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory, simulator: type[SourceSimulator]) -> Story:
    """The poisoned workspace with its releases, channels and training runs."""
    path = tmp_path_factory.mktemp("story")
    releases: dict[str, str] = {}
    told = Story(path / "home", releases)
    _play(told, simulator, attacked=True)
    with Workspace.open(told.home) as workspace:
        for name, key in told.members.items():
            workspace.members.add(name, [key.public], ["steward"])
        response = workspace.response
        for name, version in (("r1", told.first), ("r2", told.windows)):
            made = workspace.releases.create(told.dataset, path / name, version)
            releases[name] = made.digest
            response.move_channel(told.dataset, "prod", release=made.digest, reason=name)
        response.move_channel(told.dataset, "dev", version=told.windows, reason="newest")
        response.train_run("monday", told.models["old"], directory=path / "r1")
        response.train_run("tuesday", told.models["new"], directory=path / "r2")
        response.train_run("wednesday", told.models["child"], bases=[told.models["new"]])
        response.train_run("thursday", told.models["other"], bases=[told.models["old"]])
    return told


@pytest.fixture(scope="session")
def clean_rows(
    tmp_path_factory: pytest.TempPathFactory, simulator: type[SourceSimulator]
) -> pa.Table:
    """The dataset of a twin to which the attackers never sent what they poisoned."""
    twin = Story(tmp_path_factory.mktemp("twin") / "home", {})
    _play(twin, simulator, attacked=False)
    with Workspace.open(twin.home) as workspace:
        return twin.rows_of(workspace)


@pytest.fixture
def home(story: Story, tmp_path: Path) -> Path:
    """A copy of the poisoned workspace, to do with as one likes."""
    shutil.copytree(story.home, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def poisoned(home: Path) -> Iterator[Workspace]:
    """The copy, opened."""
    with Workspace.open(home) as workspace:
        yield workspace


@pytest.fixture(scope="session")
def looked_at(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """One copy for all tests that change nothing."""
    path = tmp_path_factory.mktemp("looked-at") / "home"
    shutil.copytree(story.home, path)
    with Workspace.open(path) as workspace:
        yield workspace
