"""What every attack on a federated round promises, and what the rules make of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from credenza.core.errors import NotFoundError, UsageError
from credenza.redteam.builtin import UPDATE_ATTACKS
from credenza.redteam.updates.trial import try_attack
from credenza.training import aggregator

HONEST, HOSTILE, DIMENSION = 21, 6, 500
Matrix = Any


def made(name: str) -> Any:  # noqa: ANN401 - the suite asks duck-typed parts
    given = {"goal": np.full(DIMENSION, -2.0)} if name == "replacement" else {}
    return UPDATE_ATTACKS.make(name, **given)


def known(seed: int = 0, clients: int = HONEST) -> Matrix:
    rng = np.random.default_rng(seed)
    return np.sin(np.arange(DIMENSION)) + rng.normal(0, 0.7, (clients, DIMENSION))


every_attack = pytest.mark.parametrize("name", UPDATE_ATTACKS.names())


@every_attack
def test_an_attack_on_updates_is_called_by_its_name(name: str) -> None:
    assert made(name).name == name


@every_attack
@pytest.mark.parametrize("hostile", [1, 5])
def test_it_sends_one_vector_per_colluder_and_leaves_what_it_knows_alone(
    name: str, hostile: int
) -> None:
    honest = known()
    crafted = made(name).craft(honest, hostile, np.random.default_rng(0))
    assert crafted.shape == (hostile, DIMENSION)
    assert crafted.dtype == np.float64
    assert np.array_equal(honest, known())


@every_attack
def test_it_repeats_by_its_seed(name: str) -> None:
    first, again = (made(name).craft(known(), 3, np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(first, again, equal_nan=True)


@every_attack
@pytest.mark.parametrize("nothing", [np.empty((0, DIMENSION)), np.zeros(DIMENSION)])
def test_knowing_nothing_it_cannot_attack(name: str, nothing: Matrix) -> None:
    with pytest.raises(UsageError, match="needs honest updates"):
        made(name).craft(nothing, 2, np.random.default_rng(0))


@every_attack
def test_clients_who_know_one_update_alike_can_attack_too(name: str) -> None:
    crafted = made(name).craft(known(clients=1), 2, np.random.default_rng(0))
    assert crafted.shape == (2, DIMENSION)


@every_attack
@pytest.mark.parametrize(
    "rule", ["nnm+krum", "nnm+geometric-median", "nnm+trimmed-mean", "multi-krum", "caf"]
)
def test_a_robust_rule_keeps_the_result_within_the_honest_cloud(rule: str, name: str) -> None:
    honest = known(1)
    found = try_attack(
        aggregator(rule, f=HOSTILE), made(name), honest, HOSTILE, np.random.default_rng(2)
    )
    assert found.shift < 1.2


@pytest.mark.parametrize("name", ["gaussian", "replacement", "sign-flip"])
def test_the_plain_mean_is_moved_much_farther(name: str) -> None:
    mean, robust = (
        try_attack(
            aggregator(rule, f=HOSTILE), made(name), known(1), HOSTILE, np.random.default_rng(2)
        )
        for rule in ("mean", "nnm+trimmed-mean")
    )
    assert mean.shift == pytest.approx(mean.undefended)
    assert mean.shift > 2 * robust.shift


@every_attack
def test_colluders_are_seen_on_one_side_or_the_other_and_honest_clients_are_not(name: str) -> None:
    found = [
        try_attack(
            aggregator("nnm+krum", f=HOSTILE),
            made(name),
            known(seed),
            HOSTILE,
            np.random.default_rng(seed),
        )
        for seed in range(10)
    ]
    assert sum(one.accused for one in found) <= 0.01 * sum(one.honest for one in found) + 10 * (
        name == "mimic"  # the client that is copied cannot be told from its copies
    )
    assert sum(one.seen for one in found) >= 0.9 * sum(one.hostile for one in found)


def test_colluders_who_spread_out_like_honest_clients_are_not_seen() -> None:
    # Copies with as much noise as honest clients have between them: mimic's blind spot.
    hidden = UPDATE_ATTACKS.make("mimic", deviation=1.0)
    found = try_attack(
        aggregator("nnm+krum", f=HOSTILE), hidden, known(), HOSTILE, np.random.default_rng(0)
    )
    assert found.seen == 0


def test_min_max_is_no_farther_from_anyone_than_honest_clients_are() -> None:
    honest = known()
    crafted = made("min-max").craft(honest, 1, np.random.default_rng(0))[0]
    diameter = max(np.linalg.norm(a - b) for a in honest for b in honest)
    farthest = np.linalg.norm(honest - crafted, axis=1).max()
    assert 0.99 * diameter < farthest <= diameter * (1 + 1e-6)


def test_a_little_is_enough_shifts_more_the_fewer_honest_clients_it_must_look_like() -> None:
    few, many = (
        np.linalg.norm(made("alie").craft(known(), hostile, np.random.default_rng(0))[0])
        for hostile in (8, 2)
    )
    mean = known().mean(axis=0)
    shifts = [
        np.linalg.norm(made("alie").craft(known(), hostile, np.random.default_rng(0))[0] - mean)
        for hostile in (8, 2)
    ]
    assert few != many
    assert shifts[0] > shifts[1]


def test_replacement_makes_the_plain_mean_what_the_attacker_wants() -> None:
    goal = np.full(DIMENSION, -2.0)
    honest = known()
    crafted = made("replacement").craft(honest, HOSTILE, np.random.default_rng(0))
    assert np.allclose(np.concatenate([honest, crafted]).mean(axis=0), goal)
    with pytest.raises(UsageError, match="the goal has the shape"):
        UPDATE_ATTACKS.make("replacement", goal=np.ones(3)).craft(
            honest, 1, np.random.default_rng(0)
        )


def test_an_unknown_attack_names_the_known_ones() -> None:
    with pytest.raises(NotFoundError, match="no update-attack is called 'alei'"):
        UPDATE_ATTACKS.make("alei")
