from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from credenza.core.errors import NotFoundError, UsageError
from credenza.training.activations.builtin import EXTRACTORS

DIGITS = load_digits()
X, Y = DIGITS.data[:400], DIGITS.target[:400]


def forest() -> Any:  # noqa: ANN401 - an untyped library
    return RandomForestClassifier(40, random_state=0).fit(X, Y)


def test_leaf_vectors_are_as_alike_as_the_trees_say() -> None:
    model = forest()
    found = EXTRACTORS.make("leaves", model=model, width=2_000).activations(X[:60])
    leaves = model.apply(X[:60])
    share = (leaves[:, None, :] == leaves[None, :, :]).mean(axis=2)
    np.testing.assert_allclose(found @ found.T, share, atol=0.12)


def test_a_row_s_leaf_vector_does_not_depend_on_the_rows_beside_it() -> None:
    seen = EXTRACTORS.make("leaves", model=forest())
    np.testing.assert_array_equal(seen.activations(X[:50])[7], seen.activations(X[7:8])[0])


def test_lightgbm_says_its_leaves() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, random_state=0, n_jobs=1)
    model.fit(X, Y)
    found = EXTRACTORS.make("leaves", model=model.booster_).activations(X)
    assert found.shape == (400, 256)
    same = (found[Y == 3] @ found[Y == 3].T).mean()
    other = (found[Y == 3] @ found[Y == 6].T).mean()
    assert same > 2 * other


def test_a_pipeline_shows_what_reaches_its_last_step() -> None:
    words = ["good good", "bad", "good bad", "fine"]
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(words, [1, 0, 0, 1])
    found = EXTRACTORS.make("pipeline", pipeline=model).activations(words)
    np.testing.assert_allclose(
        found @ model[-1].coef_[0] + model[-1].intercept_, model.decision_function(words)
    )


def test_what_cannot_be_looked_into_is_said() -> None:
    with pytest.raises(UsageError, match="does not say into which leaf"):
        EXTRACTORS.make("leaves", model=LogisticRegression()).activations(X)
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(["a1 b1", "c1"], [0, 1])
    with pytest.raises(UsageError, match="3 inputs"):
        EXTRACTORS.make("pipeline", pipeline=model, columns=2).activations(["a1"])
    with pytest.raises(NotFoundError, match="layer, leaves, pipeline"):
        EXTRACTORS.make("aura")


def test_a_layer_is_seen_as_the_network_sees_it() -> None:
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(
        torch.nn.Linear(64, 8), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(8, 10)
    )
    network.train()
    found = EXTRACTORS.make("layer", network=network).activations(X)
    with torch.no_grad():
        expected = network[1](network[0](torch.tensor(X, dtype=torch.float32))).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert network.training
    assert EXTRACTORS.make("layer", network=network, layer="1").activations(X).shape == (400, 8)


def test_a_layer_that_does_not_exist_or_is_not_passed_is_refused() -> None:
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Linear(64, 8))
    with pytest.raises(UsageError, match="it has: 0"):
        EXTRACTORS.make("layer", network=network, layer="9")
    idle = torch.nn.Linear(8, 8)
    network.idle = idle
    network.forward = network[0].forward
    with pytest.raises(UsageError, match="the layer saw 0"):
        EXTRACTORS.make("layer", network=network, layer="idle").activations(X)
