"""A small gate with a campaign in it, and its service on loopback."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from credenza.core.types import Campaign
from credenza.gate.journal import Event
from credenza.gate.records import to_json
from credenza.provenance.intake.together import read_own
from credenza.provenance.keys import key_from_seed
from credenza.store.rows import WindowRow
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from credenza.core.canonical import Json

    Serve = Callable[..., "Service"]

NAMES = ("alpha", "bravo", "carol", "delta", "echo", "fox")
GUILTY = ("bravo", "delta", "echo")
DATASET = "trips"
TOKEN = "t" * 43
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e\"'&<!--"
WEEKS = 9
POLICY = """\
schema = "credenza.policy/1"
detectors = []
[window]
reference = 2
calibration = 6
"""


@dataclass
class Gate:
    """Six senders; in the ninth week three of them send a dozen rows with a hostile value."""

    home: Path
    desk: Path

    def week(self, workspace: Workspace, week: int) -> None:
        """One week, handed in and settled."""
        monday = dt.date(2024, 1, 1) + dt.timedelta(days=7 * week)
        span = (monday.isoformat(), (monday + dt.timedelta(days=7)).isoformat())
        sent = []
        for place, name in enumerate(NAMES):
            path = self.desk / f"{name}.parquet"
            pq.write_table(_rows(name, week), path)
            envelope = workspace.sign(
                [path],
                source=name,
                key=key_from_seed(bytes([place + 1]) * 32),
                dataset=DATASET,
                label="late",
                collected=span,
                read=read_own,
            )
            sent.append((envelope, [path]))
        workspace.receive_together(sent)
        workspace.settle(DATASET, until=span[1])


@dataclass
class Answered:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Service:
    """A running service, and what it has logged."""

    port: int
    log: list[str] = field(default_factory=list)

    def has_logged(self, words: str) -> bool:
        """Whether a line of the log has these words; it is written after the answer is sent."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if any(words in line for line in self.log):
                return True
            time.sleep(0.01)
        return False

    def get(self, path: str, method: str = "GET", **headers: str) -> Answered:
        """Ask with the token; a header given as "" is left out."""
        given = {"Host": "127.0.0.1", "Authorization": f"Bearer {TOKEN}"} | headers
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=True)
            for name, value in given.items():
                if value:
                    connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Answered(answer.status, told, answer.read())


def _rows(name: str, week: int) -> pa.Table:
    rng = np.random.default_rng([week, *name.encode()])
    town = rng.choice(["Bern", "Chur", "Genf"], 120).tolist()
    if week == WEEKS - 1 and name in GUILTY:
        town[:12] = [HOSTILE] * 12
    hour, distance = rng.integers(5, 23, 120), rng.normal(0, 20, 120).round(1)
    late = distance + hour + rng.normal(0, 5, 120) > 20
    labels = pa.array(np.where(late, "yes", "no").tolist())
    return pa.table({"town": town, "hour": hour, "distance": distance, "late": labels})


def _add_hostile_campaign(workspace: Workspace) -> None:
    """What a settlement leaves whose sources have hostile names: with a control chart."""
    journal = workspace._stores.journal
    with journal.catalog.snapshot() as index:
        newest = index.newest(WindowRow, by="window", dataset=DATASET)
    assert newest is not None
    who, statistic = (HOSTILE, "alpha"), workspace.panel(DATASET).statistics[0]
    window, evidence = "2024-03-04", {"score": HOSTILE, "history_windows": 9}
    campaign = Campaign(who, (), (), statistic, "up", window, 0.01, 0.0, evidence)
    document: dict[str, Json] = {
        "dataset": DATASET,
        "window": window,
        "late": False,
        "batches": [],
        "campaigns": to_json((campaign,)),
        "watch": [],
        "probation": [],
        "until": "",
        "panel": newest.state,
        "publish": [],
        "dominance": [f"town {HOSTILE} leans on alpha"],
    }
    journal.record([Event("settlement", document)])


@pytest.fixture(scope="session")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Gate:
    """Nine settled weeks, and a campaign of hostile names after them. Only to be read."""
    desk = tmp_path_factory.mktemp("gate")
    made = Gate(desk / "home", desk)
    with Workspace.init(made.home) as workspace:
        (made.home / "policy.toml").write_text(POLICY, encoding="utf-8")
        for place, name in enumerate(NAMES):
            workspace.add_source(name, [key_from_seed(bytes([place + 1]) * 32).public])
        for week in range(WEEKS):
            made.week(workspace, week)
        _add_hostile_campaign(workspace)
    return made


@contextlib.contextmanager
def serving(home: Path, *names: str) -> Iterator[Service]:
    """The service of a workspace on a free port, until the block ends."""
    from credenza.interfaces.api.guard import Guard  # noqa: PLC0415 - other tests need none of it
    from credenza.interfaces.api.pages import pages  # noqa: PLC0415
    from credenza.interfaces.api.serving import listen, server_of  # noqa: PLC0415

    with listen("127.0.0.1", 0) as listening:
        service = Service(listening.getsockname()[1])
        server = server_of(Guard(pages(home), TOKEN.encode(), names, service.log.append))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield service
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def service(gate: Gate) -> Iterator[Service]:
    """The service of ``gate``."""
    with serving(gate.home, "gate.example") as running:
        yield running


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts services of other workspaces, and ends them."""
    with contextlib.ExitStack() as running:
        yield lambda home: running.enter_context(serving(home))
