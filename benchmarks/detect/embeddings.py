"""Poison in vectors: ours, and the peers on the same vectors, by AUROC; and what a scan costs.

    python benchmarks/detect/embeddings.py [--seeds 200-204] [--cost 10000,50000] [--width 512]

Vectors are scikit-learn's digits and its 30 standardised measurements of tumours, and generated
classes with a few loud directions. Each
attack touches 3 % of the rows. "credenza" is the rank of one whole default scan, every other
column one detector or peer alone at its defaults. Peers that need probabilities get those of a
five-fold logistic regression. A cost is processor seconds of every detector of the default scan
that reads vectors, in one process; the last column is the growth against the size before.
Seeds 0-2 were looked at while the detectors were built.
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from baselines import Plain, neighbours
from peers import PEERS, Trained, ask
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from credenza.core.types import Role, View
from credenza.screening.builtin import DETECTORS, SCAN_DETECTORS
from credenza.screening.features.embedding import as_column
from credenza.screening.run import screen
from credenza.screening.view import make_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from peers import Bools, Floats, Ints

    Data = tuple[Floats, Ints]

SHARE = 0.03
ALONE = (
    "common-shift",
    "density-clusters",
    "neighbour-labels",
    "confident-learning",
    "near-copies",
    "lof",
    "isolation",
    "autoencoder",
    "spectral",
    "quantum-entropy",
    "activation-clusters",
)


def generated(seed: int, *, n: int = 3000, width: int = 64, classes: int = 5) -> Data:
    """Gaussian classes that share a few loud directions."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, n)
    mix = rng.normal(size=(width, width)) * np.exp(-np.arange(width) / 12) / np.sqrt(width)
    return rng.normal(size=(classes, width))[label] + 2 * rng.normal(size=(n, width)) @ mix.T, label


def digits(seed: int) -> Data:
    """A random 1,500 of scikit-learn's digits."""
    pixels, label = load_digits(return_X_y=True)
    kept = np.random.default_rng(seed).permutation(len(label))[:1500]
    return pixels[kept] / 16.0, label[kept].astype(np.int64)


def tumours(seed: int) -> Data:
    """A random 500 of scikit-learn's tumours, every measurement standardised."""
    points, label = load_breast_cancer(return_X_y=True)
    kept = np.random.default_rng(seed).permutation(len(label))[:500]
    points = (points - points.mean(axis=0)) / points.std(axis=0)
    return points[kept], label[kept].astype(np.int64)


DATA: dict[str, Callable[[int], Data]] = {
    "generated": generated,
    "digits": digits,
    "tumours": tumours,
}


def _shift(points: Floats, rng: np.random.Generator, strength: float) -> Floats:
    way = rng.normal(size=points.shape[1])
    return strength * points.std() * way / np.linalg.norm(way)


def flips(_: Floats, label: Ints, rows: Ints, rng: np.random.Generator) -> None:
    """Random other labels."""
    classes = int(label.max()) + 1
    label[rows] = (label[rows] + rng.integers(1, classes, len(rows))) % classes


def trigger(points: Floats, label: Ints, rows: Ints, rng: np.random.Generator) -> None:
    """A common shift, and label 0."""
    points[rows] += _shift(points, rng, 4.0)
    label[rows] = 0


def clean_label(points: Floats, _: Ints, rows: Ints, rng: np.random.Generator) -> None:
    """A common shift of rows that keep their label, which is the most frequent among them."""
    points[rows] += _shift(points, rng, 5.0)


def near_copies(points: Floats, label: Ints, rows: Ints, rng: np.random.Generator) -> None:
    """One row in slight variations."""
    noise = 0.02 * points.std() * rng.normal(size=(len(rows), points.shape[1]))
    points[rows], label[rows] = points[rows[0]] + noise, label[rows[0]]


def strays(points: Floats, _: Ints, rows: Ints, rng: np.random.Generator) -> None:
    """Rows moved away, each its own way."""
    points[rows] += points.std() * rng.normal(size=(len(rows), points.shape[1]))


ATTACKS: dict[str, Callable[[Floats, Ints, Ints, np.random.Generator], None]] = {
    "label flips": flips,
    "dirty-label shift": trigger,
    "clean-label shift": clean_label,
    "near copies": near_copies,
    "strays": strays,
}


