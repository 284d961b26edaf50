"""The verb: every check, one outcome, and what could not be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.core.errors import UsageError
from credenza.core.types import Outcome, Silence
from credenza.training.audit.builtin import CHECKS
from credenza.training.audit.case import Case, Check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.training.activations.extractor import Extractor
    from credenza.training.audit.case import Auditor, Drill, Judged, Rows

EXTRACTED = "network_"
"""Where ``TorchClassifier`` and ``TrainedNetwork`` keep the network."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What the checks found.

    Attributes:
        outcome: the worst of the checks; HOLD at the least when one was silent.
        checks: answers, in the order asked.
        silences: checks that could not look, and why.
    """

    outcome: Outcome
    checks: tuple[Check, ...]
    silences: tuple[Silence, ...]


def audit(
    model: Judged,
    baseline: Judged,
    clean: Rows,
    drill_triggers: Sequence[Drill] = (),
    *,
    train: Rows | None = None,
    extractor: Extractor | None = None,
    checks: Sequence[str | Auditor] | None = None,
    seed: int = 0,
) -> Audit:
    """Compare a model with its baseline on verified rows, under triggers, and inside.

    Never validation accuracy alone: a backdoored model has it. What a check is not asked
    about (``checks``) is not held against the model; what it is asked about and cannot
    see is. **Passing is no proof of absence**: each check says where it is blind.

    Args:
        model: under test; with ``network_``, its activations are read by themselves.
        baseline: learnt from verified rows alone.
        clean: verified rows that neither learnt from, at least 20 of each class.
        drill_triggers: a red team's triggers.
        train: the rows that the model learnt from.
        extractor: the model's activations, when it is no network.
        checks: names of ``CHECKS``, or checks; None: all.
        seed: of whatever a check draws.

    Raises:
        NotFoundError: no check has that name.
        UsageError: no check is asked, or the models know different classes.
    """
    chosen = [CHECKS.make(one) if isinstance(one, str) else one for one in _asked(checks)]
    _must_match(model, baseline, clean)
    case = Case(
        model,
        baseline,
        clean,
        train,
        drill_triggers,
        extractor if extractor is not None else _activations(model),
        seed,
    )
    answers = [one.check(case) for one in chosen]
    found = tuple(one for one in answers if isinstance(one, Check))
    silences = tuple(one for one in answers if isinstance(one, Silence))
    outcomes = [one.outcome for one in found] + [Outcome.HOLD] * len(silences)
    return Audit(max(outcomes), found, silences)


def _asked(checks: Sequence[str | Auditor] | None) -> Sequence[str | Auditor]:
    asked = CHECKS.names() if checks is None else checks
    if not asked:
        raise UsageError("no-checks", "an audit of nothing passes nobody", fix="name a check")
    return asked


def _must_match(model: Judged, baseline: Judged, clean: Rows) -> None:
    known = [one.predict_proba(clean.X[:1]).shape[1] for one in (model, baseline)]
    if known[0] != known[1] or clean.y.min() < 0 or clean.y.max() >= known[0]:
        raise UsageError(
            "classes-differ",
            "model, baseline and verified rows do not share their classes",
            why=f"the models know {known[0]} and {known[1]}, labels reach {clean.y.max()}",
            fix="give both models one column per class position, and labels as positions",
        )


def _activations(model: Judged) -> Extractor | None:
    network = getattr(model, EXTRACTED, None)
    if network is None:
        return None
    from credenza.training.activations.layers import (  # noqa: PLC0415 - torch is an extra
        LayerActivations,
    )

    return LayerActivations(network)
