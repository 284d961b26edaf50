"""What a label should be: several learners out of fold, pooled by how well they foretell."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from credenza.core.types import Role
from credenza.screening.features.grams import grams_of
from credenza.screening.features.table import (
    by_value,
    columns_of,
    content_of,
    mix,
    numbers,
    row_hash,
    sample,
    source_codes,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.core.types import Bools, Floats, Ints, View

FOLDS = 5
SOURCE_FOLDS = 10
FIT_ROWS = 40_000
LETTER_ROWS = 200_000
MAX_LEVELS = 250
FEWEST_ROWS = 50
FEWEST_TRUSTED = 200
FEWEST_OF_CLASS = 2
MANY_CLASSES = 12
TREES = 60
LETTERS = 2**16
POOL_ROWS = 20_000
SMALLEST = 0.01


def foretold(view: View, codes: Ints, classes: int) -> Floats:
    """``(n, classes)`` probabilities of each label for rows that the learners have not seen.

    Boosted trees read numbers and categories; naive Bayes and a logistic regression read
    words and word pairs, another logistic regression reads letters. Rows of a fold are
    foretold by learners of the other folds, from a sample of 40,000 rows. Folds are whole
    sources when there are three or more; of 20 sources two share one, for an honest source
    that shared its fold with hostile ones would be foretold by cleaner learners than the
    others and look like them. The learners' log probabilities are added with weights that
    make the known labels most likely, which also calibrates them.

    Trusted rows teach alone where there are 200 of them. Otherwise blind to what is in
    every fold: a trigger of many sources is learnt.

    Args:
        view: the rows.
        codes: ``(n,)`` label codes, -1 where unknown.
        classes: number of codes.
    """
    known = np.flatnonzero((codes >= 0) & teachers(view, codes))
    base = (np.bincount(codes[known], minlength=classes) + 0.5) / (len(known) + 0.5 * classes)
    found = np.tile(base, (len(codes), 1))
    learners = _learners(view, classes)
    fold = _folds(view)
    train = sample(view, known, FIT_ROWS)
    if len(known) < FEWEST_ROWS or len(np.unique(codes[known])) < FEWEST_OF_CLASS or not learners:
        return found
    by_learner = []
    for matrix, make in learners:
        p = found.copy()
        for part in np.unique(fold):
            rows = train[fold[train] != part]
            here = np.flatnonzero(fold == part)
            taught = np.unique(codes[rows])
            if len(rows) >= FEWEST_ROWS and len(taught) >= FEWEST_OF_CLASS:
                p[here] = SMALLEST / classes
                p[np.ix_(here, taught)] = _taught(make(), matrix, codes, rows, here)
        by_learner.append(np.log(np.clip(p, SMALLEST / classes, 1.0)))
    pooled = _pooled(by_learner, codes, sample(view, known, POOL_ROWS))
    return np.asarray(np.clip(pooled, SMALLEST / classes, 1.0))


def teachers(view: View, codes: Ints) -> Bools:
    """``(n,)`` rows that may teach: the trusted ones, or all where too few are."""
    trusted = view.trusted & (codes >= 0)
    return trusted if trusted.sum() >= FEWEST_TRUSTED else np.ones(len(codes), dtype=bool)


def _taught(model: Any, matrix: Any, codes: Ints, rows: Ints, here: Ints) -> Floats:  # noqa: ANN401 - sklearn is untyped
    with warnings.catch_warnings():
        # A few dozen steps foretell as well as convergence would.
        warnings.simplefilter("ignore")
        model.fit(matrix[rows], codes[rows])
    return np.asarray(model.predict_proba(matrix[here]))


def _learners(view: View, classes: int) -> list[tuple[Any, Callable[[], Any]]]:
    """Feature matrices, each with what learns from it."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - heavy
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - heavy
    from sklearn.naive_bayes import ComplementNB  # noqa: PLC0415 - heavy

    def linear() -> Any:  # noqa: ANN401 - sklearn is untyped
        return LogisticRegression(C=3.0, max_iter=50, tol=1e-3)

    found: list[tuple[Any, Callable[[], Any]]] = []
    columns, is_category = table_matrix(view)
    if len(is_category):
        trees = max(20, TREES if classes <= 2 else 2 * TREES // classes)
        found.append(
            (
                columns,
                lambda: HistGradientBoostingClassifier(
                    max_iter=trees,
                    learning_rate=0.1,
                    categorical_features=is_category,
                    early_stopping=False,
                    random_state=0,
                ),
            )
        )
    for name in columns_of(view, Role.TEXT):
        words = _weighed(grams_of(view, name).matrix)
        found.append((words, lambda: ComplementNB(alpha=0.5)))
        if classes <= MANY_CLASSES:
            found.append((words, linear))
            if view.table.num_rows <= LETTER_ROWS:
                found.append((_letters(view, name), linear))
    return found


def table_matrix(view: View) -> tuple[Floats, Any]:
    """Numbers as they are, categories as codes of their 250 most frequent levels.

    Returns:
        ``(n, c)`` values, and ``(c,)`` which columns are categories.
    """
    parts: list[Floats] = []
    is_category = []
    for name in columns_of(view, Role.NUMBER, Role.CATEGORY):
        is_number = view.facets[name] is Role.NUMBER
        is_category.append(not is_number)
        if is_number:
            # Kept within float32: one huge value must not silence the scan of all others.
            parts.append(np.clip(numbers(view, name), -1e38, 1e38))
            continue
        coded = by_value(view, name)
        counts = np.bincount(coded.codes, minlength=coded.size)
        kept = np.argsort(-counts, kind="stable")[:MAX_LEVELS]
        place = np.full(coded.size, MAX_LEVELS)
        place[kept] = np.arange(len(kept))
        parts.append(place[coded.codes].astype(np.float64))
    n = view.table.num_rows
    return (np.stack(parts, axis=1) if parts else np.empty((n, 0))), np.array(is_category, bool)


def _weighed(matrix: Any) -> Any:  # noqa: ANN401 - scipy is untyped
    """Rows of unit length, rare grams weighing more."""
    from scipy import sparse  # noqa: PLC0415 - heavy

    n = matrix.shape[0]
    carried = np.bincount(matrix.indices, minlength=matrix.shape[1])
    rarity = np.log((1.0 + n) / (1.0 + carried)) + 1.0
    data = matrix.data * rarity[matrix.indices]
    shape = {"shape": matrix.shape, "copy": False}
    squares = sparse.csr_array((data**2, matrix.indices, matrix.indptr), **shape)
    length = np.maximum(np.sqrt(np.asarray(squares.sum(axis=1)).ravel()), 1e-9)
    data /= np.repeat(length, np.diff(matrix.indptr))
    return sparse.csr_array((data, matrix.indices, matrix.indptr), **shape)


def _letters(view: View, column: str) -> Any:  # noqa: ANN401 - sklearn is untyped
    from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415 - heavy

    texts = pa.chunked_array(view.table.column(column)).cast(pa.large_string())
    reader = HashingVectorizer(
        analyzer="char_wb",
        ngram_range=(2, 5),
        n_features=LETTERS,
        alternate_sign=False,
        binary=True,
    )
    hashed = reader.transform(text or "" for text in texts.to_pylist())
    return _weighed(hashed)


def _pooled(by_learner: list[Floats], codes: Ints, rows: Ints) -> Floats:
    """Softmax of the weighted sum of log probabilities, weights of greatest likelihood."""
    from scipy import optimize, special  # noqa: PLC0415 - heavy

    stacked = np.stack([log_p[rows] for log_p in by_learner])
    own = codes[rows]
    at = np.arange(len(rows))

    def loss(weights: Floats) -> tuple[float, Floats]:
        mixed = np.tensordot(weights, stacked, axes=1)
        norm = special.logsumexp(mixed, axis=1)
        p = np.exp(mixed - norm[:, None])
        gradient = (stacked * p).sum(axis=2).mean(axis=1) - stacked[:, at, own].mean(axis=1)
        return float((norm - mixed[at, own]).mean()), gradient

    start = np.full(len(by_learner), 1.0 / len(by_learner))
    bounds = [(0.0, 5.0)] * len(by_learner)
    best = optimize.minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    mixed = sum((w * log_p for w, log_p in zip(best, by_learner, strict=True)), np.zeros(()))
    return np.asarray(special.softmax(mixed, axis=1))


def _folds(view: View) -> Ints:
    source, names = source_codes(view)
    if len(names) >= 3:
        return source % SOURCE_FOLDS
    # Rows of one or two sources are dealt by content, so that copies share a fold.
    return mix(row_hash(content_of(view), len(source)), 5) % FOLDS
