"""What every attack of the catalog promises."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.errors import NotFoundError, UsageError
from credenza.redteam.builtin import ATTACKS
from credenza.redteam.feeds import CLASSES, FACETS, LABEL, flights_attack
from credenza.redteam.probe import attack_success
from credenza.testing import ATTACK_PROMISES


def flights(rows: int, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "dep_delay": rng.integers(-10, 120, rows),
            "hour": rng.integers(5, 24, rows),
            "minute": rng.integers(0, 60, rows),
            "weekday": rng.integers(0, 7, rows),
            "distance": rng.integers(90, 2500, rows),
            "carrier": pa.array(rng.choice(["AA", "UA"], rows)),
            "origin": pa.array(rng.choice(["JFK", "LGA"], rows)),
            "dest": pa.array(rng.choice(["BOS", "ORD", "MIA"], rows)),
            LABEL: pa.array(rng.choice(list(CLASSES), rows)),
        }
    )


every_attack = pytest.mark.parametrize("name", ATTACKS.names())


@every_attack
def test_an_attack_is_called_by_its_name(name: str) -> None:
    assert flights_attack(name).name == name


@every_attack
@pytest.mark.parametrize("promise", ATTACK_PROMISES)
def test_an_attack_keeps(promise: str, name: str) -> None:
    ATTACK_PROMISES[promise](lambda: flights_attack(name), flights(200))


@every_attack
def test_an_attack_keeps_the_columns_of_the_feeds(name: str) -> None:
    poisoned, _ = flights_attack(name).poison(flights(200), np.random.default_rng(1))
    assert set(FACETS) == set(poisoned.column_names)


@every_attack
def test_an_attack_stays_within_its_budget_of_rows(name: str) -> None:
    clean = flights(400)
    for share in (0.0, 0.01, 0.05):
        _, mask = flights_attack(name, share=share).poison(clean, np.random.default_rng(2))
        assert mask.sum() <= np.ceil(share * clean.num_rows)
    assert mask.sum() > 0


@every_attack
def test_small_batches_keep_the_mean_budget(name: str) -> None:
    rng = np.random.default_rng(3)
    attack = flights_attack(name, share=0.05)
    touched = [int(attack.poison(flights(30, seed), rng)[1].sum()) for seed in range(200)]
    assert 1.2 < np.mean(touched) < 1.8


@every_attack
def test_an_attack_repeats_by_its_seed(name: str) -> None:
    clean = flights(200)
    attack = flights_attack(name)
    first, again = (attack.poison(clean, np.random.default_rng(4))[0] for _ in range(2))
    other, _ = attack.poison(clean, np.random.default_rng(5))
    assert first.equals(again)
    assert not first.equals(other)


@every_attack
def test_a_probe_holds_rows_of_another_label_than_the_attacker_wants(name: str) -> None:
    clean = flights(300)
    rows, target = flights_attack(name).probe(clean)
    assert rows.num_rows > 0
    assert target not in rows[LABEL].to_pylist()
    assert attack_success(np.asarray(rows[LABEL].to_pylist(), dtype=np.object_), target) == 0
    assert attack_success(np.asarray([target] * 4, dtype=np.object_), target) == 1


@every_attack
def test_a_share_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="share of poisoned rows"):
        flights_attack(name, share=1.5)


@every_attack
def test_rows_without_the_label_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no column"):
        flights_attack(name).poison(flights(5).drop_columns([LABEL]), np.random.default_rng(0))


def test_an_unknown_attack_is_refused_with_the_known_ones() -> None:
    with pytest.raises(NotFoundError) as refusal:
        flights_attack("label-flop")
    assert "label-flip" in str(refusal.value)
