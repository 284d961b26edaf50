"""Other people's tools on the same poisoned rows, at their defaults.

Each peer gets what it asks for: activations of a model trained on the poisoned rows, out of
fold probabilities, or the rows themselves. It answers with flags and, where it has one, a
score to rank rows by (higher is worse). Nothing is tuned, for them or against them.

The peers are not dependencies of the project: adversarial-robustness-toolbox, cleanlab,
pyod, mlxtend and aegis-scan-ai are installed beside it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.feature_selection import chi2

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]

MAX_ITEMS = 3


@dataclass(frozen=True)
class Trained:
    """What a model that was trained on the poisoned rows knows of them.

    Attributes:
        activations: ``(n, d)`` of its last layer but one, or features in their stead.
        labels: ``(n,)`` codes, as poisoned.
        probabilities: ``(n, k)`` out of fold.
    """

    activations: Floats
    labels: Ints
    probabilities: Floats


@dataclass(frozen=True)
class Answer:
    """A peer's flags, and its scores where it has some."""

    flagged: Bools
    score: Floats


class _Activations:
    """As much of a classifier as ART's defences look at."""

    layer_names = ("penultimate",)

    def __init__(self, values: Floats, classes: int) -> None:
        self.values, self.nb_classes = values.astype(np.float32), classes

    def get_activations(self, x: Any, layer: int, batch_size: int) -> Any:  # noqa: ANN401, ARG002 - ART's signature
        return self.values


def art_activation(trained: Trained) -> Answer:
    """ART's activation clustering: the smaller of two clusters of each class."""
    from art.defences.detector.poison import ActivationDefence  # noqa: PLC0415 - a peer

    n, classes = trained.probabilities.shape
    hot = np.eye(classes)[trained.labels]
    defence = ActivationDefence(_Activations(trained.activations, classes), np.zeros((n, 1)), hot)
    _, clean = defence.detect_poison(nb_clusters=2, nb_dims=10, reduce="PCA")
    flagged = np.asarray(clean) == 0
    return Answer(flagged, flagged.astype(np.float64))


def art_spectral(trained: Trained) -> Answer:
    """ART's spectral signatures, with the share of poison it expects by default."""
    from art.defences.detector.poison import SpectralSignatureDefense  # noqa: PLC0415 - a peer

    n, classes = trained.probabilities.shape
    hot = np.eye(classes)[trained.labels]
    shown = _Activations(trained.activations, classes)
    defence = SpectralSignatureDefense(shown, np.zeros((n, 1)), hot)
    score = np.zeros(n)
    for label in range(classes):
        rows = np.flatnonzero(trained.labels == label)
        if len(rows):
            own = trained.activations[rows]
            score[rows] = defence.spectral_signature_scores(own).ravel()
    _, clean = defence.detect_poison()
    return Answer(np.asarray(clean) == 0, score)


def cleanlab(trained: Trained) -> Answer:
    """Cleanlab's label issues, ranked by self-confidence."""
    from cleanlab.filter import find_label_issues  # noqa: PLC0415 - a peer
    from cleanlab.rank import get_label_quality_scores  # noqa: PLC0415 - a peer

    issues = find_label_issues(trained.labels, trained.probabilities, n_jobs=1)
    quality = get_label_quality_scores(trained.labels, trained.probabilities)
    return Answer(np.asarray(issues), -np.asarray(quality))


def pyod_forest(trained: Trained) -> Answer:
    """PyOD's isolation forest on the activations."""
    from pyod.models.iforest import IForest  # noqa: PLC0415 - a peer

    forest = IForest(random_state=0).fit(trained.activations)
    return Answer(forest.labels_ == 1, forest.decision_scores_)


def aegis(trained: Trained) -> Answer:
    """aegis-scan: rows that its spectral and its clustering detector both flag."""
    from aegis_scan.detect.clustering import activation_clustering_flags  # noqa: PLC0415 - a peer
    from aegis_scan.detect.spectral import spectral_signature_scores  # noqa: PLC0415 - a peer
    from aegis_scan.fuse import fuse_scores  # noqa: PLC0415 - a peer

    spectral = spectral_signature_scores(trained.activations, trained.labels)
    clusters = activation_clustering_flags(trained.activations, trained.labels)
    fused = fuse_scores(spectral, clusters, trained.labels)
    return Answer(np.asarray(fused.agreement), np.asarray(fused.fused_scores))


PEERS: dict[str, Callable[[Trained], Answer]] = {
    "ART activation clustering": art_activation,
    "ART spectral signatures": art_spectral,
    "cleanlab": cleanlab,
    "PyOD isolation forest": pyod_forest,
    "aegis-scan": aegis,
}


def ask(peer: Callable[[Trained], Answer], trained: Trained) -> Answer | None:
    """The peer's answer; None where it fails on these rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return peer(trained)
        except Exception as wrong:  # noqa: BLE001 - a peer's failure is a cell of the table
            print(f"    {peer.__name__} failed: {type(wrong).__name__}: {wrong}")
            return None


def pattern_rules(columns: dict[str, Any], labels: Ints, min_share: float = 0.002) -> Answer:
    """Frequent patterns (FP-growth) whose rows nearly all have one label, by chi-square.

    The simple thing for tables: categories and number quartiles as items, patterns of up
    to two, rules of at least .95 confidence and twice the label's share.
    """
    import pandas as pd  # noqa: PLC0415 - comes with the peer
    from mlxtend.frequent_patterns import fpgrowth  # noqa: PLC0415 - a peer

    items = {}
    for name, values in columns.items():
        frame = pd.Series(values)
        few = pd.qcut(frame, 4, duplicates="drop") if frame.dtype.kind in "if" else frame
        items |= {f"{name}={level}": (few == level).to_numpy() for level in few.dropna().unique()}
    rare = {name: mask for name, mask in items.items() if mask.mean() >= min_share}
    frame = pd.DataFrame(rare)
    patterns = fpgrowth(frame, min_support=min_share, use_colnames=True, max_len=MAX_ITEMS - 1)
    flagged, score = np.zeros(len(labels), bool), np.zeros(len(labels))
    share = np.bincount(labels) / len(labels)
    for names in patterns["itemsets"]:
        rows = np.logical_and.reduce([rare[name] for name in names])
        counts = np.bincount(labels[rows], minlength=len(share))
        label = int(counts.argmax())
        confidence = counts[label] / counts.sum()
        if confidence >= 0.95 and confidence >= 2 * share[label]:
            lift = (counts[label] - counts.sum() * share[label]) ** 2
            hit = rows & (labels == label)
            score[hit] = np.maximum(score[hit], lift / (counts.sum() * share[label]))
            flagged |= hit
    return Answer(flagged, score)


def chi_square_rank(matrix: Any, labels: Ints, wanted: Ints) -> int:  # noqa: ANN401 - sparse
    """Rank, from 1, that the best of the ``wanted`` columns has by chi-square with the label."""
    statistic, _ = chi2(matrix, labels)
    statistic = np.nan_to_num(statistic)
    return int((statistic > statistic[wanted].max()).sum()) + 1
