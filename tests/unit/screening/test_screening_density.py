"""Each geometric detector finds its attack, and is blind where it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor as SlowLof
from sklearn.neighbors import NearestNeighbors

from credenza.core.types import Role
from credenza.screening.builtin import DETECTORS
from credenza.screening.detectors.density_clusters import joining_radius
from credenza.screening.detectors.isolation import tails
from credenza.screening.detectors.lof import local_outlier_factor
from credenza.screening.detectors.spectral import squared_projection
from credenza.screening.features.embedding import as_column
from credenza.screening.features.neighbours import nearest
from credenza.screening.run import screen
from credenza.screening.view import NotApplicableError, UnassessedError, make_view

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, Ints, View

Data = tuple["Floats", "Ints", "Bools"]


def classes(seed: int, *, n: int = 900, d: int = 24, k: int = 3) -> Data:
    """Clusters with a few loud directions, as activations have; nothing is bad yet."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, k, n)
    loud = np.exp(-np.arange(d) / 6)
    points = rng.normal(size=(k, d))[label] + rng.normal(size=(n, d)) * loud
    return points, label, np.zeros(n, dtype=bool)


def triggered(seed: int) -> Data:
    """One row in thirty of other classes gets a common shift and label 0."""
    points, label, bad = classes(seed)
    rng = np.random.default_rng(seed + 100)
    bad[rng.choice(np.flatnonzero(label > 0), 30, replace=False)] = True
    points[bad] += 2.5 * np.eye(points.shape[1])[10]
    return points, np.where(bad, 0, label), bad


def flipped(seed: int) -> Data:
    points, label, bad = classes(seed)
    bad[np.random.default_rng(seed + 100).choice(len(bad), 45, replace=False)] = True
    return points, np.where(bad, (label + 1) % 3, label), bad


def strayed(seed: int) -> Data:
    points, label, bad = classes(seed)
    rng = np.random.default_rng(seed + 100)
    bad[rng.choice(len(bad), 30, replace=False)] = True
    points[bad] += 1.5 * rng.normal(size=(30, points.shape[1]))
    return points, label, bad


def copied(seed: int) -> Data:
    points, label, bad = classes(seed)
    rng = np.random.default_rng(seed + 100)
    bad[rng.choice(len(bad), 20, replace=False)] = True
    points[bad] = points[bad][0] + 0.01 * rng.normal(size=(20, points.shape[1]))
    return points, label, bad


def view_of(data: Data, source: list[str] | None = None, trusted: Bools | None = None) -> View:
    points, label, _ = data
    table = pa.table({"vector": as_column(points), "y": [f"c{value}" for value in label]})
    facets = {"vector": Role.EMBEDDING}
    return make_view("v", table, label="y", facets=facets, source=source or "", trusted=trusted)


def auroc(name: str, data: Data) -> float:
    return float(roc_auc_score(data[2], DETECTORS.make(name).score(view_of(data)).values))


@pytest.mark.parametrize(
    ("name", "attack", "least"),
    [
        ("spectral", triggered, 0.85),
        ("quantum-entropy", triggered, 0.85),
        ("activation-clusters", triggered, 0.9),
        ("density-clusters", triggered, 0.95),
        ("neighbour-labels", triggered, 0.9),
        ("confident-learning", flipped, 0.97),
        ("neighbour-labels", flipped, 0.97),
        ("density-clusters", flipped, 0.95),
        ("lof", strayed, 0.97),
        ("isolation", strayed, 0.97),
        ("autoencoder", strayed, 0.97),
        ("near-copies", copied, 1.0),
    ],
)
def test_a_detector_ranks_the_attack_it_is_for_first(
    name: str, attack: object, least: float
) -> None:
    assert callable(attack)
    assert auroc(name, attack(1)) >= least


@pytest.mark.parametrize(
    ("name", "attack"),
    [
        ("lof", flipped),
        ("isolation", flipped),
        ("autoencoder", flipped),
        ("near-copies", flipped),
        ("confident-learning", strayed),
        ("activation-clusters", strayed),
    ],
)
def test_a_detector_does_not_see_what_it_says_it_is_blind_to(name: str, attack: object) -> None:
    assert callable(attack)
    assert auroc(name, attack(1)) <= 0.8


