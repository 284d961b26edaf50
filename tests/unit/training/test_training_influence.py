from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from credenza.core.errors import NotFoundError, UsageError
from credenza.core.types import Unit
from credenza.training.activations.builtin import EXTRACTORS
from credenza.training.influence.builtin import INFLUENCES
from credenza.training.influence.ensemble import ExternalScores, RankMean
from credenza.training.influence.head import HeadRows, Moment, head_rows, margin, with_constant
from credenza.training.influence.kfac import KroneckerInfluence
from credenza.training.influence.leave_one_out import (
    LogisticLeaveOneOut,
    RidgeLeaveOneOut,
    fit_softmax,
)
from credenza.training.influence.similarity import Similarity
from credenza.training.influence.sources import blame_sources
from credenza.training.influence.trace import findings, trace
from credenza.training.influence.trak import Trak

if TYPE_CHECKING:
    import numpy.typing as npt

    from credenza.training.influence.head import Influence

    Array = npt.NDArray[Any]

BAD, ROWS, CLASSES = 20, 900, 3
TRIGGER = 7


def world(seed: int = 0) -> tuple[Array, Array, Array, Array]:
    """Three Gaussian classes; rows with a mark in one column are called class 0."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, CLASSES, ROWS)
    X = rng.normal(0, 1, (ROWS, 10))
    X[np.arange(ROWS), y] += 3
    sources = rng.integers(0, 10, ROWS).astype(str)
    bad = rng.choice(np.flatnonzero((y != 0) & (sources == "4")), BAD, replace=False)
    X[bad, TRIGGER] += 6
    y[bad] = 0
    return X, y, sources, bad


def moment(seed: int = 0) -> tuple[Moment, Array, Array]:
    X, y, sources, bad = world(seed)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0)).fit(X, y)
    probes = np.random.default_rng(seed + 1).normal(0, 1, (200, 10))
    probes[:, 1] += 3
    probes[:, TRIGGER] += 6
    probes = probes[model.predict(probes) == 0][:10]
    seen = EXTRACTORS.make("pipeline", pipeline=model)
    return (
        Moment(
            head_rows(seen, model.decision_function, X, y),
            head_rows(seen, model.decision_function, probes),
        ),
        sources,
        bad,
    )


@pytest.mark.parametrize("name", ["kfac", "trak", "leave-one-out", "similarity", "ensemble"])
def test_the_rows_that_taught_a_trigger_come_first(name: str) -> None:
    taken, _, bad = moment()
    found = trace([taken], method=name, suspects=BAD)
    assert np.isin(found.suspects, bad).mean() >= 0.5


def test_the_source_of_the_poison_is_named_and_no_other() -> None:
    taken, sources, _ = moment()
    said = findings(trace([taken], sources=sources))
    named = [one.subjects for one in said if one.unit is Unit.SOURCE]
    assert named == [("4",)]
    assert said[0].sentence.startswith("4 sent ")
    assert "a ranking" in said[-1].sentence


def test_an_honest_mistake_blames_no_source() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = rng.normal(0, 1, (ROWS, 6))
        y = (X[:, 0] + rng.normal(0, 1, ROWS) > 0).astype(np.int64)
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
        wrong = X[model.predict(X) != y][:5]
        seen = EXTRACTORS.make("pipeline", pipeline=model)
        taken = Moment(
            head_rows(seen, model.decision_function, X, y),
            head_rows(seen, model.decision_function, wrong),
        )
        sources = rng.integers(0, 8, ROWS).astype(str)
        said = findings(trace([taken], sources=sources))
        assert [one.unit for one in said] == [Unit.ROW]


def test_a_source_is_not_blamed_for_sending_only_the_blamed_class() -> None:
    labels = np.repeat([0, 1], [200, 800])
    sources = np.where(labels == 0, "specialist", "other")
    sources[:20] = "other"
    suspects = np.zeros(1000, dtype=bool)
    suspects[[*range(2), *range(20, 38)]] = True
    assert blame_sources(suspects, labels, sources)[0].p_value == 1.0


def test_declared_groups_are_blamed_as_one() -> None:
    taken, sources, _ = moment()
    split = np.where(sources == "4", np.where(np.arange(ROWS) % 2, "4a", "4b"), sources)
    found = trace([taken], sources=split, declared={"4a": "four", "4b": "four"})
    assert found.sources[0].source == "four"


def test_fitted_poison_is_hidden_from_the_loss_and_not_from_the_margin() -> None:
    taken, _, bad = moment()
    fitted = Moment(
        HeadRows(taken.train.inputs, taken.train.logits * 5, taken.train.labels),
        HeadRows(taken.probes.inputs, taken.probes.logits * 5, taken.probes.labels),
    )
    by_margin = trace([fitted], method=KroneckerInfluence(), suspects=BAD)
    by_error = trace([fitted], method=KroneckerInfluence(by_error=True), suspects=BAD)
    assert np.isin(by_margin.suspects, bad).mean() > 0.5
    assert np.isin(by_error.suspects, bad).mean() < np.isin(by_margin.suspects, bad).mean()


def test_ridge_leave_one_out_is_what_a_head_fitted_anew_says() -> None:
    taken, _, _ = moment()
    scores = RidgeLeaveOneOut(penalty=2.0).scores([taken])
    seen, asked = with_constant(taken.train.inputs), with_constant(taken.probes.inputs)
    wanted = 2 * np.eye(CLASSES)[taken.train.labels] - 1

    def margins(keep: Array) -> Array:
        gram = seen[keep].T @ seen[keep] + 2.0 * np.eye(seen.shape[1])
        out = asked @ np.linalg.solve(gram, seen[keep].T @ wanted[keep])
        own = np.eye(CLASSES)[taken.probes.labels]
        return np.asarray((out * (own - (1 - own) / (CLASSES - 1))).sum(axis=1))

    everything = np.arange(ROWS)
    for row in (0, 17, 400):
        expected = margins(everything) - margins(np.delete(everything, row))
        np.testing.assert_allclose(scores[:, row], expected, rtol=1e-8, atol=1e-12)


def test_logistic_leave_one_out_is_near_and_its_first_rows_are_exact() -> None:
    taken, _, _ = moment()
    near = LogisticLeaveOneOut(refits=0).scores([taken])
    exact = LogisticLeaveOneOut(refits=3).scores([taken])
    fitted_anew = np.flatnonzero((near != exact).any(axis=0))
    assert 1 <= len(fitted_anew) <= 3
    alike = np.corrcoef(near[:, fitted_anew].ravel(), exact[:, fitted_anew].ravel())[0, 1]
    assert alike > 0.97
    # Exact is exact: a head fitted without the row.
    row = int(fitted_anew[0])
    seen, asked = with_constant(taken.train.inputs), with_constant(taken.probes.inputs)
    left = np.delete(np.arange(ROWS), row)
    heads = [
        fit_softmax(seen[keep], taken.train.labels[keep], CLASSES, 1.0)
        for keep in (np.arange(ROWS), left)
    ]
    own = np.eye(CLASSES)[taken.probes.labels]
    contrast = own - (1 - own) / (CLASSES - 1)
    change = ((asked @ (heads[0] - heads[1])) * contrast).sum(axis=1)
    np.testing.assert_allclose(exact[:, row], change, atol=1e-6)


def test_the_softmax_head_agrees_with_scikit_learn() -> None:
    taken, _, _ = moment()
    inputs, labels = taken.train.inputs, taken.train.labels
    ours = fit_softmax(inputs, labels, CLASSES, 1.0)
    peer = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-10, max_iter=1000)
    peer.fit(inputs, labels)
    np.testing.assert_allclose(ours - ours.mean(axis=1, keepdims=True), peer.coef_.T, atol=1e-4)


def test_scores_of_another_library_are_taken_and_checked() -> None:
    taken, _, bad = moment()
    matrix = np.zeros((len(taken.probes.labels), ROWS))
    matrix[:, bad] = 1.0
    found = trace([taken], method=ExternalScores(matrix), suspects=BAD)
    assert set(found.suspects) == set(bad)
    with pytest.raises(UsageError, match="external scores"):
        ExternalScores(matrix.T).scores([taken])


def test_an_ensemble_bears_one_useless_member() -> None:
    taken, _, bad = moment()
    noise = np.random.default_rng(0).random((len(taken.probes.labels), ROWS))
    members: list[Influence] = [KroneckerInfluence(), Trak(), ExternalScores(noise)]
    found = trace([taken], method=RankMean(members), suspects=BAD)
    assert np.isin(found.suspects, bad).mean() >= 0.7


def test_similarity_looks_at_each_row_by_itself_so_copies_do_not_mask_each_other() -> None:
    taken, _, bad = moment()
    scores = Similarity().scores([taken])
    assert (scores[:, taken.train.labels != 0] == -1).all()
    assert scores[:, bad].mean() > 0.5


def test_wide_gradients_are_projected_and_say_nearly_the_same() -> None:
    taken, _, bad = moment()
    found = trace([taken], method=Trak(width=25), suspects=BAD)
    assert np.isin(found.suspects, bad).mean() >= 0.5


def test_margins_are_contrasts() -> None:
    taken, _, _ = moment()
    np.testing.assert_allclose(margin(taken.train).sum(axis=1), 0, atol=1e-12)


def test_what_does_not_fit_is_refused() -> None:
    taken, sources, _ = moment()
    with pytest.raises(NotFoundError, match="the known influences are"):
        trace([taken], method="telepathy")
    with pytest.raises(UsageError, match="sources for"):
        trace([taken], sources=sources[1:])
    with pytest.raises(UsageError, match="suspects of"):
        trace([taken], suspects=0)
    with pytest.raises(UsageError, match="no view"):
        trace([])
    with pytest.raises(UsageError, match="at least two"):
        RankMean([Trak()])
    assert {"kfac", "tracin", "trak"} <= set(INFLUENCES)
