"""What every aggregation rule promises, whoever wrote it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from credenza.core.errors import UsageError
from credenza.training.builtin import AGGREGATORS, MIXINGS, aggregator

HONEST, HOSTILE, DIMENSION = 20, 3, 700
RULES = (*AGGREGATORS, *(f"{mixing}+{rule}" for mixing in MIXINGS for rule in AGGREGATORS))
# FoolsGold is made against clients that act alike, and says that it is blind to others.
ROBUST = tuple(rule for rule in RULES if rule != "mean" and "foolsgold" not in rule)
ANCHORED = {"fltrust", "foolsgold", "flame", "centered-clipping"}
FREE = tuple(rule for rule in RULES if rule.split("+")[-1] not in ANCHORED)


def made(name: str, f: int = HOSTILE) -> Any:  # noqa: ANN401 - the suite asks duck-typed parts
    """The rule with the parameters that it cannot do without."""
    given: dict[str, Any] = {"reference": direction()} if name.endswith("fltrust") else {}
    return aggregator(name, f=f, **given)


def direction() -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.sin(np.arange(DIMENSION, dtype=np.float64))


def updates(seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Honest clients around one direction, and a few independent hostile ones."""
    rng = np.random.default_rng(seed)
    honest = direction() + rng.normal(0, 0.5, (HONEST, DIMENSION))
    hostile = rng.normal(0, 40, (HOSTILE, DIMENSION))
    return np.concatenate([honest, hostile]).astype(np.float32)


@pytest.mark.parametrize("name", RULES)
def test_it_returns_one_finite_vector_and_leaves_the_updates_alone(name: str) -> None:
    given = updates()
    kept = given.copy()
    combined = made(name).combine(given)
    assert combined.shape == (DIMENSION,)
    assert combined.dtype == np.float64
    assert np.isfinite(combined).all()
    assert np.array_equal(given, kept)


@pytest.mark.parametrize("name", RULES)
def test_the_same_updates_give_the_same_bits(name: str) -> None:
    assert np.array_equal(made(name).combine(updates()), made(name).combine(updates()))


@pytest.mark.parametrize("name", RULES)
def test_the_order_of_the_clients_does_not_matter(name: str) -> None:
    order = np.random.default_rng(1).permutation(HONEST + HOSTILE)
    first = made(name).combine(updates())
    second = made(name).combine(updates()[order])
    assert np.allclose(first, second, atol=1e-4)


@pytest.mark.parametrize("name", FREE)
def test_it_moves_with_the_updates(name: str) -> None:
    offset = np.linspace(-3, 3, DIMENSION).astype(np.float32)
    first = made(name).combine(updates())
    second = made(name).combine(updates() + offset)
    assert np.allclose(second - offset, first, atol=1e-3)


@pytest.mark.parametrize("name", RULES)
def test_vectors_in_a_list_are_a_matrix(name: str) -> None:
    assert np.array_equal(made(name).combine(updates()), made(name).combine(list(updates())))


@pytest.mark.parametrize("name", ROBUST)
def test_a_few_hostile_clients_do_not_decide(name: str) -> None:
    honest = updates()[:HONEST].mean(axis=0)
    shift = np.linalg.norm(made(name).combine(updates()) - honest)
    undefended = np.linalg.norm(updates().mean(axis=0) - honest)
    spread = np.linalg.norm(updates()[:HONEST] - honest, axis=1).max()
    # FLAME and FLTrust may shrink the honest mean itself; the spread allows for that.
    assert shift <= 1.05 * spread
    assert shift < undefended


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_a_client_that_is_not_finite_takes_no_part_and_is_named(name: str, value: float) -> None:
    given = updates()
    given[4, 600] = value
    rule = made(name)
    without = made(name, f=HOSTILE - 1).combine(np.delete(given, 4, axis=0))
    assert np.allclose(rule.combine(given), without, atol=1e-5)
    verdict = rule.verdicts(given)[4]
    assert (verdict.client, verdict.side, verdict.share) == (4, "malformed", 0.0)
    assert "finite" in verdict.sentence or "exceeds" in verdict.sentence


@pytest.mark.parametrize("name", RULES)
def test_every_client_gets_one_verdict_in_order(name: str) -> None:
    found = made(name).verdicts(updates())
    assert [verdict.client for verdict in found] == list(range(HONEST + HOSTILE))


@pytest.mark.parametrize("name", RULES)
def test_combining_and_judging_together_changes_neither(name: str) -> None:
    settled = made(name).settle(updates())
    assert np.array_equal(settled.update, made(name).combine(updates()))
    assert settled.verdicts == made(name).verdicts(updates())


@pytest.mark.parametrize("name", RULES)
def test_a_parameter_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="refuses its parameters"):
        aggregator(name, f=1, momentum=0.9)