@pytest.mark.parametrize("seed", range(3))
def test_a_scan_of_clean_vectors_flags_nothing(seed: int) -> None:
    view = view_of(classes(seed))
    names = ("near-copies", "density-clusters", "neighbour-labels")
    found = screen(view, [DETECTORS.make(name) for name in names])
    assert not found.flagged.any()
    assert found.silences == ()


def test_near_copies_name_their_rows_and_sources() -> None:
    data = copied(2)
    source = [f"s{i % 4}" for i in range(len(data[1]))]
    (finding,) = DETECTORS.make("near-copies").score(view_of(data, source)).findings
    assert set(finding.rows) == set(np.flatnonzero(data[2]).tolist())
    assert finding.names_rows
    assert finding.sentence.startswith("20 rows are nearly the same vector in `vector` as row")
    assert finding.exhibits["copies"] == 20


def test_near_copies_that_trusted_rows_have_too_are_not_named() -> None:
    data = copied(2)
    trusted = np.random.default_rng(0).random(len(data[1])) < 0.5
    more = np.flatnonzero(data[2])
    trusted[more[::2]], trusted[more[1::2]] = True, False
    assert DETECTORS.make("near-copies").score(view_of(data, trusted=trusted)).findings == ()


def test_a_source_cannot_teach_the_model_its_own_flips() -> None:
    points, label, bad = classes(3)
    source = np.arange(len(label)) % 6
    mark = np.zeros((len(label), 1))
    # One source relabels half of its class 1 and marks those rows, so a fold could learn it.
    bad[(source == 0) & (label == 1)] = True
    mark[bad] = 3.0
    data = (np.hstack([points, mark]), np.where(bad, 0, label), bad)
    apart = DETECTORS.make("confident-learning").score(view_of(data, [f"s{s}" for s in source]))
    mixed = DETECTORS.make("confident-learning").score(view_of(data))
    assert np.median(apart.values[bad]) > 0.5
    assert np.median(mixed.values[bad]) < 0.0


def test_a_row_is_judged_by_neighbours_of_other_sources() -> None:
    points, label, bad = classes(4)
    rows = np.flatnonzero(label == 1)[:40]
    points[rows] = points[rows[0]] + 0.05 * np.random.default_rng(0).normal(size=(40, 24))
    bad[rows] = True
    label = np.where(bad, 2, label)
    source = np.where(bad, "hostile", [f"s{i % 5}" for i in range(len(bad))])
    data = (points, label, bad)
    vouched = DETECTORS.make("neighbour-labels", neighbours=60)
    apart = vouched.score(view_of(data, source.tolist())).values
    assert np.median(apart[bad]) > 0.9
    assert np.median(vouched.score(view_of(data)).values[bad]) < np.median(apart[bad])


def test_digits_with_a_corner_patch_stand_out_in_their_new_class() -> None:
    pixels, label = load_digits(return_X_y=True)
    rng = np.random.default_rng(5)
    bad = np.zeros(len(label), dtype=bool)
    bad[rng.choice(np.flatnonzero(label != 0), 40, replace=False)] = True
    pixels[np.flatnonzero(bad)[:, None], np.array([0, 1, 8, 9])] = 16.0
    data = (pixels, np.where(bad, 0, label), bad)
    for name in ("density-clusters", "activation-clusters", "neighbour-labels"):
        assert auroc(name, data) >= 0.95


def test_the_neighbour_graph_is_exact_while_small() -> None:
    points = np.random.default_rng(0).normal(size=(400, 6))
    graph = nearest(points, 7)
    slow = NearestNeighbors(n_neighbors=8).fit(points).kneighbors(points)
    assert np.allclose(graph.distance, slow[0][:, 1:], atol=1e-5)
    assert (graph.index == slow[1][:, 1:]).mean() > 0.999


def test_the_neighbour_graph_finds_most_neighbours_when_large() -> None:
    rng = np.random.default_rng(1)
    points = (rng.normal(size=(40, 16)) * 2)[rng.integers(0, 40, 3000)]
    points = points + rng.normal(size=points.shape)
    exact, cells = nearest(points, 10), nearest(points, 10, exact_rows=1000)
    shared = [len(set(a) & set(b)) for a, b in zip(exact.index, cells.index, strict=True)]
    assert np.mean(shared) >= 9.0
    assert (cells.index != np.arange(3000)[:, None]).all()


