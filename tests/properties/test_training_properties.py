"""Fast code against slow twins: papers' words, brute force, refitting."""

from __future__ import annotations

from itertools import combinations, permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from credenza.training.builtin import aggregator
from credenza.training.certificates import Finite, Partition, RunOff, Temporal
from credenza.training.ridge import RidgeHead, leave_one_source_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.core.types import Floats
    from credenza.training.certificates import Scheme

Twin = Any


def krum_order(rows: Floats, f: int) -> list[int]:
    scores = []
    for i in range(len(rows)):
        far = sorted(float(((rows[i] - rows[j]) ** 2).sum()) for j in range(len(rows)) if j != i)
        scores.append(sum(far[: max(1, min(len(rows) - 1, len(rows) - f - 2))]))
    return sorted(range(len(rows)), key=lambda i: (scores[i], i))


def krum(rows: Floats, f: int) -> Floats:
    return np.asarray(rows[krum_order(rows, f)[0]])


def multi_krum(rows: Floats, f: int) -> Floats:
    return np.asarray(rows[krum_order(rows, f)[: len(rows) - f]].mean(axis=0))


def median(rows: Floats, f: int) -> Floats:  # noqa: ARG001 - twins share a signature
    return np.asarray(np.median(rows, axis=0))


def trimmed(rows: Floats, f: int) -> Floats:
    return np.asarray(np.sort(rows, axis=0)[f : len(rows) - f].mean(axis=0))


def bulyan(rows: Floats, f: int) -> Floats:
    left = list(range(len(rows)))
    chosen: list[int] = []
    while len(chosen) < len(rows) - 2 * f:
        best = left[krum_order(rows[left], f)[0]] if len(left) > 1 else left[0]
        chosen.append(best)
        left.remove(best)
    out = []
    for column in rows[chosen].T:
        middle = np.median(column)
        out.append(np.mean(sorted(column, key=lambda v: abs(v - middle))[: len(rows) - 4 * f]))
    return np.asarray(out)


def clipping(rows: Floats, f: int) -> Floats:  # noqa: ARG001 - twins share a signature
    point = np.zeros(rows.shape[1])
    for _ in range(3):
        steps = rows - point
        length = np.linalg.norm(steps, axis=1)
        scale = np.minimum(1, np.median(length) / np.maximum(length, 1e-300))
        point = point + (steps * scale[:, None]).mean(axis=0)
    return point


def mda(rows: Floats, f: int) -> Floats:
    apart = ((rows[:, None] - rows[None, :]) ** 2).sum(axis=2)

    def width(kept: tuple[int, ...]) -> tuple[float, float]:
        squared = apart[np.ix_(kept, kept)]
        return round(float(squared.max()), 9), float(squared.sum())

    best = min(combinations(range(len(rows)), len(rows) - f), key=width)
    return np.asarray(rows[list(best)].mean(axis=0))


def caf(rows: Floats, f: int) -> Floats:
    weight = np.ones(len(rows))
    best, calmest = rows.mean(axis=0), np.inf
    while weight.sum() > len(rows) - 2 * f:
        mean = weight @ rows / weight.sum()
        spread = (rows - mean).T @ np.diag(weight / weight.sum()) @ (rows - mean)
        values, vectors = np.linalg.eigh(spread)
        if values[-1] < calmest:
            best, calmest = mean, values[-1]
        along = np.where(weight > 0, ((rows - mean) @ vectors[:, -1]) ** 2, 0)
        weight = weight * (1 - along / along.max())
    return np.asarray(best)


def dnc(rows: Floats, f: int) -> Floats:
    centred = rows - rows.mean(axis=0)
    main = np.linalg.svd(centred, full_matrices=False)[2][0]
    order = np.argsort((centred @ main) ** 2, kind="stable")
    return np.asarray(rows[order[: len(rows) - f]].mean(axis=0))


def foolsgold(rows: Floats, f: int) -> Floats:  # noqa: ARG001 - twins share a signature
    n = len(rows)
    unit = rows / np.linalg.norm(rows, axis=1)[:, None]
    alike = unit @ unit.T - np.eye(n)
    for i in range(n):
        alike[i, i] = -np.inf
    most = alike.max(axis=1)
    pardoned = alike.copy()
    for i in range(n):
        for j in range(n):
            if i != j and most[j] > max(most[i], 0):
                pardoned[i, j] = alike[i, j] * max(most[i], 0) / most[j]
    trust = np.clip(1 - pardoned.max(axis=1), 0, 1)
    trust = np.clip(trust / trust.max(), 1e-12, 0.99)
    trust = np.clip(np.log(trust / (1 - trust)) + 0.5, 0, 1)
    return np.asarray(trust @ rows / trust.sum())


