"""A recovery that is killed again and again comes to the end it would have come to anyway."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.canonical import canonical_json
from credenza.core.rows import row_root
from credenza.response.steps.step import Wishes
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.response.recovery.conftest import Story

    from credenza.response.plan import Plan

KILLS = 5
# The child applies the plan, and says when it begins.
CHILD = """\
import sys
from pathlib import Path
from credenza.workspace import Workspace
with Workspace.open(Path(sys.argv[1])) as workspace:
    plan = workspace.response.read_plan(Path(sys.argv[2]).read_bytes())
    print("begins", flush=True)
    workspace.response.apply(plan)
"""


def run_and_kill(home: Path, plan: Path, after_s: float) -> bool:
    """Apply in a child and kill it; whether it was killed before it was done."""
    command = [sys.executable, "-c", CHILD, str(home), str(plan)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(after_s)
        os.kill(child.pid, signal.SIGKILL)
        return child.wait() == -signal.SIGKILL


def end_of(story: Story, home: Path, plan: Plan) -> dict[str, object]:
    """What must be the same at the end, however it was reached."""
    with Workspace.open(home) as workspace:
        story.finish(workspace, plan)
        kinds = Counter(entry.kind for entry in workspace.log.ledger.entries())
        assert workspace.log.audit().problems == ()
        return {
            "rows": row_root(story.rows_of(workspace)),
            "versions": [(one.number, one.rows) for one in workspace.datasets.log(story.dataset)],
            "channel": workspace.response.channel(story.dataset, "prod").version,
            "recalled": list(workspace.releases.recalled()),
            "batches": [(one.digest, one.status) for one in workspace.batches()],
            **{
                kind: kinds[kind]
                for kind in ("recovery-step", "excision", "channel", "declaration", "hold")
            },
        }


def test_a_recovery_that_is_killed_comes_to_the_same_end(
    story: Story, home: Path, tmp_path: Path
) -> None:
    wishes = Wishes(retrain=("cp", "{release}/_release.dsse.json", "{model}"))
    with Workspace.open(home) as workspace:
        plan = workspace.response.plan(story.suspicion, wishes)
    file = tmp_path / "plan.json"
    file.write_bytes(canonical_json(plan.document))
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(home, undisturbed)
    moments = np.random.default_rng(5).random(KILLS) * 0.4
    killed = [run_and_kill(home, file, float(moment)) for moment in moments]
    assert any(killed)
    assert end_of(story, home, plan) == end_of(story, undisturbed, plan)
