"""The verb: mend, and measure before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.errors import UsageError
from credenza.training.audit.case import Rows, guesses
from credenza.training.audit.drills import Overlay
from credenza.training.audit.transplant import guess_trigger
from credenza.training.repair.builtin import REPAIRS
from credenza.training.repair.evidence import Evidence
from credenza.training.torch_classifier import TrainedNetwork

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credenza.core.types import Bools
    from credenza.training.audit.case import Drill, Judged
    from credenza.training.repair.evidence import Repair

JUDGED_SHARE = 0.2
LOST = 0.01
LEFT = 0.05


@dataclass(frozen=True, slots=True)
class Figures:
    """A model on verified rows that no repair has used.

    Attributes:
        accuracy: share of right answers.
        per_class: the same by class position.
        attack_success: by trigger, the share of rows of other classes called the target;
            NaN where the target is not known.
    """

    accuracy: float
    per_class: Mapping[int, float]
    attack_success: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RepairReport:
    """Before and after, with whatever failed.

    There is no field that says "clean": that cannot be known from here.

    Attributes:
        method: what was done.
        rows: verified rows that both were judged on.
        before: the given model.
        after: the mended one.
        failures: what did not go as wished, in words.
        sentence: generated from the figures.
    """

    method: str
    rows: int
    before: Figures
    after: Figures
    failures: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class Repaired:
    """A mended network and its report."""

    network: Any
    report: RepairReport


def repair(
    network: Any,  # noqa: ANN401 - torch is untyped
    clean: Rows,
    suspects: Any = None,  # noqa: ANN401 - arrays of any kind
    *,
    method: str | Repair = "transplant",
    target: int = -1,
    drills: Sequence[Drill] = (),
    seed: int = 0,
) -> Repaired:
    """Mend a network with verified rows, and say what that changed.

    "transplant" needs suspects; "unlearn" needs only a guess of the class. Part of the
    verified rows is kept out of the repair to judge it. A trigger that nobody knows is
    measured by none of the figures, so the report never calls the model clean.

    Args:
        network: a ``torch.nn.Module``; it stays as it is.
        clean: verified rows.
        suspects: ``(k, …)`` rows that may carry the trigger.
        method: a name of ``REPAIRS``, or a repair.
        target: class position that the trigger leads to; -1: what the network calls most
            suspects.
        drills: triggers that are known, to be measured with.
        seed: of whatever is drawn.

    Raises:
        NotFoundError: no repair has that name.
        UsageError: the method lacks what it learns from, or there are too few rows.
    """
    used, judged = _split(clean, seed)
    if target < 0 and suspects is not None and len(suspects):
        target = int(np.bincount(guesses(TrainedNetwork(network), suspects)).argmax())
    chosen = REPAIRS.make(method) if isinstance(method, str) else method
    mended = chosen.mend(network, Evidence(used, suspects, target, seed))
    known = list(drills)
    if suspects is not None and len(suspects):
        known.append(Overlay("guess from suspects", guess_trigger(suspects, used)))
    before, after = (
        _measure(TrainedNetwork(one), judged, known, target) for one in (network, mended)
    )
    name = method if isinstance(method, str) else type(method).__name__
    failures = _failures(before, after)
    sentence = _sentence(name, before, after, failures)
    return Repaired(mended, RepairReport(name, len(judged.y), before, after, failures, sentence))


def _split(clean: Rows, seed: int) -> tuple[Rows, Rows]:
    order = np.random.default_rng(seed).permutation(len(clean.y))
    kept = int(len(order) * JUDGED_SHARE)
    if kept < 1:
        raise UsageError("too-few-rows", f"{len(order)} verified rows are too few to judge by")
    X = np.asarray(clean.X)
    return Rows(X[order[kept:]], clean.y[order[kept:]]), Rows(
        X[order[:kept]], clean.y[order[:kept]]
    )


def _measure(model: Judged, rows: Rows, drills: Sequence[Drill], target: int) -> Figures:
    right = guesses(model, rows.X) == rows.y
    others: Bools = rows.y != target
    success = {}
    for drill in drills:
        called = guesses(model, drill.stamp(np.asarray(rows.X)[others])) == target
        success[drill.name] = float(called.mean()) if target >= 0 and others.any() else float("nan")
    per_class = {int(label): float(right[rows.y == label].mean()) for label in np.unique(rows.y)}
    return Figures(float(right.mean()), per_class, success)


def _failures(before: Figures, after: Figures) -> tuple[str, ...]:
    found = []
    if before.accuracy - after.accuracy > LOST:
        found.append(f"accuracy fell from {before.accuracy:.1%} to {after.accuracy:.1%}")
    for label, share in after.per_class.items():
        if before.per_class[label] - share > 5 * LOST:
            found.append(f"class {label} fell from {before.per_class[label]:.1%} to {share:.1%}")
    for name, share in after.attack_success.items():
        if not share <= LEFT:
            found.append(f"the trigger '{name}' still succeeds in {share:.1%}")
    if not after.attack_success:
        found.append("no trigger is known or guessed: the attack's success was not measured")
    return tuple(found)


def _sentence(name: str, before: Figures, after: Figures, failures: tuple[str, ...]) -> str:
    parts = [f"{name}: accuracy {before.accuracy:.1%} before, {after.accuracy:.1%} after"]
    parts += [
        f"'{trigger}' succeeds in {share:.1%} before, {after.attack_success[trigger]:.1%} after"
        for trigger, share in before.attack_success.items()
    ]
    parts += failures
    return "; ".join(parts) + ". This does not show that the model is clean."
