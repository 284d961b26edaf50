"""A rule, the number of faulty clients it must bear, and the passes over the updates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import InternalError, UntrustedError, UsageError
from credenza.training.aggregation.combine import carry_out
from credenza.training.aggregation.gram import measure, screened
from credenza.training.aggregation.rule import Crowd, anchors_of
from credenza.training.aggregation.updates import open_round
from credenza.training.aggregation.verdicts import judge

if TYPE_CHECKING:
    from credenza.core.types import Floats
    from credenza.training.aggregation.blocks import Row
    from credenza.training.aggregation.rule import Plan, Rule
    from credenza.training.aggregation.updates import Round, Updates
    from credenza.training.aggregation.verdicts import ClientVerdict

BEYOND = 5.0
"""Robust standard units; of simulated honest clients 1 % cross it at n = 6, .1 % at n = 20."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A round's combined update and what it says of each client."""

    update: Floats
    verdicts: tuple[ClientVerdict, ...]


@dataclass(frozen=True, slots=True)
class RobustAggregator:
    """Combines the updates of a round by one rule, in bounded memory.

    Updates are read in blocks of coordinates, from memory or from memory maps: one pass
    for the Gram matrix where the rule needs it, one for the output. A client whose update
    is malformed is left out, named in the verdicts, and counts as one of ``f``.

    Attributes:
        name: the rule's name.
        rule: what decides on the weights.
        f: at most this many clients are hostile, malformed ones among them.
        dimension: the model's number of parameters; None: as most clients say.
        beyond: robust standard units from which a verdict says that a client stands out.
    """

    name: str
    rule: Rule
    f: int
    dimension: int | None = None
    beyond: float = BEYOND

    def combine(self, updates: Updates) -> Floats:
        """``(d,)`` float64 update.

        Args:
            updates: ``(n, d)`` matrix or memory map, or ``n`` vectors; never weights.

        Raises:
            UsageError: too few clients for the rule, or nothing well-formed.
            UntrustedError: more clients are malformed than may be faulty.
        """
        taken = open_round(updates, self.dimension)
        anchors = anchors_of(self.rule, taken.dimension)
        if self.rule.measures:
            gram, taken = measure(taken, anchors)
            plan = self._plan(taken, gram)
        else:
            taken = screened(taken)
            plan = self._plan(taken, None)
        return carry_out(plan, (*taken.rows, *anchors), taken.dimension)

    def verdicts(self, updates: Updates) -> tuple[ClientVerdict, ...]:
        """What the round says of each client, without combining; raises as ``combine``."""
        return self._judged(updates)[3]

    def settle(self, updates: Updates) -> Settled:
        """Both at the cost of one Gram matrix; raises as ``combine``."""
        taken, anchors, plan, verdicts = self._judged(updates)
        return Settled(carry_out(plan, (*taken.rows, *anchors), taken.dimension), verdicts)

    def _judged(
        self, updates: Updates
    ) -> tuple[Round, tuple[Row, ...], Plan, tuple[ClientVerdict, ...]]:
        taken = open_round(updates, self.dimension)
        anchors = anchors_of(self.rule, taken.dimension)
        gram, taken = measure(taken, anchors)
        size = len(taken.rows)
        plan = self._plan(taken, gram)
        shares = plan.mix.mean(axis=0)[:size]
        said = judge(gram[:size, :size], taken.clients, taken.excluded, shares, self.beyond)
        return taken, anchors, plan, said

    def _plan(self, taken: Round, gram: Floats | None) -> Plan:
        size, malformed = len(taken.rows), len(taken.excluded)
        if malformed > self.f > 0:
            raise UntrustedError(
                "too-many-malformed",
                f"{malformed} updates are malformed, {self.f} may be faulty",
                why="; ".join(f"client {c} {why}" for c, why in sorted(taken.excluded.items())),
                fix="look at these clients before the round is combined",
            )
        faulty = max(self.f - malformed, 0)
        least = self.rule.least(faulty)
        if size < least:
            raise UsageError(
                "too-few-clients",
                f"{self.name} with f={faulty} needs {least} clients, {size} are left",
                why=f"{malformed} of {size + malformed} updates are malformed",
                fix="lower f, wait for more clients, or choose a rule that needs fewer",
            )
        return self.rule.plan(Crowd(size, faulty, lambda: _needed(gram)))


def _needed(gram: Floats | None) -> Floats:
    # A rule that says it measures nothing and then does is a defect of the rule.
    if gram is None:
        raise InternalError("rule-measures", "a rule asks for distances it did not announce")
    return np.array(gram)
