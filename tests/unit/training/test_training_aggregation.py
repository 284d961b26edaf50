from __future__ import annotations

import tracemalloc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from credenza.core.errors import InternalError, NotFoundError, UntrustedError, UsageError
from credenza.training.aggregation.aggregator import RobustAggregator
from credenza.training.aggregation.findings import findings_of
from credenza.training.aggregation.gram import measure, squared_distances
from credenza.training.aggregation.mda import tightest
from credenza.training.aggregation.mean import Mean
from credenza.training.aggregation.rule import Crowd, Plan, weighted
from credenza.training.aggregation.updates import Unfit, open_round
from credenza.training.builtin import AGGREGATORS, aggregator

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.core.types import Floats

Matrix = Any


def honest(clients: int, dimension: int = 400, seed: int = 0) -> Matrix:
    rng = np.random.default_rng(seed)
    return (1 + rng.normal(size=(clients, dimension))).astype(np.float32)


def exact(rows: Matrix) -> Floats:
    """Squared distances in float64, one pair at a time."""
    wide = np.asarray(rows, dtype=np.float64)
    return np.asarray([[((a - b) ** 2).sum() for b in wide] for a in wide])


# Evidence against sources


def test_verdicts_become_findings_against_sources_and_honest_clients_none() -> None:
    rows = honest(20)
    rows[:2] += 9 * np.random.default_rng(1).normal(size=(2, 400)).astype(np.float32)
    sent: list[object] = [*rows, Unfit("holds an array that cannot be read")]
    verdicts = aggregator("krum", f=4).verdicts(sent)
    sources = [f"s{place}" for place in range(21)]
    found = findings_of(verdicts, sources, rule="krum", round_number=3)
    assert [f.subjects for f in found] == [("s0",), ("s1",), ("s20",)]
    assert sorted(f.p_value for f in found) == [0.0, 0.1, 0.2]
    assert found[0].exhibits["side"] == "far"
    assert "farther from the centre than usual" in found[0].sentence
    assert found[2].sentence == (
        'in round 3, the update of "s20" was left out: holds an array that cannot be read'
    )
    assert findings_of(verdicts[2:20], sources[2:20], rule="krum", round_number=3) == ()


def test_findings_need_the_source_of_every_client() -> None:
    verdicts = aggregator("krum", f=1).verdicts(honest(8))
    with pytest.raises(UsageError, match="8 verdicts of clients, 2 sources"):
        findings_of(verdicts, ["a", "b"], rule="krum", round_number=1)


# Defects found in other libraries


@pytest.mark.parametrize("name", ["krum", "multi-krum", "coordinate-median", "geometric-median"])
def test_one_nan_client_neither_wins_krum_nor_poisons_the_medians(name: str) -> None:
    # flwr and byzfl return NaN here.
    rows = honest(11)
    rows[0] = np.nan
    combined = aggregator(name, f=2).combine(rows)
    assert np.isfinite(combined).all()
    assert np.array_equal(combined, aggregator(name, f=1).combine(rows[1:]))


def test_a_declared_example_count_buys_nothing() -> None:
    # In flwr, num-examples = 1e12 makes MultiKrum return the attacker's update.
    rows = honest(11)
    heavy: list[Any] = [*rows[:10], (np.full(400, 9.0), 1e12)]
    combined = aggregator("multi-krum", f=2).combine(heavy)
    assert np.array_equal(combined, aggregator("multi-krum", f=1).combine(rows[:10]))
    assert aggregator("multi-krum", f=2).verdicts(heavy)[10].side == "malformed"


def test_mixing_takes_no_memory_that_grows_with_the_model() -> None:
    # byzfl's NNM peaks at 8.9 GB for 50 clients of a million values.
    def peak(dimension: int) -> int:
        rows = np.random.default_rng(0).random((50, dimension), dtype=np.float32)
        tracemalloc.start()
        aggregator("nnm+krum", f=10).combine(rows)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found - 8 * dimension

    assert peak(200_000) < peak(50_000) + 2**20
    assert peak(200_000) < 24 * 2**20


