"""What the label of a picture should have been, from the other pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from credenza.screening.features.image import (
    coarse,
    content_hash,
    images_of,
    principal,
)
from credenza.screening.features.label_noise import LabelNoise, discriminated
from credenza.screening.features.table import mix

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints, View
    from credenza.screening.features.image import Images, Singles

GRID = 14
CELLS = 7
FEWEST_CELLS = 3
CELL_PIXELS = 4
ANGLES = 8
DIMENSIONS = 96
LANDMARKS = 1500
OUTLINE_DIMENSIONS = 24
OUTLINE_LANDMARKS = 500
ROWS_A_LANDMARK = 4
FIT_ROWS = 60_000
FOLDS = 5
WIDTH = 3.0
RIDGE = 0.3
LEAST = 1e-9
LEAST_SCORE = 0.001


def embedding(images: Images) -> Singles:
    """``(n, 96)`` components of a coarse copy and of the histogram of edge directions.

    The two halves weigh the same. A small patch hardly moves them, which is wanted:
    they tell what the picture *shows*, not what was added to it.

    Source:
        Dalal and Triggs 2005 (histograms of oriented gradients), without block norms.
    """
    parts = [_edges(images), coarse(images, GRID)]
    scaled = [part / max(1e-6, float(np.sqrt(part.var(axis=0).sum()))) for part in parts]
    matrix = np.hstack(scaled).astype(np.float32)
    return principal(matrix, min(DIMENSIONS, matrix.shape[1]))


def view_embedding(view: View) -> Singles:
    """``(n, d)`` embeddings of all image columns, side by side.

    Raises:
        UnassessedError: the view has no image.
    """
    return np.hstack([embedding(images) for images in images_of(view)])


def picture_codes(view: View) -> Ints:
    """``(n,)`` hash of each row's pictures, by content alone."""
    codes = [content_hash(images) for images in images_of(view)]
    return mix(np.sum(codes, axis=0), 35)


def out_of_fold_by_image(view: View, codes: Ints, classes: int) -> Floats:
    """``(n, classes)`` probabilities by kernel ridge regression, each row out of its fold.

    Kernel values against 1,500 pictures drawn by content, which also deals the folds, so
    that copies share one. A discriminant turns the scores into odds, and the odds are made
    as sharp as the labels bear out when some of them were put on their rows. Blind to what
    is in every fold: a trigger on many rows is partly learnt.

    Args:
        view: rows with an image.
        codes: ``(n,)`` label codes, -1 where missing.
        classes: number of label codes.
    """
    identity = picture_codes(view)
    scores = _ridge(view_embedding(view), identity, codes, classes, LANDMARKS)
    log_odds = discriminated(scores, codes, _folds(identity))
    log_p = np.maximum(LabelNoise.of(log_odds, codes).log_p, np.log(LEAST))
    return np.asarray(special.softmax(log_p, axis=1))


def out_of_fold_by_outline(view: View, codes: Ints, classes: int) -> Floats:
    """The same by a weak learner, which sees a 7 x 7 copy at most and so learns no fine pattern.

    A trigger on many rows is learnt by a strong model, after which its rows look right.
    Each copy is brought to the same brightness and contrast, which blending changes.
    """
    outlines = []
    for images in images_of(view):
        copy = coarse(images, max(FEWEST_CELLS, min(CELLS, min(images.shape[:2]) // CELL_PIXELS)))
        copy -= copy.mean(axis=1, keepdims=True)
        copy /= np.maximum(np.linalg.norm(copy, axis=1, keepdims=True), 1e-6)
        outlines.append(principal(copy, min(OUTLINE_DIMENSIONS, copy.shape[1])))
    points = np.hstack(outlines)
    scores = _ridge(points, picture_codes(view), codes, classes, OUTLINE_LANDMARKS)
    scores = np.clip(scores, LEAST_SCORE, None)
    return np.asarray(scores / scores.sum(axis=1, keepdims=True))


def _folds(identity: Ints) -> Ints:
    return mix(identity, 37) % FOLDS


def _ridge(points: Singles, identity: Ints, codes: Ints, classes: int, landmarks: int) -> Floats:
    """``(n, classes)`` scores out of fold, which sum to one and may be negative."""
    n = len(points)
    order = np.argsort(mix(identity, 36), kind="stable")
    kernel = _kernel(points, order[: min(landmarks, max(1, n // ROWS_A_LANDMARK))])
    fold = _folds(identity)
    fitted = np.zeros(n, bool)
    fitted[order[:FIT_ROWS]] = True
    fitted &= codes >= 0
    base = np.bincount(codes[fitted], minlength=classes) / max(1, fitted.sum())
    target = np.zeros((n, classes), np.float32)
    target[np.flatnonzero(codes >= 0), codes[codes >= 0]] = 1.0
    target[codes >= 0] -= base.astype(np.float32)
    parts = [np.flatnonzero(fitted & (fold == part)) for part in range(FOLDS)]
    grams = [(kernel[rows].T @ kernel[rows]).astype(np.float64) for rows in parts]
    moments = [(kernel[rows].T @ target[rows]).astype(np.float64) for rows in parts]
    found = np.empty((n, classes))
    for part in range(FOLDS):
        gram = sum(grams) - grams[part] + RIDGE * np.eye(kernel.shape[1])
        weights = np.linalg.solve(gram, sum(moments) - moments[part])
        here = fold == part
        found[here] = base + kernel[here] @ weights
    return found


def _kernel(points: Singles, landmarks: Ints) -> Singles:
    """``(n, m + 1)`` Gaussian kernel to each landmark, its width from their distances."""
    chosen = points[landmarks]
    squares = (points**2).sum(axis=1)
    far = squares[:, None] + squares[landmarks][None, :] - 2 * (points @ chosen.T)
    typical = max(float(np.median(far[landmarks])), 1e-6)
    kernel = np.ones((len(points), len(landmarks) + 1), np.float32)
    kernel[:, :-1] = np.exp(-(WIDTH / typical) * np.maximum(far, 0))
    return kernel


def _edges(images: Images) -> Singles:
    """``(n, cells * cells * 8)`` square roots of edge strength by cell and direction."""
    height, width, _ = images.shape
    rows = np.unique(np.linspace(0, height, CELLS + 1).astype(np.int64)[:-1])
    columns = np.unique(np.linspace(0, width, CELLS + 1).astype(np.int64)[:-1])
    made = np.empty((len(images.pixels), len(rows) * len(columns) * ANGLES), np.float32)
    for block in images.blocks():
        grey = images.pixels[block].mean(axis=3, dtype=np.float32)
        down, across = np.zeros_like(grey), np.zeros_like(grey)
        down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
        across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
        strength = np.hypot(down, across)
        angle = np.mod(np.arctan2(down, across), np.pi) * (ANGLES / np.pi)
        low = np.floor(angle)
        share = angle - low
        cells = []
        for direction in range(ANGLES):
            weight = np.where(low % ANGLES == direction, 1 - share, 0)
            weight += np.where((low + 1) % ANGLES == direction, share, 0)
            part = np.add.reduceat(strength * weight, rows, axis=1)
            cells.append(np.add.reduceat(part, columns, axis=2))
        flat = np.sqrt(np.stack(cells, axis=-1)).reshape(len(grey), -1)
        made[block] = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return made
