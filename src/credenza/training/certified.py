"""Ensembles by source, whose predictions come with a number of colluders they survive."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from credenza.core.errors import UsageError
from credenza.core.types import Outcome, Reason
from credenza.training.assignment import Assignment
from credenza.training.certificates import SCHEMES, Scheme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from credenza.core.types import Floats, Ints, Strings

    Labels = npt.NDArray[Any]
    Inputs = npt.NDArray[Any]

ROWS_AT_ONCE = 2_000


class Learner(Protocol):
    """What a member is: a scikit-learn classifier, or anything shaped like one."""

    def fit(self, X: Inputs, y: Labels) -> object:
        """Learn."""
        ...

    def predict(self, X: Inputs) -> Labels:
        """``(n,)`` labels."""
        ...


@dataclass(frozen=True, slots=True)
class Curve:
    """Certified accuracy against the number of hostile units.

    Attributes:
        hostile: the k of each point.
        certified: share of rows that are right and stay so whatever k units do.
        trusted_only: accuracy of the base learner on the trusted rows alone, which no
            source can change; NaN without trusted rows.
    """

    hostile: tuple[int, ...]
    certified: tuple[float, ...]
    trusted_only: float

    @property
    def crossing(self) -> int | None:
        """The first k from which trusted rows alone are the better choice, if any."""
        for count, share in zip(self.hostile, self.certified, strict=True):
            if share < self.trusted_only:
                return count
        return None


def demand(curve: Curve, hostile: int, at_least: float) -> Reason:
    """What a release gate says of a model's certificate: admit, or hold and why.

    It asks for accuracy that ``hostile`` units cannot take away, on rows that someone
    verified; a curve that was counted on unverified rows proves nothing of truth and the
    caller has to keep the two apart. Numbers between the curve's points are read at the
    next larger one, which can only be worse.

    Args:
        curve: of the model.
        hostile: how many units may collude.
        at_least: certified accuracy demanded, in [0, 1].
    """
    known = [
        (count, share)
        for count, share in zip(curve.hostile, curve.certified, strict=True)
        if count >= hostile
    ]
    if not known:
        sentence = f"the certificate says nothing about {hostile} colluding units"
        return Reason("certificate", Outcome.HOLD, sentence)
    count, share = min(known)
    met = share >= at_least
    sentence = (
        f"{share:.3f} of predictions are right whatever {count} colluding units send; "
        f"{at_least:.3f} {'is' if met else 'was'} demanded for {hostile}"
    )
    if curve.trusted_only > share:
        sentence += f"; the trusted rows alone give {curve.trusted_only:.3f} against any number"
    return Reason("certificate", Outcome.ADMIT if met else Outcome.HOLD, sentence)


class SourceCertified:
    """An ensemble of which each member learns from a fixed few of the sources.

    ``certify`` says for each row how many sources, acting together and sending whatever
    they like, cannot change the prediction. That is a proof and no estimate, as long as

    * members are deterministic, which is tried out on one member;
    * the assignment of sources is fixed outside the data (``roster`` or ``units``), and
      sources that act as one are declared;
    * inputs are computed row by row by a function, and hyper-parameters are chosen,
      without the untrusted rows, which cannot be checked here;
    * ``trusted`` rows are clean, if there are any.

    It is blind to which class is right: an ensemble that is wrong is certified as well.

    Args:
        base: a scikit-learn style classifier; copied for each member.
        scheme: "partition", "run-off", "finite", "temporal", or a scheme with parameters.
            For "temporal" the sources are periods, and the roster is their order.
        trusted: ``(X, y)`` of verified rows that every member also learns from.
        roster: every source that may speak, in an order fixed outside the data.
        units: number of units; 0: one per group of the roster.
        declared: group of the sources that count as one.

    Source:
        Levine & Feizi, arXiv:2006.14768; with sources as the unit, and a trusted core.
    """

    def __init__(
        self,
        base: Learner,
        scheme: str | Scheme = "partition",
        *,
        trusted: tuple[Inputs, Labels] | None = None,
        roster: Sequence[str] = (),
        units: int = 0,
        declared: Mapping[str, str] | None = None,
    ) -> None:
        self.base = base
        self.scheme = SCHEMES.make(scheme) if isinstance(scheme, str) else scheme
        self.trusted = trusted
        self.assignment = Assignment(units, tuple(roster), dict(declared or {}))
        self.classes_: Labels = np.empty(0)
        self.members_: tuple[Learner | None, ...] = ()
        self.trusted_only_: Learner | None = None

    def fit(self, X: Inputs, y: Labels, groups: Strings | Sequence[str]) -> Self:
        """Train every member on its units' rows and the trusted ones.

        A member without rows, or whose learner refuses its rows with a ``ValueError``,
        abstains: a hostile source may silence its own members, never the ensemble.

        Args:
            X: ``(n, …)`` inputs.
            y: ``(n,)`` labels.
            groups: ``(n,)`` source of each row.

        Raises:
            UsageError: the assignment is unfit, there is no row at all, or the learner
                is not deterministic.
        """
        X, y = np.asarray(X), np.asarray(y)
        unit = self.assignment.place(groups)
        incidence = self.scheme.incidence(self.assignment.count())
        if not len(X) == len(y) == len(unit) or len(y) + self._trusted_rows() == 0:
            raise UsageError(
                "bad-shape",
                "there is nothing to learn from",
                why=f"{len(X)} inputs, {len(y)} labels, {len(unit)} sources",
            )
        known = [y] if self.trusted is None else [y, np.asarray(self.trusted[1])]
        self.classes_ = np.unique(np.concatenate(known))
        self.trusted_only_ = self._learn(X[:0], y[:0])
        members: list[Learner | None] = []
        tried = False
        for teaches in incidence.T:
            rows = np.flatnonzero(teaches[unit])
            member = self._learn(X[rows], y[rows])
            if member is not None and not tried:
                self._must_repeat(member, X[rows], y[rows])
                tried = True
            members.append(member)
        self.members_ = tuple(members)
        return self

    def excise(
        self, sources: Sequence[str], X: Inputs, y: Labels, groups: Strings | Sequence[str]
    ) -> SourceCertified:
        """The ensemble as if ``sources`` had never spoken; only what they touched is retrained.

        Exact, not approximate: members that never saw a row of theirs are the same anyway.

        Args:
            sources: whose rows go.
            X: the inputs that ``fit`` was given.
            y: its labels.
            groups: its sources.
        """
        X, y = np.asarray(X), np.asarray(y)
        names = np.asarray(groups).astype(str)
        unit = self.assignment.place(groups)
        incidence = self.scheme.incidence(self.assignment.count())
        touched = np.atleast_1d(incidence[self.assignment.place(sources)].any(axis=0))
        left = ~np.isin(names, np.asarray(sources).astype(str))
        found = copy.copy(self)
        found.members_ = tuple(
            self._learn(X[left & teaches[unit]], y[left & teaches[unit]]) if again else member
            for teaches, again, member in zip(incidence.T, touched, self.members_, strict=True)
        )
        return found

    def predict(self, X: Inputs) -> Labels:
        """``(n,)`` labels by the scheme's election."""
        found = [self.scheme.elect(self._scores(part)) for part in self._parts(X)]
        return np.asarray(self.classes_[np.concatenate(found)])

    def certify(self, X: Inputs) -> Ints:
        """``(n,)`` largest k such that no k units can change the prediction of a row.

        For "temporal", k is a number of consecutive periods.
        """
        found = [self.scheme.certify(self._scores(part)) for part in self._parts(X)]
        return np.concatenate(found)

    def curve(self, X: Inputs, y: Labels, hostile: Sequence[int] = (0, 1, 5, 10, 20)) -> Curve:
        """Certified accuracy on labelled rows, beside that of the trusted rows alone."""
        y = np.asarray(y)
        right = self.predict(X) == y
        safe = self.certify(X)
        alone = float("nan")
        if self.trusted_only_ is not None:
            alone = float(np.mean(self.trusted_only_.predict(np.asarray(X)) == y))
        shares = tuple(float(np.mean(right & (safe >= count))) for count in hostile)
        return Curve(tuple(hostile), shares, alone)

    def _trusted_rows(self) -> int:
        return 0 if self.trusted is None else len(self.trusted[1])

    def _learn(self, X: Inputs, y: Labels) -> Learner | None:
        if self.trusted is not None:
            X = np.concatenate([np.asarray(self.trusted[0]), X])
            y = np.concatenate([np.asarray(self.trusted[1]), y])
        if len(y) == 0:
            return None
        if len(np.unique(y)) == 1:
            return _Constant(y[0])
        member = copy.deepcopy(self.base)
        try:
            member.fit(X, y)
        except ValueError:
            return None
        return member

    def _must_repeat(self, member: Learner, X: Inputs, y: Labels) -> None:
        again = self._learn(X, y)
        probe = X[:ROWS_AT_ONCE]
        if again is None or not np.array_equal(
            _scores(member, probe, self.classes_), _scores(again, probe, self.classes_)
        ):
            raise UsageError(
                "not-deterministic",
                f"{type(self.base).__name__} learns something else from the same rows",
                why="a certificate compares members with what they would have been",
                fix="set its random_state",
            )

    def _scores(self, X: Inputs) -> Floats:
        scores = np.full((len(self.members_), len(X), len(self.classes_)), -np.inf)
        for place, member in enumerate(self.members_):
            if member is not None:
                scores[place] = _scores(member, X, self.classes_)
        return scores

    def _parts(self, X: Inputs) -> list[Inputs]:
        if not self.members_:
            raise UsageError("not-fitted", "the ensemble has not learnt yet", fix="call fit")
        X = np.asarray(X)
        return [X[start : start + ROWS_AT_ONCE] for start in range(0, max(len(X), 1), ROWS_AT_ONCE)]


@dataclass(frozen=True, slots=True)
class _Constant:
    """The member whose rows have one label."""

    label: Any

    def fit(self, X: Inputs, y: Labels) -> Self:  # noqa: ARG002 - a learner's signature
        """Nothing to learn."""
        return self

    def predict(self, X: Inputs) -> Labels:
        """The label."""
        return np.full(len(X), self.label)


def _scores(member: Learner, X: Inputs, classes: Labels) -> Floats:
    """``(n, classes)`` scores of one member; -inf for classes that it has not met."""
    scores = np.full((len(X), len(classes)), -np.inf)
    if len(X) == 0:
        return scores
    met = getattr(member, "classes_", None)
    for method in ("decision_function", "predict_proba"):
        if met is not None and hasattr(member, method):
            found = np.asarray(getattr(member, method)(X), dtype=np.float64)
            if found.ndim == 1:
                found = np.stack([-found, found], axis=1)
            # A hostile member may answer NaN; that is no score for anything.
            found = np.where(np.isfinite(found), found, -np.inf)
            scores[:, np.searchsorted(classes, met)] = found
            return scores
    guess = np.searchsorted(classes, member.predict(X))
    scores[np.arange(len(X)), guess] = 1.0
    return scores