def test_updates_in_memory_maps_stay_on_disk(tmp_path: Path) -> None:
    rows = np.memmap(tmp_path / "updates", dtype=np.float32, mode="w+", shape=(20, 400_000))
    rows[:] = np.random.default_rng(0).normal(size=(20, 1))
    tracemalloc.start()
    combined = aggregator("krum", f=4).combine(rows)
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert combined.shape == (400_000,)
    assert found < rows.nbytes


@pytest.mark.parametrize("share", [1e-3, 1e-5])
def test_distances_of_small_updates_survive_float32(share: float) -> None:
    # Uncentred, the Gram matrix of weights that moved by a thousandth was 93 % wrong.
    rng = np.random.default_rng(0)
    weights = rng.normal(size=20_000)
    rows = (weights + share * rng.normal(size=(12, 20_000))).astype(np.float32)
    gram, _ = measure(open_round(rows))
    off = ~np.eye(12, dtype=bool)
    truth = exact(rows)[off]
    uncentred = squared_distances((rows @ rows.T).astype(np.float64))[off]
    assert np.abs(squared_distances(gram)[off] / truth - 1).max() < 1e-4
    assert np.abs(uncentred / truth - 1).max() > 0.05


@pytest.mark.parametrize("distance", [1e2, 1e4, 1e8, 1e14])
@pytest.mark.parametrize("place", [0, 5])
def test_a_far_client_cannot_drown_the_distances_of_the_others(distance: float, place: int) -> None:
    rows = honest(11)
    rows[place] = distance
    gram, _ = measure(open_round(rows))
    rest = np.delete(np.arange(11), place)
    near = np.ix_(rest, rest)
    off = ~np.eye(10, dtype=bool)
    found, truth = squared_distances(gram)[near][off], exact(rows)[near][off]
    assert np.abs(found / truth - 1).max() < 1e-3


def test_nested_far_clients_cannot_drown_them_either() -> None:
    rows = honest(20, seed=1)
    for place in range(8):
        rows[place] = 10.0 ** (place + 2)
    gram, _ = measure(open_round(rows))
    off = ~np.eye(12, dtype=bool)
    found, truth = squared_distances(gram)[8:, 8:][off], exact(rows[8:])[off]
    assert np.abs(found / truth - 1).max() < 1e-3


def test_double_precision_updates_are_centred_before_they_are_narrowed() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=2_000) + 1e-10 * rng.normal(size=(8, 2_000))
    gram, _ = measure(open_round(rows))
    off = ~np.eye(8, dtype=bool)
    assert np.abs(squared_distances(gram)[off] / exact(rows)[off] - 1).max() < 1e-3


# What clients may send


def test_updates_of_another_shape_are_left_out_and_named() -> None:
    rows = honest(11)
    sent: list[Any] = list(rows)
    sent[2], sent[7] = rows[2][:100], rows[7].reshape(20, 20)
    found = aggregator("trimmed-mean", f=3)
    assert np.array_equal(
        found.combine(sent), aggregator("trimmed-mean", f=1).combine(np.delete(rows, [2, 7], 0))
    )
    verdicts = found.verdicts(sent)
    assert verdicts[2].sentence == "left out: has 100 values, the round has 400"
    assert verdicts[7].sentence == "left out: is not one vector of numbers"


@pytest.mark.parametrize("sent", ["weights", None, {"a": 1}, [[1.0], [2.0, 3.0]], [1j, 2j], []])
def test_what_is_no_vector_of_numbers_is_left_out(sent: object) -> None:
    rows: list[Any] = [*honest(7, 2), sent]
    assert aggregator("mean", f=1).verdicts(rows)[7].side == "malformed"


