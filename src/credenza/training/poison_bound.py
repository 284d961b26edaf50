"""What differential privacy proves about a few poisoned records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binom

from credenza.core.errors import UsageError
from credenza.core.extras import needs_extra

if TYPE_CHECKING:
    from collections.abc import Sequence

NEGLIGIBLE = 1e-15
"""Draws of so many poisoned records at once are left out of the mixture, and counted as won."""

GRID = 400
"""Values of epsilon between which the least bound is taken; any of them is a bound."""

INTERVAL = 1e-4
COARSE = 2e-3
"""Discretisation of the privacy loss, rounded against us: for epsilon, and for the bounds,
which at this step are at most a few ten-thousandths looser."""

TRUNCATION = -35.0
"""Logarithm of the mass of noise that may be rounded against us."""


@dataclass(frozen=True, slots=True)
class PoisonBound:
    """How likely an outcome can be made by adding poisoned records.

    Attributes:
        poisoned: numbers of poisoned records.
        success: for each, the most that the probability of the outcome can become.
        event: its probability without any.
        epsilon: of the whole training, for one record.
        delta: at which epsilon is given.
        noise_multiplier: standard deviation of the noise, in clipping norms.
        sample_rate: chance of each record to be in a step's batch.
        steps: of training.
    """

    poisoned: tuple[int, ...]
    success: tuple[float, ...]
    event: float
    epsilon: float
    delta: float
    noise_multiplier: float
    sample_rate: float
    steps: int

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What must hold for the bound to."""
        return (
            (
                f"every step draws each record on its own with probability {self.sample_rate:.3g}; "
                "fixed or shuffled batches are not covered"
            ),
            (
                "each record's gradient is clipped, and Gaussian noise of "
                f"{self.noise_multiplier:g} clipping norms is added, in {self.steps} steps"
            ),
            (
                "the poisoned records are added to the clean ones; where they replace clean ones, "
                "count both"
            ),
            (
                "nothing else depends on the records: not the preprocessing, the features, the "
                "hyper-parameters, nor which of several models is kept"
            ),
            (
                "the random numbers cannot be guessed by the attacker (Opacus's default generator "
                "is not a cryptographic one)"
            ),
            (
                f"the outcome happens with probability {self.event:g} in training without the "
                "poison, over the noise and the draws, which is a belief to be measured"
            ),
        )

    def __str__(self) -> str:
        lines = [
            f"trained with epsilon = {self.epsilon:.3g} at delta = {self.delta:.3g}",
            *(
                f"{count} poisoned records make an outcome of probability {self.event:g} "
                f"at most {share:.3g} likely"
                for count, share in zip(self.poisoned, self.success, strict=True)
            ),
            "as long as:",
            *(f"  - {assumption}" for assumption in self.assumptions),
        ]
        return "\n".join(lines)


def poison_bound(
    *,
    noise_multiplier: float,
    sample_rate: float,
    steps: int,
    poisoned: Sequence[int] = (5, 10, 25),
    event: float = 0.01,
    delta: float = 1e-6,
) -> PoisonBound:
    """The most that a number of poisoned records can make of an outcome's probability.

    ``k`` records that are drawn on their own move a step's sum of clipped gradients by at
    most as many clipping norms as are drawn, a binomial number: a mixture of Gaussians,
    composed over the steps. From its privacy loss, ``P'(outcome) <= e^eps P(outcome) +
    delta(eps)`` for every epsilon, and the least of these counts. It holds for any outcome
    and any poison; it says something for a few records and nothing for hundreds: that is
    what certificates by source are for.

    Args:
        noise_multiplier: standard deviation of the noise, in clipping norms.
        sample_rate: chance of each record to be in a step's batch, in (0, 1].
        steps: of training.
        poisoned: numbers of poisoned records.
        event: probability of the outcome without poison, in (0, 1).
        delta: at which the run's epsilon is quoted; the bound does not depend on it.

    Raises:
        UsageError: a parameter is out of range, or dp-accounting is not installed.

    Source:
        Choquette-Choo et al., arXiv:2310.15526 (mixture of Gaussians), by dp-accounting;
        Ma et al., arXiv:1903.09860 (private training as a defence).
    """
    _check(
        noise_multiplier=noise_multiplier,
        sample_rate=sample_rate,
        steps=steps,
        event=event,
        delta=delta,
        poisoned=poisoned,
    )
    single = _losses().from_gaussian_mechanism(
        noise_multiplier, sampling_prob=sample_rate, value_discretization_interval=INTERVAL
    )
    found = []
    for count in poisoned:
        lost = 1 - (1 - _left_out(count, sample_rate)) ** steps
        composed = _composed(noise_multiplier, sample_rate, steps, count)
        epsilons = np.linspace(0.0, -np.log(event), GRID)
        deltas = np.asarray(composed.get_delta_for_epsilon(epsilons), dtype=np.float64)
        bounds = np.exp(epsilons) * event + deltas + lost
        found.append(float(min(bounds.min(), 1.0)))
    return PoisonBound(
        poisoned=tuple(int(count) for count in poisoned),
        success=tuple(found),
        event=event,
        epsilon=float(single.self_compose(steps).get_epsilon_for_delta(delta)),
        delta=delta,
        noise_multiplier=noise_multiplier,
        sample_rate=sample_rate,
        steps=steps,
    )


def _left_out(poisoned: int, sample_rate: float) -> float:
    drawn = binom.pmf(np.arange(poisoned + 1), poisoned, sample_rate)
    return float(drawn[drawn <= NEGLIGIBLE].sum())


def _composed(noise_multiplier: float, sample_rate: float, steps: int, poisoned: int) -> Any:  # noqa: ANN401 - dp-accounting is untyped
    """The privacy loss of ``poisoned`` records over all steps."""
    drawn = np.arange(poisoned + 1, dtype=np.float64)
    chance = binom.pmf(drawn, poisoned, sample_rate)
    kept = chance > NEGLIGIBLE
    step = _losses().from_mixture_gaussian_mechanism(
        noise_multiplier,
        drawn[kept].tolist(),
        (chance[kept] / chance[kept].sum()).tolist(),
        value_discretization_interval=COARSE,
        log_mass_truncation_bound=TRUNCATION,
    )
    return step.self_compose(steps)


def _losses() -> Any:  # noqa: ANN401 - dp-accounting is untyped
    with needs_extra("privacy", "the poison bound"):
        from dp_accounting.pld import privacy_loss_distribution  # noqa: PLC0415 - an extra
    return privacy_loss_distribution


def _check(
    *,
    noise_multiplier: float,
    sample_rate: float,
    steps: int,
    event: float,
    delta: float,
    poisoned: Sequence[int],
) -> None:
    sound = {
        f"noise_multiplier is {noise_multiplier}; give more than 0": noise_multiplier > 0,
        f"sample_rate is {sample_rate}; give more than 0, at most 1": 0 < sample_rate <= 1,
        f"steps is {steps}; give at least 1": steps >= 1,
        f"event is {event}; give a probability between 0 and 1": 0 < event < 1,
        f"delta is {delta}; give a probability between 0 and 1": 0 < delta < 1,
        f"poisoned is {tuple(poisoned)}; give numbers of records": bool(poisoned)
        and all(count >= 1 for count in poisoned),
    }
    for wrong, holds in sound.items():
        if not holds:
            raise UsageError("bad-parameter", wrong)
