"""A workspace with a small policy, and senders, honest or hostile, that feed it."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, settings

from credenza.provenance.keys import key_from_seed, save_key
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from credenza.gate.reception import Receipt
    from credenza.gate.settlement import Settlement

    NewSources = Callable[..., "SourceSimulator"]
    NewWorkspace = Callable[..., Workspace]

# No test is judged by the clock: a busy machine is not a defect.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first, the others in the order that they were given."""
    items.sort(key=lambda item: item.get_closest_marker("longest") is None)


DATASET = "trips"
LABEL = "late"
FIRST_DAY = dt.date(2024, 1, 1)  # a Monday, like the default policy's anchor
NOW_S = 1_800_000_000.0

POLICY = """\
schema = "credenza.policy/1"
detectors = [{detectors}]
campaigns = {campaigns}

[window]
days = {days}
reference = {reference}
calibration = {calibration}

[budget]
{budget}

[outcomes]
{outcomes}
"""


class SourceSimulator:
    """Senders of one dataset: each has its key, and rows that its seed determines.

    A row is a trip: the farther and the later in the day, the likelier it is ``late``,
    so a model has something to learn, and flipped labels contradict it.
    """

    def __init__(self, desk: Path, names: Sequence[str], rows: int = 60) -> None:
        self.names = tuple(names)
        self.rows = rows
        self._desk = desk
        self.keys = {name: desk / f"{name}.key" for name in self.names}
        desk.mkdir(parents=True, exist_ok=True)
        for place, name in enumerate(self.names):
            save_key(key_from_seed(bytes([place + 1]) * 32), self.keys[name])

    @staticmethod
    def window_start(window: int) -> str:
        """The first day of a window, counted from 0."""
        return (FIRST_DAY + dt.timedelta(days=7 * window)).isoformat()

    def register(self, workspace: Workspace) -> None:
        for place, name in enumerate(self.names):
            workspace.add_source(name, [key_from_seed(bytes([place + 1]) * 32).public])

    def table(self, name: str, window: int, *, flip: float = 0.0) -> pa.Table:
        """A window's rows; ``flip`` is the share of its late trips called punctual."""
        rng = np.random.default_rng([window, *name.encode()])
        distance, hour = rng.normal(0.0, 1.0, self.rows), rng.integers(5, 24, self.rows)
        late = distance + (hour - 14) / 5 + rng.normal(0.0, 0.3, self.rows) > 0
        late &= rng.random(self.rows) >= flip
        return pa.table(
            {
                "distance": pa.array(distance),
                "hour": pa.array(hour),
                "town": pa.array(rng.choice(["Bern", "Genf", "Chur"], self.rows).tolist()),
                LABEL: pa.array(np.where(late, "yes", "no").tolist()),
            }
        )

    def write(self, table: pa.Table, name: str = "batch.parquet") -> Path:
        path = self._desk / name
        pq.write_table(table, path)
        return path

    def submit(
        self, workspace: Workspace, name: str, window: int, table: pa.Table | None = None
    ) -> Receipt:
        return self.submit_file(
            workspace,
            name,
            window,
            self.write(self.table(name, window) if table is None else table),
        )

    def submit_file(
        self,
        workspace: Workspace,
        name: str,
        window: int,
        path: Path,
        *,
        dataset: str = DATASET,
        label: str = LABEL,
    ) -> Receipt:
        return workspace.submit(
            [path],
            source=name,
            key=self.keys[name],
            dataset=dataset,
            label=label,
            collected=(self.window_start(window), self.window_start(window + 1)),
            again=True,
        )

    def settle(self, workspace: Workspace, window: int) -> list[Settlement]:
        return workspace.settle(DATASET, until=self.window_start(window + 1))

    def play(
        self, workspace: Workspace, windows: range, *, flips: Mapping[str, float] | None = None
    ) -> list[Settlement]:
        """Every sender submits once a window, and each window is settled."""
        done: list[Settlement] = []
        for window in windows:
            for name in self.names:
                flip = (flips or {}).get(name, 0.0)
                self.submit(workspace, name, window, self.table(name, window, flip=flip))
            done += self.settle(workspace, window)
        return done


@pytest.fixture(scope="session")
def simulator() -> type[SourceSimulator]:
    """The senders, for fixtures that outlive one test."""
    return SourceSimulator


@pytest.fixture
def new_sources(tmp_path: Path) -> NewSources:
    """Makes senders of the given names, and rows a batch."""

    def make(*names: str, rows: int = 60) -> SourceSimulator:
        return SourceSimulator(tmp_path / "desk", names, rows)

    return make


@pytest.fixture
def sources(tmp_path: Path) -> SourceSimulator:
    """Four honest senders."""
    return SourceSimulator(tmp_path / "desk", ["anna", "beat", "cara", "dino"])


@contextlib.contextmanager
def workspaces_in(folder: Path) -> Iterator[NewWorkspace]:
    """Makes workspaces under a policy of a few windows, and closes them at the end."""
    made: list[Workspace] = []

    def make(
        name: str = "home",
        *,
        days: int = 7,
        reference: int = 2,
        calibration: int = 2,
        detectors: Sequence[str] = ("confident-disagreement", "duplicates"),
        campaigns: bool = False,
        budget: Mapping[str, float] | None = None,
        outcomes: Mapping[str, str] | None = None,
        catalog_url: str = "",
    ) -> Workspace:
        workspace = Workspace.init(folder / name, catalog_url=catalog_url, clock=lambda: NOW_S)
        text = POLICY.format(
            detectors=", ".join(f'"{name}"' for name in detectors),
            campaigns=str(campaigns).lower(),
            days=days,
            reference=reference,
            calibration=calibration,
            budget="\n".join(f"{key} = {value}" for key, value in (budget or {}).items()),
            outcomes="\n".join(f'{key} = "{value}"' for key, value in (outcomes or {}).items()),
        )
        (workspace.home / "policy.toml").write_text(text, encoding="utf-8")
        made.append(workspace)
        return workspace

    yield make
    for workspace in made:
        workspace.close()


@pytest.fixture
def new_workspace(tmp_path: Path) -> Iterator[NewWorkspace]:
    """Makes workspaces of a test's own; see ``workspaces_in``."""
    with workspaces_in(tmp_path) as make:
        yield make


@pytest.fixture(scope="module")
def shared_workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewWorkspace]:
    """Makes workspaces that the tests of a module only read, or copy; see ``workspaces_in``."""
    with workspaces_in(tmp_path_factory.mktemp("shared")) as make:
        yield make


@pytest.fixture
def workspace(new_workspace: NewWorkspace, sources: SourceSimulator) -> Workspace:
    """A workspace that knows the four honest senders."""
    made = new_workspace()
    sources.register(made)
    return made