def test_the_dimension_can_be_fixed_so_that_no_majority_decides_it() -> None:
    sent: list[Any] = [np.ones(3), np.ones(3), np.ones(4), np.ones(4), np.ones(4)]
    assert len(aggregator("mean", f=3, dimension=3).combine(sent)) == 3
    assert len(aggregator("mean", f=2).combine(sent)) == 4


def test_equally_common_lengths_are_not_guessed_at() -> None:
    with pytest.raises(UsageError, match="none is the most common"):
        aggregator("mean", f=1).combine([np.ones(3), np.ones(4)])


def test_half_precision_integers_and_lists_are_numbers_too() -> None:
    rows = honest(5, 30)
    half = rows.astype(np.float16)
    assert np.allclose(aggregator("mean", f=1).combine(half), half.mean(axis=0, dtype=float))
    assert aggregator("mean", f=0).combine([[1, 2], [3, 4]]).tolist() == [2.0, 3.0]


def test_the_rules_work_on_a_single_coordinate_and_a_single_client() -> None:
    assert aggregator("coordinate-median", f=1).combine([[1.0], [9.0], [2.0]]).tolist() == [2.0]
    assert aggregator("geometric-median", f=0).combine([[4.0, 5.0]]).tolist() == [4.0, 5.0]


def test_more_malformed_clients_than_may_be_faulty_stop_the_round() -> None:
    rows = honest(11)
    rows[:3] = np.nan
    with pytest.raises(UntrustedError, match="3 updates are malformed, 2 may be faulty"):
        aggregator("krum", f=2).combine(rows)


@pytest.mark.parametrize("sent", [[], [[np.nan, 1.0]], ["x"]])
def test_a_round_without_a_usable_update_is_refused(sent: list[object]) -> None:
    with pytest.raises(UsageError, match="no client sent"):
        aggregator("mean", f=0).combine(sent)


@pytest.mark.parametrize(
    ("name", "clients"), [("krum", 6), ("bulyan", 10), ("trimmed-mean", 4), ("multi-krum", 6)]
)
def test_too_few_clients_for_the_promise_are_refused(name: str, clients: int) -> None:
    with pytest.raises(UsageError, match=f"needs {clients + 1} clients, {clients} are left"):
        aggregator(name, f=2).combine(honest(clients))


@pytest.mark.parametrize("f", [-1, 1.5, True, "2"])
def test_f_is_a_number_of_clients(f: int) -> None:
    with pytest.raises(UsageError, match="f is"):
        aggregator("krum", f=f)


def test_an_unknown_rule_names_the_known_ones() -> None:
    with pytest.raises(NotFoundError, match="no aggregator is called 'krun'") as refused:
        aggregator("krun", f=1)
    assert "geometric-median" in refused.value.why
    assert "krum" in refused.value.fix
    with pytest.raises(NotFoundError, match="no mixing is called 'bucket'"):
        aggregator("bucket+krum", f=1)


def test_an_outsiders_rule_is_used_like_ours() -> None:
    @dataclass(frozen=True)
    class First:
        measures: bool = False

        def least(self, faulty: int) -> int:
            return faulty + 1

        def plan(self, crowd: Crowd) -> Plan:
            return weighted(np.eye(crowd.size)[0])

    rows = honest(3, 5)
    found = aggregator("first", f=1, catalog=AGGREGATORS.extended({"first": First}))
    assert np.array_equal(found.combine(rows), rows[0])


def test_a_rule_that_measures_in_secret_is_a_defect() -> None:
    class Sly(Mean):
        def plan(self, crowd: Crowd) -> Plan:
            crowd.measure()
            return super().plan(crowd)

    with pytest.raises(InternalError, match="did not announce"):
        RobustAggregator("sly", Sly(), f=0).combine(honest(3))


# The rules


def test_krum_returns_one_clients_update_exactly() -> None:
    rows = honest(11)
    combined = aggregator("krum", f=2).combine(rows)
    assert any(np.array_equal(combined, row) for row in rows)