def test_local_outlier_factors_are_those_of_scikit_learn() -> None:
    points = np.random.default_rng(2).normal(size=(300, 4))
    slow = SlowLof(n_neighbors=20).fit(points).negative_outlier_factor_
    assert np.allclose(np.exp(local_outlier_factor(nearest(points, 20))), -slow, rtol=1e-3)


def test_a_row_joins_the_mass_when_it_and_enough_others_are_core_rows() -> None:
    points = np.random.default_rng(3).normal(size=(150, 2))
    graph = nearest(points, 149)
    # With every row as a neighbour, core rows reach all others: only their number counts.
    core = graph.distance[:, -1]
    expected = np.maximum(core, np.sort(core)[39])
    assert np.allclose(joining_radius(graph, 40), expected)


def test_a_small_cluster_joins_the_mass_at_the_distance_between_them() -> None:
    rng = np.random.default_rng(3)
    points = np.r_[rng.uniform(0, 1, (300, 2)), rng.uniform(0, 0.1, (15, 2)) + 4.0]
    radius = joining_radius(nearest(points, 20), 100)
    gap = np.linalg.norm(points[:300, None] - points[None, 300:], axis=2).min()
    assert (radius[:300] < 0.5).all()
    assert (radius[300:] >= gap - 1e-5).all()


def test_ecod_adds_up_tails_dimension_by_dimension() -> None:
    points = np.random.default_rng(4).normal(size=(200, 3))
    points[0] = 9.0
    slow = np.zeros(200)
    for row in range(200):
        left = -np.log((points <= points[row]).mean(axis=0))
        right = -np.log((points >= points[row]).mean(axis=0))
        skew = ((points - points.mean(axis=0)) ** 3).mean(axis=0)
        slow[row] = max(left.sum(), right.sum(), np.where(skew < 0, left, right).sum())
    assert np.allclose(tails(points), slow)
    assert tails(points).argmax() == 0


def test_the_spectral_score_is_centred() -> None:
    points = np.random.default_rng(5).normal(size=(100, 5))
    left = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    slow = (left[0][:, 0] * left[1][0]) ** 2
    assert np.allclose(squared_projection(points), slow / slow.mean())
    assert np.allclose(squared_projection(points + 50.0), slow / slow.mean())


def test_quantum_entropy_finds_a_quiet_shift_that_the_loudest_direction_hides() -> None:
    rng = np.random.default_rng(6)
    points = rng.normal(size=(1000, 20)) * np.r_[20.0, np.ones(19)]
    bad = np.arange(1000) < 50
    points[bad, 7] += 5.0
    data = (points, np.zeros(1000, dtype=np.int64), bad)
    assert auroc("quantum-entropy", data) >= 0.95
    assert auroc("spectral", data) <= 0.7


@pytest.mark.parametrize("name", ["lof", "isolation", "autoencoder", "spectral"])
def test_tables_without_an_embedding_become_points(name: str) -> None:
    rng = np.random.default_rng(7)
    n = 400
    size, weight = rng.normal(size=n), rng.normal(size=n)
    weight = size + 0.1 * weight
    weight[:8] = -size[:8] * 4
    table = pa.table({"size": size, "weight": weight, "kind": rng.choice(["a", "b"], n).tolist()})
    facets = {"size": Role.NUMBER, "weight": Role.NUMBER, "kind": Role.CATEGORY}
    values = DETECTORS.make(name).score(make_view("t", table, facets=facets)).values
    assert values.shape == (n,)
    assert name == "spectral" or roc_auc_score(np.arange(n) < 8, values) > 0.6


@pytest.mark.parametrize("name", ["confident-learning", "neighbour-labels"])
def test_one_class_is_not_assessed(name: str) -> None:
    points, label, bad = classes(8)
    with pytest.raises(UnassessedError, match="two classes"):
        DETECTORS.make(name).score(view_of((points, label * 0, bad)))


def test_rows_without_a_column_to_compare_are_not_applicable() -> None:
    table = pa.table({"id": ["a", "b"]})
    with pytest.raises(NotApplicableError):
        DETECTORS.make("lof").score(make_view("t", table, facets={"id": Role.ID}))
