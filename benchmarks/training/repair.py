"""What each repair leaves of four backdoors, and what it costs.

    OMP_NUM_THREADS=1 python benchmarks/training/repair.py

Two states of knowledge: a tenth of the poison is known, or only the class that the trigger
leads to. Attack success is measured with the true trigger, on test rows that no repair saw;
accuracy is the change against the backdoored model. "No defence" is the first line.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

import numpy as np
from fashion import TARGET, arguments, learn, make_world

from credenza.training.audit.case import Rows
from credenza.training.repair.builtin import REPAIRS
from credenza.training.repair.repair import repair
from credenza.training.torch_classifier import TrainedNetwork

SUSPECTS, CLASS, NOTHING = "a tenth", "the class", "nothing"
KNOWS = {
    "activation-pruning": (SUSPECTS,),
    "retain-not-target": (SUSPECTS,),
    "transplant": (SUSPECTS,),
    "unlearn": (SUSPECTS, CLASS),
}


def main() -> None:
    """Print the tables."""
    asked = arguments(__doc__ or "", (10, 11, 12, 13, 14))
    for attack in asked.attacks:
        found: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
        hidden = 0
        for seed in asked.seeds:
            world = make_world(asked.data, attack, seed)
            model = learn(world, seed)
            before = world.accuracy(model)
            found["(no defence)", NOTHING].append((world.success(model), 0.0, 0.0))
            rng = np.random.default_rng(seed)
            known = world.X[rng.choice(world.bad, max(1, len(world.bad) // 10), replace=False)]
            methods = asked.methods or REPAIRS
            for method, knows in [(one, k) for one in methods for k in KNOWS.get(one, (NOTHING,))]:
                began = time.process_time()
                done = repair(
                    model.network_,
                    Rows(*world.clean),
                    known if knows == SUSPECTS else None,
                    method=method,
                    target=TARGET,
                    drills=[world.trigger],
                    seed=seed,
                )
                mended: Any = TrainedNetwork(done.network)
                success, change = world.success(mended), world.accuracy(mended) - before
                found[method, knows].append((success, change, time.process_time() - began))
                # A tenth of slack: the report sees other rows than the test does.
                failed = success > 0.1 or change < -0.02
                hidden += failed and not done.report.failures
        print(f"\n{attack}: {len(asked.seeds)} seeds; failures hidden by a report: {hidden}")
        titles = f"{'attack success (worst)':>25}{'accuracy (worst)':>22}{'CPU s':>8}"
        print(f"{'method':22}{'knows':>10}{titles}")
        for (method, knows), figures in found.items():
            success, change, took = np.array(figures).T
            left = f"{np.median(success):.3f} ({success.max():.3f})"
            lost = f"{np.median(change):+.3f} ({change.min():+.3f})"
            print(f"{method:22}{knows:>10}{left:>25}{lost:>22}{np.median(took):8.1f}", flush=True)


if __name__ == "__main__":
    main()
