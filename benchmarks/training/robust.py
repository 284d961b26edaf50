"""What each defence inside the training loop does to backdoors, label noise and accuracy.

    OMP_NUM_THREADS=1 python benchmarks/training/robust.py

The columns are accuracy without an attack, then attack success (and accuracy) under each
backdoor, then accuracy under 20 % of labels moved to the next class. A defence that loses to
"none" somewhere is shown losing.
"""

from __future__ import annotations

import dataclasses
import time
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from fashion import arguments, learn, make_world

from credenza.training.robust.builtin import DEFENCES

if TYPE_CHECKING:
    from fashion import World


def main() -> None:
    """Print the table."""
    asked = arguments(__doc__ or "", (10, 11, 12))
    found: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    took: dict[str, list[float]] = defaultdict(list)
    for seed in asked.seeds:
        for attack in ("none", *asked.attacks, "flips"):
            world = make_world(asked.data, "none" if attack == "flips" else attack, seed)
            world = flipped(world, seed) if attack == "flips" else world
            for name in ("none", *DEFENCES):
                began = time.process_time()
                given = [] if name == "none" else [DEFENCES.make(name)]
                model = learn(world, seed, defences=given)
                took[name].append(time.process_time() - began)
                accuracy, success = world.accuracy(model), world.success(model)
                found[name][attack].append((accuracy, success))
                print(f"seed {seed} {attack:16}{name:18}{accuracy:.3f} {success:.2f}", flush=True)
    print(f"{len(asked.seeds)} seeds; medians, the worst in brackets")
    print(f"{'defence':18}" + "".join(f"{one:>24}" for one in found["none"]) + f"{'x CPU':>8}")
    for name, columns in found.items():
        cells = []
        for attack, figures in columns.items():
            accuracy, success = np.array(figures).T
            plain = f"{np.median(accuracy):.3f} ({accuracy.min():.3f})"
            hit = f"{np.median(success):.2f} ({success.max():.2f}) at {np.median(accuracy):.3f}"
            cells.append(plain if attack in ("none", "flips") else hit)
        cost = np.median(took[name]) / np.median(took["none"])
        print(f"{name:18}" + "".join(f"{cell:>24}" for cell in cells) + f"{cost:8.1f}", flush=True)


def flipped(world: World, seed: int) -> World:
    """A fifth of the labels moved to the next class."""
    rng = np.random.default_rng(seed)
    rows = rng.random(len(world.y)) < 0.2
    return dataclasses.replace(world, y=np.where(rows, (world.y + 1) % 10, world.y))


if __name__ == "__main__":
    main()
