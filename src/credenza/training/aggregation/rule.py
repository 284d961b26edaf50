"""What a rule sees of a round, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.core.types import Floats, Ints
    from credenza.training.aggregation.blocks import Row


@dataclass(frozen=True, slots=True)
class Crowd:
    """The clients of a round as geometry.

    Attributes:
        size: clients; the rows after them are the rule's own anchors.
        faulty: at most this many of them are hostile.
        measure: the ``(size + a, size + a)`` centred Gram matrix, when it is needed.
    """

    size: int
    faulty: int
    measure: Callable[[], Floats]


@dataclass(frozen=True, slots=True)
class Plan:
    """How the output is made of the rows.

    Attributes:
        mix: ``(m, size + a)`` weights; row k makes the k-th candidate vector.
        reduce: takes ``(width, m)`` candidates, sorted along the last axis, to
            ``(width,)`` outputs; None when m is 1 and the candidate is the output.
        read: places of the m sorted ones that it looks at; None: all of them.
    """

    mix: Floats
    reduce: Callable[[Row], Floats] | None = None
    read: range | None = None


class Rule(Protocol):
    """One way to combine updates; knows geometry, never touches the vectors."""

    @property
    def measures(self) -> bool:
        """Whether it needs the Gram matrix."""
        ...

    def least(self, faulty: int) -> int:
        """The fewest clients for which its promise holds with ``faulty`` of them hostile."""
        ...

    def plan(self, crowd: Crowd) -> Plan:
        """What to make of this crowd."""
        ...


@runtime_checkable
class Anchored(Protocol):
    """A rule that also measures vectors which are no client's."""

    def anchors(self, dimension: int) -> tuple[Row, ...]:
        """Vectors of ``dimension`` values, in the order in which its plan weighs them."""
        ...


def anchors_of(rule: Rule, dimension: int) -> tuple[Row, ...]:
    """The rule's anchors, if it has any.

    Raises:
        UsageError: one has another length than the updates.
    """
    anchors = rule.anchors(dimension) if isinstance(rule, Anchored) else ()
    for anchor in anchors:
        if anchor.shape != (dimension,):
            raise UsageError(
                "bad-anchor",
                f"a reference vector has the shape {anchor.shape}",
                why=f"the updates of this round have {dimension} values",
                fix="give a vector of the model's dimension",
            )
    return anchors


def weighted(weights: Floats, anchors: int = 0) -> Plan:
    """The plan of one weighted sum; anchors without a weight get none."""
    return Plan(np.concatenate([weights, np.zeros(anchors)])[None, :])


def average_of(places: Ints, size: int) -> Floats:
    """``(size,)`` equal weights on ``places`` and none elsewhere."""
    weights = np.zeros(size)
    weights[places] = 1 / len(places)
    return weights
