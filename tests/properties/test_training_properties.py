"""Streaming float32 rules against slow float64 twins that follow the papers' words."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from credenza.training.builtin import aggregator

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.core.types import Floats

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
    def width(kept: tuple[int, ...]) -> tuple[float, float]:
        squared = [((rows[i] - rows[j]) ** 2).sum() for i, j in combinations(kept, 2)]
        return round(float(max(squared)), 9), float(sum(squared))

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
    for _ in range(3_000):
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