def flame(rows: Floats, f: int) -> Floats:  # noqa: ARG001 - twins share a signature
    unit = rows / np.linalg.norm(rows, axis=1)[:, None]
    distance = 1 - np.clip(unit @ unit.T, -1, 1)
    np.fill_diagonal(distance, 0)
    for height in sorted(set(distance.ravel())):
        count, cluster = connected_components(distance <= height)
        size = np.bincount(cluster, minlength=count)
        if size.max() > len(rows) / 2:
            break
    members = cluster == size.argmax()
    kept = np.flatnonzero(distance[:, members].min(axis=1) <= 2 * height)
    length = np.linalg.norm(rows, axis=1)
    scale = np.minimum(1, np.median(length) / length)
    return np.asarray((rows * scale[:, None])[kept].mean(axis=0))


def mixed(inner: Callable[[Floats, int], Floats]) -> Callable[[Floats, int], Floats]:
    def twin(rows: Floats, f: int) -> Floats:
        averages = []
        for row in rows:
            near = np.argsort(((rows - row) ** 2).sum(axis=1), kind="stable")[: len(rows) - f]
            averages.append(rows[near].mean(axis=0))
        return inner(np.asarray(averages), f)

    return twin


TWINS: dict[str, Twin] = {
    "mean": lambda rows, _: rows.mean(axis=0),
    "coordinate-median": median,
    "trimmed-mean": trimmed,
    "krum": krum,
    "multi-krum": multi_krum,
    "bulyan": bulyan,
    "centered-clipping": clipping,
    "mda": mda,
    "caf": caf,
    "dnc": dnc,
    "foolsgold": foolsgold,
    "flame": flame,
    "nnm+coordinate-median": mixed(median),
    "nnm+trimmed-mean": mixed(trimmed),
    "nnm+centered-clipping": mixed(clipping),
    "nnm+multi-krum": mixed(multi_krum),
}