def poison(data: Data, attack: str, seed: int) -> tuple[Floats, Ints, Bools]:
    """A copy of the data with 3 % of its rows touched, and which."""
    points, label = data[0].copy(), data[1].copy()
    rng = np.random.default_rng(seed + 1000)
    eligible = np.flatnonzero(label == 1 if attack == "clean-label shift" else label >= 0)
    eligible = eligible[label[eligible] != 0] if attack == "dirty-label shift" else eligible
    size = min(int(SHARE * len(label)), len(eligible) // 4)
    rows = rng.choice(eligible, size, replace=False)
    ATTACKS[attack](points, label, rows, rng)
    return points, label, np.isin(np.arange(len(label)), rows)


def view_of(points: Floats, label: Ints) -> View:
    """Vectors and labels, nothing trusted, no source."""
    table = pa.table({"vector": as_column(points), "label": [f"c{value}" for value in label]})
    return make_view("scan", table, label="label", facets={"vector": Role.EMBEDDING})


def trained(points: Floats, label: Ints) -> Trained:
    """The vectors as activations, with out-of-fold probabilities."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(max_iter=100)
        return Trained(
            points, label, cross_val_predict(model, points, label, method="predict_proba")
        )


def from_mean(points: Floats, label: Ints) -> Floats:
    """Distance to the mean of the rows with the same label."""
    found = np.zeros(len(label))
    for one in np.unique(label):
        mine = label == one
        found[mine] = np.linalg.norm(points[mine] - points[mine].mean(axis=0), axis=1)
    return found


BASELINES: dict[str, Callable[[Floats, Ints], Floats]] = {
    "10 nearest disagree": lambda points, label: neighbours(Plain(None, points, label)),
    "distance to class mean": from_mean,
}


def compare(data: Data, attack: str, seed: int) -> dict[str, float]:
    """AUROC of everyone on one poisoned copy, and the share of clean rows that we flag."""
    points, label, bad = poison(data, attack, seed)
    view = view_of(points, label)
    detectors = [DETECTORS.make(name) for name in SCAN_DETECTORS]
    whole = screen(view, detectors, only_applicable=True)
    found = {
        "credenza": float(roc_auc_score(bad, whole.row_scores)),
        "clean flagged": float(whole.flagged[~bad].mean()),
    }
    for name in ALONE:
        found[name] = float(roc_auc_score(bad, DETECTORS.make(name).score(view).values))
    knowledge = trained(points, label)
    for name, score in BASELINES.items():
        found[name] = float(roc_auc_score(bad, score(points, label)))
    for name, peer in PEERS.items():
        answer = ask(peer, knowledge)
        found[name] = float("nan") if answer is None else float(roc_auc_score(bad, answer.score))
    return found


def cost(sizes: list[int], width: int) -> None:
    """Processor seconds and peak memory of the detectors of a default scan that read vectors."""
    print(f"\n| rows x {width} | processor s | peak GiB | growth |\n|---|---|---|---|")
    before = 0.0
    for n in sizes:
        view = view_of(*generated(0, n=n, width=width, classes=10))
        start = time.process_time()
        found = screen(view, [DETECTORS.make(s) for s in SCAN_DETECTORS], only_applicable=True)
        spent = time.process_time() - start
        assert found.scores
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        growth = f"{spent / before:.1f}" if before else ""
        print(f"| {n} | {spent:.1f} | {peak:.2f} | {growth} |", flush=True)
        before = spent


def main() -> None:
    """Print a table of AUROCs, then one of costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="200-204")
    parser.add_argument("--cost", default="")
    parser.add_argument("--width", type=int, default=512)
    given = parser.parse_args()
    low, _, high = given.seeds.partition("-")
    seeds = list(range(int(low), int(high or low) + 1)) if low else []
    columns = ["credenza", "clean flagged", *ALONE, *BASELINES, *PEERS]
    if seeds:
        print(f"AUROC, mean (lowest) of seeds {given.seeds}")
        print(
            "| data, attack | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|"
        )
    for name, draw in DATA.items() if seeds else ():
        for attack in ATTACKS:
            rows = [compare(draw(seed), attack, seed) for seed in seeds]
            cells = [
                f"{np.mean([r[c] for r in rows]):.4f}"
                if c == "clean flagged"
                else f"{np.mean([r[c] for r in rows]):.2f} ({min(r[c] for r in rows):.2f})"
                for c in columns
            ]
            print(f"| {name}, {attack} | " + " | ".join(cells) + " |", flush=True)
    if given.cost:
        cost([int(size) for size in given.cost.split(",")], given.width)


if __name__ == "__main__":
    main()
