"""The new model must do what it should, by the user's own benchmarks."""

from __future__ import annotations

import math
import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from credenza.core.errors import ConflictError, UsageError
from credenza.response.steps.command import check_words, run
from credenza.response.steps.retrain import PLACES
from credenza.response.steps.step import RECOVER, Done

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.response.steps.step import Case, Job

_CRITERION = re.compile(r"\s*([A-Za-z_][\w.-]{0,63})\s*(>=|<=)\s*(-?\d+(?:\.\d+)?)\s*\Z")
_HOLDS: Mapping[str, Callable[[float, float], bool]] = {">=": operator.ge, "<=": operator.le}


class Criterion(NamedTuple):
    """A bound on one figure."""

    figure: str
    relation: str
    bound: float

    def holds(self, figures: Mapping[str, float]) -> bool:
        """Whether the figure was measured and keeps the bound."""
        return _HOLDS[self.relation](figures.get(self.figure, math.nan), self.bound)


def criterion(text: str) -> Criterion:
    """Such as "accuracy>=0.9".

    Raises:
        UsageError: it is none.
    """
    found = _CRITERION.match(text)
    if found is None:
        raise UsageError(
            "bad-criterion",
            f"{text[:80]!r} is no criterion",
            why="a criterion is a figure, >= or <=, and a number",
            fix="like accuracy>=0.9",
        )
    return Criterion(found[1], found[2], float(found[3]))


@dataclass(frozen=True, slots=True)
class Revalidate:
    """A benchmark's figures keep stated bounds.

    Attributes:
        command: words; ``{release}`` and ``{model}`` as in training. Its last line of
            output is a JSON object of figures.
        criteria: such as "accuracy>=0.9"; all must hold.
    """

    command: tuple[str, ...]
    criteria: tuple[str, ...]
    timeout_s: int
    name: ClassVar[str] = "revalidate"
    phase: ClassVar[str] = RECOVER
    after: ClassVar[tuple[str, ...]] = ("release",)

    def says(self) -> str:
        """What it does."""
        bounds = ", ".join(self.criteria) or "it ends well"
        return f"validate: {' '.join(self.command)}; {bounds}"

    def check(self, job: Job) -> None:  # noqa: ARG002 - one signature
        """Command and criteria must be readable, and no two criteria exclude one another."""
        check_words(self.command, PLACES)
        found = [criterion(text) for text in self.criteria]
        for low in (one for one in found if one.relation == ">="):
            for high in (one for one in found if one.relation == "<="):
                if low.figure == high.figure and low.bound > high.bound:
                    raise ConflictError(
                        "contradictory-plan",
                        f"no {low.figure} is at least {low.bound:g} and at most {high.bound:g}",
                        why="no measurement can meet both",
                        fix="leave one of the two criteria out",
                    )

    def apply(self, job: Job) -> Done:
        """Run it and compare."""
        places = {name: job.hands.desk / name for name in PLACES}
        ended = run(self.command, places, timeout_s=self.timeout_s)
        broken = [text for text in self.criteria if not criterion(text).holds(ended.figures)]
        if broken:
            told = ", ".join(f"{name} {value:g}" for name, value in ended.figures.items())
            raise ConflictError(
                "not-valid",
                f"the new model does not keep {broken[0]!r}",
                why=f"measured: {told or 'no figures'}",
                fix="look into the model; apply the plan again once the command can succeed",
            )
        figures = {name: f"{value:.6g}" for name, value in sorted(ended.figures.items())}
        return Done({"figures": dict(figures), "criteria": list(self.criteria)})


def propose(case: Case) -> Revalidate | None:
    """Where a command is given."""
    wishes = case.wishes
    if not wishes.revalidate or wishes.measure or not wishes.is_released:
        return None
    return Revalidate(wishes.revalidate, wishes.criteria, wishes.timeout_s)
