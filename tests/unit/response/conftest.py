"""A gate after five weeks: four vouched for, and one in which cara turned most late trips round."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from credenza.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import SourceSimulator

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


def make_judged(home: object, simulator: type[SourceSimulator]) -> Judged:
    clock = Clock()
    gate = Workspace.init(home / "home", clock=clock)  # type: ignore[operator] # a Path
    (gate.home / "policy.toml").write_text(POLICY, encoding="utf-8")
    names = ["anna", "beat", "cara", "dino"]
    sources = simulator(home / "desk", names)  # type: ignore[operator] # a Path
    sources.register(gate)
    sources.play(gate, range(4))
    batches = {}
    for name in names:
        table = sources.table(name, 4, flip=0.8 if name == "cara" else 0.0)
        batches[name] = sources.submit(gate, name, 4, table).batch
    sources.settle(gate, 4)
    return Judged(gate, sources, batches, clock)


@pytest.fixture(scope="session")
def judged(
    tmp_path_factory: pytest.TempPathFactory, simulator: type[SourceSimulator]
) -> Iterator[Judged]:
    """Shared by tests that only look, or that only add evidence."""
    made = make_judged(tmp_path_factory.mktemp("judged"), simulator)
    yield made
    made.gate.close()


@pytest.fixture
def decided(
    tmp_path_factory: pytest.TempPathFactory, simulator: type[SourceSimulator]
) -> Iterator[Judged]:
    """One's own, for tests that decide."""
    made = make_judged(tmp_path_factory.mktemp("decided"), simulator)
    yield made
    made.gate.close()
