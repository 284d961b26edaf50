"""How many labels were put on rows, and which rows they were put on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import roc_auc_score

from credenza.screening.features.label_noise import LabelNoise, discriminated

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints

CLASSES = 5


def foretold(seed: int, n: int = 4000) -> tuple[Floats, Ints]:
    """Log probabilities of labels, and labels that are drawn from them."""
    rng = np.random.default_rng(seed)
    log_p = 4.0 * rng.normal(size=(n, CLASSES))
    log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    codes = (np.exp(log_p).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return log_p, np.minimum(codes, CLASSES - 1)


def test_the_share_of_labels_that_were_put_is_found_whatever_the_learner_s_sharpness() -> None:
    for sharpness in (0.5, 1.0, 3.0):
        log_p, codes = foretold(0)
        rng = np.random.default_rng(1)
        put = rng.random(len(codes)) < 0.1
        codes = np.where(put, (codes + rng.integers(1, CLASSES, len(codes))) % CLASSES, codes)
        noise = LabelNoise.of(log_p * sharpness, codes)
        assert 0.06 < noise.put.sum() < 0.14
        assert roc_auc_score(put, noise.odds(codes)) > 0.9
        assert np.abs(np.exp(noise.log_p) - np.exp(log_p)).mean() < 0.02


def test_labels_that_follow_their_rows_were_hardly_put() -> None:
    log_p, codes = foretold(2)
    assert LabelNoise.of(log_p, codes).put.sum() < 0.01


def test_a_label_that_was_put_often_is_doubted_before_the_others() -> None:
    log_p, codes = foretold(3)
    rng = np.random.default_rng(4)
    put = rng.random(len(codes)) < 0.05
    codes = np.where(put, 2, codes)
    noise = LabelNoise.of(log_p, codes)
    alone = -noise.log_p[np.arange(len(codes)), codes]
    wrong = put & (log_p.argmax(axis=1) != 2)
    assert noise.put.argmax() == 2
    assert roc_auc_score(wrong, noise.odds(codes)) > roc_auc_score(wrong, alone)


def test_two_labels_are_ranked_by_their_probabilities_alone() -> None:
    rng = np.random.default_rng(5)
    p = rng.uniform(0.01, 0.99, 2000)
    codes = (rng.random(2000) < p).astype(np.int64)
    odds = LabelNoise.of(np.log(np.stack([1 - p, p], axis=1)), codes).odds(codes)
    own = np.where(codes == 1, p, 1 - p)
    assert (np.argsort(odds) == np.argsort(-own)).mean() > 0.99


def test_a_row_without_a_label_is_doubted_least_and_teaches_nothing() -> None:
    log_p, codes = foretold(6, n=500)
    some = codes.copy()
    some[::7] = -1
    odds = LabelNoise.of(log_p, some).odds(some)
    assert odds[::7].max() <= odds.min() + 1e-12
    assert np.isfinite(LabelNoise.of(log_p, np.full(500, -1)).odds(np.full(500, -1))).all()


def test_a_discriminant_tells_a_wrong_label_from_a_usual_confusion() -> None:
    rng = np.random.default_rng(7)
    n = 3000
    shown = rng.integers(0, 3, n)
    # Labels 0 and 1 look alike to the learner, 2 looks like itself; scores are noisy.
    typical = np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.1, 0.1, 0.8]])
    scores = typical[shown] + np.array([0.25, 0.25, 0.05]) * rng.normal(size=(n, 3))
    put = rng.random(n) < 0.03
    codes = np.where(put, (shown + 1 + (shown == 0)) % 3, shown)
    fold = np.arange(n) % 5
    found = discriminated(scores, codes, fold)
    at = np.arange(n)
    margin = found.max(axis=1) - found[at, codes]
    raw = scores.max(axis=1) - scores[at, codes]
    told = put & (shown != 1)
    assert roc_auc_score(told, margin) > max(0.99, roc_auc_score(told, raw))


def test_a_row_does_not_teach_what_its_own_label_should_be() -> None:
    rng = np.random.default_rng(8)
    hits = []
    for _ in range(100):
        scores, codes = rng.normal(size=(40, 4)), rng.integers(0, 4, 40)
        found = discriminated(scores, codes, np.arange(40) % 5)
        hits.append((found.argmax(axis=1) == codes).mean())
    assert abs(np.mean(hits) - 0.25) < 0.03
