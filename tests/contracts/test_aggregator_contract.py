"""What every aggregation rule promises: the suite of ``credenza.testing``, and robustness."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from credenza.core.errors import UsageError
from credenza.testing import AGGREGATOR_PROMISES
from credenza.testing.aggregators import DIMENSION, HONEST, HOSTILE, direction, example_updates
from credenza.training.builtin import AGGREGATORS, MIXINGS, aggregator

RULES = (*AGGREGATORS, *(f"{mixing}+{rule}" for mixing in MIXINGS for rule in AGGREGATORS))
# FoolsGold is made against clients that act alike, and says that it is blind to others.
ROBUST = tuple(rule for rule in RULES if rule != "mean" and "foolsgold" not in rule)
ANCHORED = {"fltrust", "foolsgold", "flame", "centered-clipping"}
FREE = tuple(rule for rule in RULES if rule.split("+")[-1] not in ANCHORED)


def made(name: str, f: int = HOSTILE) -> Any:  # noqa: ANN401 - the suite asks duck-typed parts
    """The rule with the parameters that it cannot do without."""
    given: dict[str, Any] = {"reference": direction()} if name.endswith("fltrust") else {}
    return aggregator(name, f=f, **given)


@pytest.mark.parametrize("promise", AGGREGATOR_PROMISES)
@pytest.mark.parametrize("name", RULES)
def test_a_rule_keeps(name: str, promise: str) -> None:
    AGGREGATOR_PROMISES[promise](lambda: made(name), example_updates())


@pytest.mark.parametrize("name", FREE)
def test_it_moves_with_the_updates(name: str) -> None:
    offset = np.linspace(-3, 3, DIMENSION).astype(np.float32)
    first = made(name).combine(example_updates())
    second = made(name).combine(example_updates() + offset)
    assert np.allclose(second - offset, first, atol=1e-3)


@pytest.mark.parametrize("name", ROBUST)
def test_a_few_hostile_clients_do_not_decide(name: str) -> None:
    honest = example_updates()[:HONEST].mean(axis=0)
    shift = np.linalg.norm(made(name).combine(example_updates()) - honest)
    undefended = np.linalg.norm(example_updates().mean(axis=0) - honest)
    spread = np.linalg.norm(example_updates()[:HONEST] - honest, axis=1).max()
    # FLAME and FLTrust may shrink the honest mean itself; the spread allows for that.
    assert shift <= 1.05 * spread
    assert shift < undefended


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_a_client_that_is_not_finite_takes_no_part_and_is_named(name: str, value: float) -> None:
    given = example_updates()
    given[4, 600] = value
    rule = made(name)
    without = made(name, f=HOSTILE - 1).combine(np.delete(given, 4, axis=0))
    assert np.allclose(rule.combine(given), without, atol=1e-5)
    verdict = rule.verdicts(given)[4]
    assert (verdict.client, verdict.side, verdict.share) == (4, "malformed", 0.0)
    assert "finite" in verdict.sentence or "exceeds" in verdict.sentence


@pytest.mark.parametrize("name", RULES)
def test_a_parameter_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="refuses its parameters"):
        aggregator(name, f=1, momentum=0.9)
