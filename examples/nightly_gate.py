"""A nightly job: hand in what a feed sent, have it judged, train only on a verified release.

Run it as it is in an empty directory: it makes a workspace and plays five nights, in the
last of which somebody calls half of the longest delays punctual. Run it again, and nothing
is handed in twice. Exit code 4 says that something waits for a person.
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

from pyarrow import parquet

from credenza import UntrustedError, Workspace, load_release

# A batch is judged as it comes, once three are known that you vouch for.
POLICY = """
schema = "credenza.policy/1"
campaigns = false
[window]
days = 0
reference = 2
calibration = 1
"""
FEED, KEY, DATASET = "acme", Path("acme.key"), "flights"


def open_workspace() -> Workspace:
    """The workspace here; the first night makes it, and registers the feed."""
    if Path(".credenza").exists():
        return Workspace.open()
    workspace = Workspace.init()
    (workspace.home / "policy.toml").write_text(POLICY, encoding="utf-8")
    workspace.add_source(FEED, [Workspace.new_key(KEY)])
    return workspace


def write_night(night: int) -> Path:
    """What the feed sent: a thousand flights, and whether they were late."""
    rng, path = random.Random(night), Path(f"night-{night}.csv")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["carrier", "departure_delay", "hour", "late"])
        for _ in range(1000):
            carrier, hour = rng.choice(["AA", "DL", "UA"]), rng.randint(5, 22)
            delay = round(rng.gauss(hour, 20))
            is_late = delay + rng.gauss(0, 5) > 15
            if night == 5 and delay > 40 and rng.random() < 0.5:
                is_late = False
            writer.writerow([carrier, delay, hour, "yes" if is_late else "no"])
    return path


def run(workspace: Workspace, night: int) -> None:
    """One night's job. A refused batch is in the ledger too, and stops nothing."""
    try:
        receipt = workspace.submit(
            [write_night(night)], source=FEED, key=KEY, dataset=DATASET, label="late"
        )
    except UntrustedError as refusal:
        print(refusal, file=sys.stderr)
        return
    known = ", which was in already" if receipt.is_repeat else ""
    print(f"night {night}: batch {receipt.batch[:12]} {receipt.status}{known}")
    for reason in workspace.batch(receipt.batch).reasons:
        print(f"  {reason.sentence}")


def main() -> int:
    """Five nights, then a release that is verified before anybody learns from it."""
    with open_workspace() as workspace:
        for night in range(1, 6):
            run(workspace, night)
        out = Path(f"release-{len(workspace.releases.all()) + 1}")
        workspace.releases.create(DATASET, out)
        release = load_release(out, trust=[workspace.public_key], store=Path("verified"))
        with release.open(release.names[0]) as file:  # the very bytes that were verified
            print(f"{out}: {parquet.read_table(file).num_rows} rows to train on")
        return 4 if workspace.reviews() else 0


if __name__ == "__main__":
    sys.exit(main())
