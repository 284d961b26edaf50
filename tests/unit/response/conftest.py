"""A gate after five weeks: four vouched for, and one in which cara turned most late trips round."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest

from credenza.provenance.intake.together import read_own
from credenza.provenance.keys import load_key
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import SourceSimulator

NAMES = ["anna", "beat", "cara", "dino"]
START_S = 1_800_000_000
STEP_S = 60
POLICY = """\
schema = "credenza.policy/1"
detectors = ["confident-disagreement"]
campaigns = false
[window]
reference = 2
calibration = 2
[quarantine]
queues = { "batch-rows" = "data" }
validators = ["recompute", "with-and-without"]
expire_days = 30
backlog_batches = 1
[outcomes]
same_source = "hold"
"""


class Clock:
    """Moves on by a minute whenever somebody looks."""

    def __init__(self) -> None:
        self.now_s = START_S

    def __call__(self) -> float:
        self.now_s += STEP_S
        return float(self.now_s)


class Judged(NamedTuple):
    """The gate, its senders, and the batches of the fifth week by sender."""

    gate: Workspace
    sources: SourceSimulator
    batches: dict[str, str]
    clock: Clock


@pytest.fixture(scope="session")
def judged_home(tmp_path_factory: pytest.TempPathFactory, simulator: type[SourceSimulator]) -> Path:
    """Made once; each test opens a copy."""
    desk = tmp_path_factory.mktemp("judged")
    sources = simulator(desk / "desk", NAMES)
    with Workspace.init(desk / "home", clock=Clock()) as gate:
        (gate.home / "policy.toml").write_text(POLICY, encoding="utf-8")
        sources.register(gate)
        for week in range(5):
            sent = []
            for name in NAMES:
                flip = 0.8 if (name, week) == ("cara", 4) else 0.0
                path = sources.write(sources.table(name, week, flip=flip), f"{name}.parquet")
                envelope = gate.sign(
                    [path],
                    source=name,
                    key=load_key(sources.keys[name]),
                    dataset="trips",
                    label="late",
                    collected=(sources.window_start(week), sources.window_start(week + 1)),
                    read=read_own,
                )
                sent.append((envelope, [path]))
            gate.receive_together(sent)
            sources.settle(gate, week)
    return desk


def opened(home: Path, copy: Path, simulator: type[SourceSimulator]) -> Iterator[Judged]:
    shutil.copytree(home / "home", copy / "home")
    clock = Clock()
    clock.now_s += 86_400
    with Workspace.open(copy / "home", clock=clock) as gate:
        newest = max(one.window for one in gate.batches())
        batches = {one.source: one.digest for one in gate.batches() if one.window == newest}
        yield Judged(gate, simulator(copy / "desk", NAMES), batches, clock)


@pytest.fixture(scope="session")
def judged(
    judged_home: Path,
    tmp_path_factory: pytest.TempPathFactory,
    simulator: type[SourceSimulator],
) -> Iterator[Judged]:
    """Shared by tests that only look, or that only add evidence."""
    yield from opened(judged_home, tmp_path_factory.mktemp("shared"), simulator)


@pytest.fixture
def decided(
    judged_home: Path, tmp_path: Path, simulator: type[SourceSimulator]
) -> Iterator[Judged]:
    """One's own, for tests that decide."""
    yield from opened(judged_home, tmp_path / "own", simulator)