def test_mda_is_exact_where_trying_all_subsets_is_hopeless() -> None:
    # 1.2e8 subsets of 18 from 30; the honest ones are known to be the tightest.
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(size=(18, 40)), rng.normal(6, 6, size=(12, 40))])
    kept = tightest(exact(rows), 12)
    assert np.flatnonzero(kept).tolist() == list(range(18))


def test_mda_keeps_exactly_all_but_f_when_all_are_alike() -> None:
    assert tightest(np.zeros((7, 7)), 3).sum() == 4


def test_fltrust_bears_a_hostile_majority_that_points_the_other_way() -> None:
    rows = honest(10)
    rows[:7] = -5
    combined = aggregator("fltrust", f=7, reference=np.ones(400)).combine(rows)
    assert combined @ np.ones(400) / np.linalg.norm(combined) / 20 > 0.8


def test_fltrust_falls_back_on_the_server_when_nobody_agrees() -> None:
    combined = aggregator("fltrust", f=5, reference=np.ones(400)).combine(-abs(honest(5)))
    assert np.array_equal(combined, np.ones(400))


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        (np.ones(3), "a reference vector has the shape"),
        (np.full(400, np.nan), "not finite"),
        (np.zeros(400), "fltrust's reference update is zero"),
    ],
)
def test_a_reference_that_says_nothing_is_refused(reference: Floats, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        aggregator("fltrust", f=1, reference=reference).combine(honest(5))


def test_clipping_from_the_last_result_bounds_what_a_minority_can_move() -> None:
    rows = honest(10)
    rows[:3] = 1e6
    start = np.ones(400)
    rule = aggregator("centered-clipping", f=3, start=start, radius=20.0, steps=1)
    assert np.linalg.norm(rule.combine(rows) - start) <= 20.0


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("centered-clipping", {"steps": 0}),
        ("centered-clipping", {"radius": -1.0}),
        ("dnc", {"removed": -1.0}),
        ("multi-krum", {"keep": 0}),
        ("flame", {"slack": 0.5}),
    ],
)
def test_a_parameter_out_of_range_is_refused(name: str, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"with|cannot"):
        aggregator(name, f=1, **given).combine(honest(9))


def test_foolsgold_takes_the_weight_of_sybils_and_spares_unlike_clients() -> None:
    rng = np.random.default_rng(0)
    different = rng.normal(size=(10, 400))
    sybils = rng.normal(size=400) + rng.normal(0, 0.01, (10, 400))
    shares = [v.share for v in aggregator("foolsgold", f=10).verdicts([*different, *sybils])]
    assert sum(shares[:10]) > 0.99


def test_foolsgold_is_blind_to_honest_clients_who_agree() -> None:
    assert not aggregator("foolsgold", f=1).combine(np.ones((5, 30))).any()


def test_flame_leaves_out_other_directions_and_shortens_what_is_long() -> None:
    rng = np.random.default_rng(0)
    rows = 1 + rng.normal(0, 0.1, (12, 400))
    rows[:4] *= -1
    rows[4] *= 100
    found = aggregator("flame", f=5)
    assert [v.share > 0 for v in found.verdicts(rows)] == [False] * 4 + [True] * 8
    assert np.linalg.norm(found.combine(rows)) < 30


def test_flame_cannot_tell_apart_directions_that_are_all_different() -> None:
    combined = aggregator("flame", f=1).combine(np.eye(6))
    assert np.allclose(combined, 1 / 6)


def test_the_geometric_median_of_a_majority_in_one_point_is_that_point() -> None:
    rows = np.zeros((9, 5))
    rows[:4] = np.arange(4)[:, None] + 1.0
    assert np.abs(aggregator("geometric-median", f=4).combine(rows)).max() < 1e-5
    rows[:3] = 0
    assert np.array_equal(aggregator("geometric-median", f=4).combine(rows), np.zeros(5))