def crowd(seed: int, f: int, dimension: int, offset: float) -> Floats:
    """Honest clients in a cloud, ``f`` hostile ones out of it, in random order."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(size=(4 * f + 4, dimension)) + offset
    hostile = rng.normal(3, 2, (f, dimension)) + offset
    return rng.permutation(np.concatenate([honest, hostile]))


crowds = st.builds(
    crowd,
    seed=st.integers(0, 10_000),
    f=st.just(2),
    dimension=st.integers(3, 60),
    offset=st.sampled_from([0.0, 1.0, 100.0]),
)


@pytest.mark.parametrize("name", TWINS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(rows=crowds)
def test_a_rule_agrees_with_its_slow_twin(name: str, rows: Floats) -> None:
    assert np.allclose(aggregator(name, f=2).combine(rows), TWINS[name](rows, 2), atol=2e-4)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(rows=crowds)
def test_the_geometric_median_has_the_least_sum_of_distances(rows: Floats) -> None:
    def total(point: Floats) -> float:
        return float(np.linalg.norm(rows - point, axis=1).sum())

    slow = rows.mean(axis=0)
    for _ in range(400):
        pull = 1 / np.maximum(np.linalg.norm(rows - slow, axis=1), 1e-9)
        slow = pull @ rows / pull.sum()
    assert total(aggregator("geometric-median", f=2).combine(rows)) <= total(slow) * (1 + 1e-5)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(rows=crowds, seed=st.integers(0, 99))
def test_fltrust_agrees_with_its_slow_twin(rows: Floats, seed: int) -> None:
    server = np.random.default_rng(seed).normal(size=rows.shape[1]) + rows.mean(axis=0)
    trust = [
        max(0.0, float(row @ server / np.linalg.norm(row) / np.linalg.norm(server))) for row in rows
    ]
    scaled = [row / np.linalg.norm(row) * np.linalg.norm(server) for row in rows]
    slow = np.asarray(trust) @ np.asarray(scaled) / sum(trust) if sum(trust) else server
    found = aggregator("fltrust", f=2, reference=server).combine(rows)
    assert np.allclose(found, slow, atol=2e-3)


# Certificates against every behaviour of every set of hostile units


def answers(seed: int, members: int, classes: int) -> Floats:
    """Scores of one row with many ties, unknown classes and abstentions."""
    rng = np.random.default_rng(seed)
    leaning = rng.choice([0.0, 0.0, 3.0], classes)
    scores = np.round(rng.normal(leaning, 1, (members, classes)))
    scores[rng.random((members, classes)) < 0.15] = -np.inf
    return scores[:, None, :]


def behaviours(classes: int, *, ranked: bool) -> Floats:
    """All that a member can say of ``classes`` classes: abstain, a favourite, or an order."""
    said = [np.full(classes, -np.inf)]
    if ranked:
        said += [np.asarray(order, dtype=float) for order in permutations(range(classes))]
    else:
        said += [np.where(np.arange(classes) == best, 1.0, 0.0) for best in range(classes)]
    return np.asarray(said)


def holds(scheme: Scheme, scores: Floats, hostile: tuple[int, ...], *, ranked: bool) -> bool:
    """Whether no behaviour of the members that ``hostile`` units reach changes the winner."""
    # A label that only the attacker uses may come first in the order of classes.
    newcomer = np.full((*scores.shape[:2], 1), -np.inf)
    wide = np.concatenate([newcomer, scores], axis=2)
    reached = np.flatnonzero(scheme.incidence(len(scores))[list(hostile)].any(axis=0))
    said = behaviours(wide.shape[2], ranked=ranked)
    plots = np.stack(
        np.meshgrid(*[np.arange(len(said))] * len(reached), indexing="ij"), axis=-1
    ).reshape(-1, len(reached))
    turned = np.repeat(wide, len(plots), axis=1)
    for column, member in enumerate(reached):
        turned[member] = said[plots[:, column]]
    return bool((scheme.elect(turned) == scheme.elect(wide)[0]).all())


def sets_of(scheme: Scheme, units: int, hostile: int) -> list[tuple[int, ...]]:
    if isinstance(scheme, Temporal):
        return [tuple(range(a, a + hostile)) for a in range(units - hostile + 1)]
    return list(combinations(range(units), hostile))


@pytest.mark.parametrize(
    ("scheme", "members", "classes"),
    [
        (Partition(), 7, 2),
        (Partition(), 7, 3),
        (Finite(2), 8, 2),
        (Finite(3), 7, 2),
        (Temporal(1), 6, 3),
        (Temporal(2), 7, 2),
        (RunOff(), 6, 2),
        (RunOff(), 7, 2),
        (RunOff(), 5, 3),
    ],
)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1_000_000))
def test_no_hostile_units_within_the_certificate_change_the_winner(
    scheme: Scheme, members: int, classes: int, seed: int
) -> None:
    scores = answers(seed, members, classes)
    certified = int(scheme.certify(scores)[0])
    ranked = isinstance(scheme, RunOff)
    for hostile in sets_of(scheme, members, min(certified, 3)) if certified else []:
        assert holds(scheme, scores, hostile, ranked=ranked)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1_000_000))
def test_one_unit_more_than_a_partition_certifies_can_change_the_winner(seed: int) -> None:
    scheme = Partition()
    scores = answers(seed, 7, 2)
    enough = int(scheme.certify(scores)[0]) + 1
    broken = [not holds(scheme, scores, h, ranked=False) for h in combinations(range(7), enough)]
    assert any(broken)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1_000_000), members=st.integers(2, 12), classes=st.integers(1, 5))
def test_a_finite_spread_of_one_is_the_partition(seed: int, members: int, classes: int) -> None:
    scores = answers(seed, members, classes)
    assert Finite(1).certify(scores) == Partition().certify(scores)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), penalty=st.sampled_from([0.1, 1.0, 100.0]))
def test_leaving_a_source_out_is_refitting_without_it(seed: int, penalty: float) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(120, 6)), rng.integers(0, 3, 120)
    source = rng.choice(["a", "b", "c", "d"], 120)
    probe = rng.normal(size=(30, 6)), rng.integers(0, 3, 30)
    found = leave_one_source_out(X, y, source, probe, penalty=penalty)
    wanted = np.where(probe[1][:, None] == np.arange(3), 1.0, -1.0)
    for name, loss in zip(found.sources, found.loss_without, strict=True):
        head = RidgeHead(penalty).fit(X[source != name], y[source != name])
        assert np.isclose(loss, np.mean((head.decision_function(probe[0]) - wanted) ** 2))
    assert list(found.loss_without) == sorted(found.loss_without)
