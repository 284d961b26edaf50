from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neighbors import NearestCentroid

from credenza import training
from credenza.core.errors import NotFoundError, UsageError
from credenza.training.assignment import Assignment
from credenza.training.builtin import aggregator
from credenza.training.certificates import Finite, Partition, RunOff, Temporal
from credenza.training.certified import SourceCertified
from credenza.training.encoding import encode, fixed_columns
from credenza.training.ridge import RidgeHead, leave_one_source_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.training.certificates import Scheme

Array = Any
ROSTER = [f"s{place}" for place in range(9)]


def world(rows: int, seed: int = 0) -> tuple[Array, Array, Array]:
    """Three classes in the plane, from nine sources alike."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    X = np.asarray([[0, 2], [2, -1], [-2, -1]])[y] + rng.normal(0, 0.8, (rows, 2))
    return X, np.asarray(["ash", "elm", "oak"])[y], rng.choice(ROSTER, rows)


def ensemble(scheme: str | Scheme = "partition", **given: Any) -> SourceCertified:  # noqa: ANN401
    return SourceCertified(RidgeHead(), scheme, **({"roster": ROSTER} | given))


# What colluders may do to their own rows


def flip(X: Array, y: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    return X, rng.permutation(np.roll(np.unique(y), 1))[np.unique(y, return_inverse=True)[1]]


def vanish(X: Array, y: Array, rng: np.random.Generator) -> tuple[Array, Array]:  # noqa: ARG001
    return X[:0], y[:0]


def flood(X: Array, y: Array, rng: np.random.Generator) -> tuple[Array, Array]:  # noqa: ARG001
    return rng.normal(0, 3, (300, 2)), np.full(300, rng.choice(["ash", "elm", "oak"]))


def coin(X: Array, y: Array, rng: np.random.Generator) -> tuple[Array, Array]:  # noqa: ARG001
    """Use labels that nobody else has, before and after the known ones."""
    return X, np.full(len(X), rng.choice(["aaa", "zzz"]))


def break_it(X: Array, y: Array, rng: np.random.Generator) -> tuple[Array, Array]:  # noqa: ARG001
    return np.full_like(X, np.nan), y


COLLUSIONS = (flip, vanish, flood, coin, break_it)


def violations(scheme: str | Scheme, attacks: int, **given: Any) -> tuple[int, int]:  # noqa: ANN401
    """Certified predictions that simulated collusions changed, and how many were tried."""
    X, y, source = world(180)
    probe = world(60, seed=1)[0]
    plain = ensemble(scheme, **given).fit(X, y, source)
    before, safe = plain.predict(probe), plain.certify(probe)
    rng = np.random.default_rng(7)
    changed = tried = 0
    for _ in range(attacks):
        count = int(rng.integers(1, 5))
        first = int(rng.integers(0, 10 - count))
        together = isinstance(plain.scheme, Temporal)
        bad = (
            ROSTER[first : first + count] if together else rng.choice(ROSTER, count, replace=False)
        )
        parts = [
            (X[~np.isin(source, bad)], y[~np.isin(source, bad)], source[~np.isin(source, bad)])
        ]
        plot: Callable[..., tuple[Array, Array]] = COLLUSIONS[int(rng.integers(len(COLLUSIONS)))]
        for name in bad:
            rows, labels = plot(X[source == name], y[source == name], rng)
            parts.append((rows, labels, np.full(len(rows), name)))
        poisoned = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
        after = ensemble(scheme, **given).fit(*poisoned).predict(probe)
        changed += int((after != before)[safe >= count].sum())
        tried += int((safe >= count).sum())
    return changed, tried


@pytest.mark.parametrize(
    ("scheme", "given"),
    [
        ("partition", {}),
        ("run-off", {}),
        (Finite(2), {}),
        (Temporal(2), {}),
        ("partition", {"trusted": world(40, seed=2)[:2]}),
        ("run-off", {"trusted": world(40, seed=2)[:2]}),
        ("partition", {"roster": (), "units": 9}),
    ],
)
def test_simulated_collusions_never_change_a_certified_prediction(
    scheme: str | Scheme, given: dict[str, Any]
) -> None:
    changed, tried = violations(scheme, 150, **given)
    assert changed == 0
    assert tried > 1_000


def test_beyond_its_certificate_a_prediction_can_be_changed() -> None:
    X, y, source = world(180)
    probe = world(60, seed=1)[0]
    plain = ensemble().fit(X, y, source)
    bad = np.isin(source, ROSTER[:5])
    poisoned = ensemble().fit(X, np.where(bad, "zzz", y), source)
    assert plain.certify(probe).max() == 4
    assert (poisoned.predict(probe) == "zzz").all()


def test_without_an_attack_the_ensemble_is_about_as_good_as_one_model() -> None:
    X, y, source = world(900)
    fresh, truth, _ = world(500, seed=1)
    alone = float((RidgeHead().fit(X, y).predict(fresh) == truth).mean())
    for scheme in ("partition", "run-off", "finite"):
        found = ensemble(scheme).fit(X, y, source)
        assert float((found.predict(fresh) == truth).mean()) > alone - 0.03


@pytest.mark.parametrize(
    ("scheme", "scores", "says"),
    [
        # Nine unanimous members of two classes: five must turn, so four may be hostile.
        (Partition(), [[[1.0, 0.0]]] * 9, 4),
        (RunOff(), [[[1.0, 0.0]]] * 9, 4),
        (Finite(2), [[[1.0, 0.0]]] * 9, 2),
        (Temporal(1), [[[1.0, 0.0]]] * 9, 4),
        # A tie that order decides is certified against nobody.
        (Partition(), [[[1.0, 0.0]], [[0.0, 1.0]]], 0),
        (RunOff(), [[[1.0, 0.0]], [[0.0, 1.0]]], 0),
        # Abstentions are votes that nobody has: of three, one may turn.
        (Partition(), [[[1.0, 0.0]]] * 3 + [[[-np.inf, -np.inf]]] * 6, 1),
        (Partition(), [[[-np.inf, -np.inf]]] * 3, 0),
    ],
)
def test_certificates_of_small_elections_are_what_a_count_says(
    scheme: Scheme, scores: list[Any], says: int
) -> None:
    assert scheme.certify(np.asarray(scores)).tolist() == [says]


def test_a_run_off_hears_members_whose_favourite_has_left() -> None:
    # Votes 3, 2, 2: the third class's members all prefer the first to the second.
    scores = np.asarray([[[2, 1, 0]]] * 3 + [[[1, 2, 0]]] * 2 + [[[1, 0, 2]]] * 2, dtype=float)
    assert RunOff().elect(scores).tolist() == [0]
    assert RunOff().certify(scores) > Partition().certify(scores)


def test_a_spread_helps_against_one_hostile_source_and_hurts_against_many() -> None:
    X, y, source = world(120)
    fresh, truth, _ = world(400, seed=1)
    narrow = ensemble("partition").fit(X, y, source).curve(fresh, truth, (0, 4))
    wide = ensemble(Finite(3)).fit(X, y, source).curve(fresh, truth, (0, 4))
    assert wide.certified[0] >= narrow.certified[0]
    assert wide.certified[1] < narrow.certified[1]


def test_the_trusted_line_says_from_which_number_on_it_wins() -> None:
    X, y, source = world(300)
    fresh, truth, _ = world(300, seed=1)
    trusted = world(60, seed=2)[:2]
    curve = ensemble(trusted=trusted).fit(X, y, source).curve(fresh, truth, range(10))
    assert curve.trusted_only > 0.8
    assert curve.crossing is not None
    assert curve.certified[curve.crossing] < curve.trusted_only
    assert curve.certified[-1] == 0


def test_without_trusted_rows_there_is_no_trusted_line() -> None:
    X, y, source = world(100)
    curve = ensemble().fit(X, y, source).curve(X, y, (0, 20))
    assert np.isnan(curve.trusted_only)
    assert curve.crossing is None


def test_a_trusted_core_mends_sources_with_one_label_each() -> None:
    X, y, _ = world(300)
    skewed = np.asarray(ROSTER)[np.unique(y, return_inverse=True)[1] * 3]
    fresh, truth, _ = world(300, seed=1)
    plain = ensemble(roster=ROSTER[::3]).fit(X, y, skewed)
    core = ensemble(roster=ROSTER[::3], trusted=world(60, seed=2)[:2]).fit(X, y, skewed)
    assert (core.predict(fresh) == truth).mean() > (plain.predict(fresh) == truth).mean() + 0.3


def test_declared_sources_count_as_one() -> None:
    X, y, source = world(300)
    declared = {"s0": "acme", "s1": "acme", "s2": "acme"}
    joined = ensemble(declared=declared).fit(X, y, source)
    assert len(joined.members_) == 7
    assert joined.assignment.unit_of("s0") == joined.assignment.unit_of("s2")
    assert joined.certify(X).max() == 3


def test_excising_a_source_retrains_only_what_it_touched_and_is_exact() -> None:
    X, y, source = world(300)
    fresh = world(100, seed=1)[0]
    fitted = ensemble(Finite(2)).fit(X, y, source)
    cut = fitted.excise(["s3"], X, y, source)
    again = ensemble(Finite(2)).fit(*(part[source != "s3"] for part in (X, y, source)))
    assert np.array_equal(cut.predict(fresh), again.predict(fresh))
    assert np.array_equal(cut.certify(fresh), again.certify(fresh))
    kept = [a is b for a, b in zip(fitted.members_, cut.members_, strict=True)]
    assert kept.count(False) == 2


def test_a_hostile_source_can_silence_its_member_but_not_the_ensemble() -> None:
    X, y, source = world(300)
    X[source == "s4"] = np.nan
    found = ensemble().fit(X, y, source)
    assert [member is None for member in found.members_] == [name == "s4" for name in ROSTER]
    assert set(found.predict(world(50, seed=1)[0])) <= {"ash", "elm", "oak"}


def test_any_scikit_learn_classifier_can_be_a_member() -> None:
    X, y, source = world(300)
    fresh, truth, _ = world(200, seed=1)
    for base in (LogisticRegression(), NearestCentroid()):
        found = SourceCertified(base, "run-off", roster=ROSTER).fit(X, y, source)
        assert (found.predict(fresh) == truth).mean() > 0.85
        assert found.certify(fresh).max() >= 3


def test_two_classes_are_scored_like_many() -> None:
    X, y, source = world(300)
    y = np.where(y == "ash", "ash", "not")
    found = ensemble("run-off").fit(X, y, source)
    assert (found.predict(X) == y).mean() > 0.8


def test_a_learner_that_rolls_dice_is_refused() -> None:
    X, y, source = world(300)
    with pytest.raises(UsageError, match="learns something else from the same rows"):
        SourceCertified(SGDClassifier(max_iter=5, tol=None), roster=ROSTER).fit(X, y, source)
    fixed = SGDClassifier(max_iter=5, tol=None, random_state=0)
    assert len(SourceCertified(fixed, roster=ROSTER).fit(X, y, source).members_) == 9


def test_the_order_of_sources_in_the_data_moves_nobody() -> None:
    placed = Assignment(roster=tuple(ROSTER))
    assert placed.place(["s8", "s0"]).tolist() == [8, 0]
    hashed = Assignment(units=5)
    assert hashed.place(["a", "b", "c"]).tolist() == hashed.place(["c", "b", "a"]).tolist()[::-1]
    assert Assignment(units=4, roster=tuple(ROSTER)).place(["s7"]).tolist() == [3]


def test_a_roster_made_from_the_data_is_refused() -> None:
    X, y, source = world(30)
    with pytest.raises(UsageError, match="cannot be assigned") as refused:
        SourceCertified(RidgeHead()).fit(X, y, source)
    assert "absence" in refused.value.why


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda: ensemble(roster=ROSTER[:3]).fit(*world(50)), "is not on the roster"),
        (lambda: ensemble().fit(np.empty((0, 2)), np.empty(0), []), "nothing to learn from"),
        (lambda: ensemble().predict(np.zeros((1, 2))), "has not learnt"),
        (lambda: ensemble(Finite(6)).fit(*world(50)), "a spread of 6 over 9 units"),
        (lambda: ensemble(Temporal(10)).fit(*world(50)), "a span of 10 over 9 periods"),
        (lambda: RidgeHead(0).fit(*world(50)[:2]), "the penalty is 0"),
    ],
)
def test_what_cannot_be_certified_says_why(broken: Callable[[], object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        broken()


def test_an_unknown_scheme_names_the_known_ones() -> None:
    with pytest.raises(NotFoundError, match="no scheme is called 'partitions'"):
        ensemble("partitions")


def test_a_spread_meets_as_few_companions_twice_as_it_can() -> None:
    incidence = Finite(3).incidence(9)
    assert incidence.sum(axis=0).tolist() == [3] * 9
    assert incidence.sum(axis=1).tolist() == [3] * 9
    together = incidence.astype(int) @ incidence.T
    assert together[~np.eye(9, dtype=bool)].max() == 1


def test_leaving_sources_out_ranks_the_guilty_first() -> None:
    X, y, source = world(900)
    guilty = np.isin(source, ["s2", "s6"])
    y = np.where(guilty & (y == "elm"), "oak", y)
    found = leave_one_source_out(X, y, source, world(200, seed=1)[:2])
    assert set(found.sources[:2]) == {"s2", "s6"}
    assert found.loss_without[0] < found.loss


def test_among_honest_sources_none_does_harm_to_speak_of() -> None:
    X, y, source = world(900)
    found = leave_one_source_out(X, y, source, world(200, seed=1)[:2])
    assert abs(found.loss_without[0] - found.loss) < 0.005


def test_the_code_of_a_level_depends_on_its_name_and_on_no_row() -> None:
    many = pa.table({"tree": ["ash", "elm", None, "oak"], "age": [1, 2, 3, 4], "raw": [[1]] * 4})
    few = pa.table({"tree": ["oak"], "age": [9], "raw": [[1]]})
    columns = fixed_columns(many.schema, {"source"})
    assert [column.name for column in columns] == ["age", "tree"]
    first, again = encode(columns, many), encode(columns, few)
    assert first[3, 1] == again[0, 1]
    assert len(set(first[[0, 1, 3], 1])) == 3
    assert np.isnan(first[2, 1])
    assert [column.categorical for column in columns] == [False, True]


def test_the_names_of_the_room_load_on_first_use() -> None:
    assert training.SourceCertified is SourceCertified
    assert training.aggregator is aggregator
    with pytest.raises(AttributeError, match="aggregators"):
        _ = training.aggregators