def test_trimming_is_blind_to_colluders_inside_the_honest_range() -> None:
    # A Little Is Enough: every coordinate shifted by one honest deviation.
    rows = honest(20, seed=3)
    rows[:6] = rows[6:].mean(axis=0) - rows[6:].std(axis=0)
    shift = aggregator("trimmed-mean", f=6).combine(rows) - rows[6:].mean(axis=0)
    assert shift.mean() < -0.2


def test_vectors_anywhere_in_memory_are_summed_like_a_matrix() -> None:
    rows = honest(9, 5_000)
    apart = [row.copy() for row in rows[::-1]]
    for name in ("mean", "geometric-median"):
        found, wanted = (aggregator(name, f=2).combine(given) for given in (apart, rows))
        assert np.allclose(found, wanted, atol=1e-6)
        assert np.allclose(aggregator(name, f=2).combine(rows[::-1]), wanted, atol=1e-6)


def test_what_clients_share_is_not_rounded_away_in_a_sum() -> None:
    # Whole models instead of changes, a hundred-thousandth apart: only the last bits differ.
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=4_000) + 1e-5 * rng.normal(size=(20, 4_000))).astype(np.float32)
    exact_mean = rows.astype(np.float64).mean(axis=0)
    plain = np.full(20, 1 / 20, dtype=np.float32) @ rows
    error = np.abs(aggregator("mean", f=1).combine(rows) - exact_mean).max()
    assert error < np.abs(plain - exact_mean).max() / 5


# Verdicts on both sides


def sides(rows: Matrix, f: int = 6) -> list[str]:
    return [str(verdict.side) for verdict in aggregator("nnm+krum", f=f).verdicts(rows)]


def test_honest_clients_are_usual() -> None:
    flagged = sum(sides(honest(20, seed=seed)).count("usual") < 20 for seed in range(20))
    assert flagged <= 1


def test_independent_attackers_are_far() -> None:
    rows = honest(20)
    rows[:3] += np.random.default_rng(9).normal(0, 5, (3, 400)).astype(np.float32)
    assert sides(rows) == ["far"] * 3 + ["usual"] * 17


def test_colluders_nearer_to_the_centre_than_honest_clients_are_named_near() -> None:
    # ALIE: krum's favourite, because it is more central than any honest client.
    rows = honest(20)
    rows[:6] = rows[6:].mean(axis=0) - 0.3 * rows[6:].std(axis=0)
    assert sides(rows) == ["near"] * 6 + ["usual"] * 14
    chosen = aggregator("krum", f=6).verdicts(rows)
    assert sum(verdict.share for verdict in chosen[:6]) == 1


def test_a_lone_client_at_the_centre_is_named_near() -> None:
    rows = honest(20)
    rows[4] = rows.mean(axis=0)
    verdict = aggregator("krum", f=3).verdicts(rows)[4]
    assert verdict.side == "near"
    assert "closer to" in verdict.sentence


def test_a_client_that_sends_anothers_update_as_its_own_is_named_near() -> None:
    # Mimic, or one client under two names: both sides of the pair stand out.
    rows = honest(20)
    rows[7] = rows[3]
    found = aggregator("mean", f=1).verdicts(rows)
    assert [v.client for v in found if v.side == "near"] == [3, 7]
    assert found[7].sentence.endswith("closer to client 3 than clients usually are")


def test_attackers_who_imitate_the_honest_spread_are_not_seen() -> None:
    rows = honest(20)
    rng = np.random.default_rng(5)
    rows[:3] = rows[3:].mean(axis=0) - 0.2 + rng.normal(0, 1, (3, 400))
    assert sides(rows) == ["usual"] * 20


def test_a_handful_of_clients_is_not_assessed() -> None:
    assert set(sides(honest(5), f=1)) == {"not assessed"}


def test_equal_updates_make_only_the_odd_one_stand_out() -> None:
    rows = np.ones((9, 4))
    rows[2] = 3
    assert sides(rows, f=2) == ["usual"] * 2 + ["far"] + ["usual"] * 6
