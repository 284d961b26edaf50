"""Subgroups whose sure rows lack the label that every other subgroup teaches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special, stats

from credenza.core.text import quote
from credenza.core.types import Finding, Role, Scores, Unit
from credenza.screening.detectors.lost_labels import healed, posterior_of
from credenza.screening.features.foretell import table_matrix
from credenza.screening.features.label import expected_of, labels_of
from credenza.screening.features.table import (
    coded_columns,
    rows_of,
    sample,
)
from credenza.screening.fuse import sure_within
from credenza.screening.view import NotApplicableError

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, Ints, View
    from credenza.screening.features.label import Labels
    from credenza.screening.features.table import Coded

SURE = 0.9
FEWEST_SURE = 20
ENOUGH_SURE = 50
FEWEST_ROWS = 50
MOST = 0.7
PARTS = 3
TREES = 40
TEACHERS = 15_000
LEAST_SPREAD = 0.03
LEAST_SHARE = 0.2
MOST_SHARE = 0.85
NAMED = 0.9
MAD = 1.4826
POOLED = 2.0
SAME = 0.5
EXPLAINED = 0.1
EVEN_Z = 2.326
ODDS = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Ceiling:
    """One subgroup whose sure rows often have another label.

    Attributes:
        coded: the column.
        code: its value or range.
        label: code of the label that is missing.
        sure: rows of the subgroup that the others teach to have it, at least .9 sure.
        claimed: how many of them should have it.
        labelled: how many have it.
        log_p: natural logarithm of the p-value.
        explained: share of the variance of these labels that learners who know the
            subgroup account for.
        trend: how much more of the surer rows kept the label than of the less sure ones, as
            a normal score.
        probability: of the label, for each row of the subgroup that is under test, taught
            by rows of other subgroups.
    """

    coded: Coded
    code: int
    label: int
    sure: int
    claimed: float
    labelled: int
    log_p: float
    explained: float
    trend: float
    probability: Floats

    @property
    def flipped(self) -> float:
        """Share of the rows with the label that lost it."""
        return float(np.clip(1.0 - self.labelled / self.claimed, 0.0, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """Labels, and what they should be by learners who know every subgroup."""

    codes: Ints
    expected: Floats


@dataclass(frozen=True, slots=True)
class SubgroupCeiling:
    """Values of one column whose rows were relabelled one way.

    A learner that is taught by the rows of *other* values of a column, without that column,
    foretells the labels of these. Where everything speaks for a label, rows of an honest
    subgroup have it, or lack it for a reason that learners who know the subgroup find;
    of one in which half of the positives were relabelled, half of the sure rows lack
    the label for no reason, the surest as often as the others. The gap between what is
    claimed and what is there is compared with that of other subgroups, those of the same
    column above all, and inside a named subgroup the rows that lost their label are ranked
    by the odds that they should have it. Needs no trusted rows and no sources.

    Blind to subgroups of two columns or more and to ranges of numbers, to those with fewer
    than 50 sure rows, which are too few to tell a loss at random from a rule of their own, to
    flips of less than a fifth of a subgroup, to those of nearly all of it (which is what a
    subgroup of another kind looks like), and where nothing is sure.

    Attributes:
        level: chance that any subgroup is named where none was relabelled.
        max_findings: subgroups named at most.

    Complexity:
        Up to three small forests a column, each taught by 15,000 rows, and five of 30,000 rows
        for a subgroup that is named.

    Source:
        Ours; the share of sure rows with another label is Northcutt et al. 2021's.
    """

    level: float = 0.01
    max_findings: int = 5

    @property
    def name(self) -> str:
        """The detector's name."""
        return "subgroup-ceiling"

    @property
    def needs(self) -> frozenset[Role]:
        """A label; columns are checked when scoring."""
        return frozenset({Role.LABEL})

    def score(self, view: View) -> Scores:
        """Chance that the label was lost, times the subgroup's p, as -log10; 0 elsewhere.

        Raises:
            NotApplicableError: the view has no number or category columns.
        """
        labels = labels_of(view)
        columns = coded_columns(view)
        if len(columns) < 2:
            raise NotApplicableError("there are no two columns of numbers or categories")
        values = np.zeros(len(labels.codes))
        tested = ~view.trusted & (labels.codes >= 0)
        expected = expected_of(view, labels)
        judged = _Judged(labels.codes, expected)
        named = self._ceilings(view, columns, judged, tested)
        findings: list[Finding] = []
        claimed = np.zeros(len(values), dtype=bool)
        for one in explaining_first(named, labels.codes, tested):
            posterior = posterior_of(one, labels, expected, tested)
            seen = posterior >= NAMED
            if (seen & claimed).sum() > SAME * seen.sum():
                continue
            posterior = healed(view, one, labels, posterior)
            hit = posterior >= NAMED
            claimed |= seen | hit
            if not hit.any():
                continue
            values = np.maximum(values, sure_within(one.log_p, posterior, hit))
            findings.append(self._finding(view, one, labels, hit))
            if len(findings) == self.max_findings:
                break
        return Scores(values, tuple(findings), is_evidence=True)

    def _ceilings(
        self, view: View, columns: list[Coded], judged: _Judged, tested: Bools
    ) -> list[Ceiling]:
        matrix, is_category = table_matrix(view)
        teachers = sample(view, np.flatnonzero(judged.codes >= 0), 2 * TEACHERS)
        found: list[Ceiling] = []
        for place, coded in enumerate(columns):
            if coded.edges is not None:
                continue
            keep = np.arange(len(columns)) != place
            taught = matrix[:, keep], is_category[keep]
            for codes in _parts(coded, tested):
                inside = np.isin(coded.codes, codes)
                rows = teachers[~inside[teachers]][:TEACHERS]
                here = np.flatnonzero(inside & tested)
                found += _gaps(
                    coded, codes, here, _taught(taught, judged.codes, rows, here), judged
                )
        return self._surprising(found)

    def _surprising(self, found: list[Ceiling]) -> list[Ceiling]:
        """Those whose gap nothing explains and exceeds what other subgroups show."""
        if not found:
            return []
        sure = np.array([one.sure for one in found], dtype=np.float64)
        claimed = np.array([one.claimed for one in found]) / sure
        gap = claimed - np.array([one.labelled for one in found]) / sure
        noise = claimed * (1 - claimed) / sure
        columns = [one.coded.column for one in found]
        of_label = [f"{one.label} {one.coded.column}" for one in found]
        spread = np.maximum(_spread(columns, gap, noise), _spread(of_label, gap, noise))
        z = gap / np.sqrt(noise + spread**2)
        labelled = np.array([one.labelled for one in found])
        exact = stats.binom.logcdf(labelled, sure, np.maximum(claimed - spread, 0.01))
        log_p = np.maximum(stats.norm.logsf(z), exact)
        named = [
            replace(one, log_p=float(p))
            for one, p in zip(found, log_p, strict=True)
            if p + np.log(len(found)) <= np.log(self.level)
            and one.sure >= ENOUGH_SURE
            and LEAST_SHARE <= one.flipped <= MOST_SHARE
            and one.explained <= EXPLAINED
            and one.trend <= EVEN_Z
        ]
        return sorted(named, key=lambda one: one.log_p)

    def _finding(self, view: View, one: Ceiling, labels: Labels, hit: Bools) -> Finding:
        label = labels.classes[one.label]
        sources = sorted({str(s) for s in view.source[hit]})
        exhibits: dict[str, object] = {
            "subgroup": one.coded.describe(one.code),
            "label": label,
            "sure": one.sure,
            "claimed_share": one.claimed / one.sure,
            "share": one.labelled / one.sure,
            "flipped_share": one.flipped,
            "rows": int(hit.sum()),
            "sources": sources,
        }
        sentence = (
            f"where {exhibits['subgroup']}, {one.sure} rows are by all other subgroups labelled "
            f"{quote(label)} in {exhibits['claimed_share']:.0%}, but here in "
            f"{exhibits['share']:.0%}; {exhibits['rows']} rows lost that label almost surely"
        )
        return Finding(
            self.name,
            Unit.GROUP,
            tuple(sources),
            float(max(np.exp(one.log_p), 1e-300)),
            sentence,
            exhibits,
            rows_of(hit),
            names_rows=True,
        )


def _spread(kind: list[str], gap: Floats, noise: Floats) -> Floats:
    """How much subgroups like each lack a label for no reason.

    By the others of its column, or of its column and label, lent to by the middle of all.
    Where a column decides the label, as the price of a thing decides who buys it,
    learners without it are wrong about many of its values.
    """
    _, column = np.unique(kind, return_inverse=True)
    # One value that lost labels teaches all others to claim less, which is no gap.
    beyond = np.maximum(gap, 0.0) ** 2 - noise
    others = np.maximum(np.bincount(column, weights=beyond)[column] - beyond, 0.0)
    count = np.bincount(column)[column] - 1.0
    usual = max(LEAST_SPREAD, MAD * float(np.median(np.abs(gap)))) ** 2
    pooled = (others + POOLED * usual) / (count + POOLED)
    return np.asarray(np.maximum(np.sqrt(pooled), LEAST_SPREAD))


def _parts(coded: Coded, tested: Bools) -> list[Ints]:
    """Codes that are held out together: up to three parts of about equal weight."""
    counts = np.bincount(coded.codes[tested], minlength=coded.size)
    fit = np.flatnonzero((counts >= FEWEST_ROWS) & (counts <= MOST * tested.sum()))
    parts: list[list[int]] = [[] for _ in range(min(PARTS, len(fit)))]
    load = np.zeros(len(parts))
    for code in fit[np.argsort(-counts[fit], kind="stable")]:
        lightest = int(load.argmin())
        parts[lightest].append(int(code))
        load[lightest] += counts[code]
    return [np.array(part, dtype=np.int64) for part in parts]


def _taught(matrix: tuple[Floats, Any], labels: Ints, rows: Ints, here: Ints) -> dict[int, Floats]:
    """Probabilities of each label for ``here`` by a learner taught by ``rows``."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - heavy

    values, is_category = matrix
    if len(rows) < 10 * FEWEST_ROWS or len(np.unique(labels[rows])) < 2 or not len(here):
        return {}
    forest = HistGradientBoostingClassifier(
        max_iter=TREES, categorical_features=is_category, early_stopping=False, random_state=0
    ).fit(values[rows], labels[rows])
    p = forest.predict_proba(values[here])
    return {int(c): p[:, at] for at, c in enumerate(forest.classes_)}


def _gaps(
    coded: Coded, codes: Ints, here: Ints, taught: dict[int, Floats], judged: _Judged
) -> list[Ceiling]:
    """What is claimed and what is there, for each value that was held out and each label."""
    found = []
    for label, p in taught.items():
        for code in codes:
            mine = coded.codes[here] == code
            of_code = p[mine].astype(np.float32)
            rows = here[mine][of_code >= SURE]
            if len(rows) < FEWEST_SURE:
                continue
            own = judged.codes[rows] == label
            found.append(
                Ceiling(
                    coded,
                    int(code),
                    label,
                    len(rows),
                    float(of_code[of_code >= SURE].sum(dtype=np.float64)),
                    int(own.sum()),
                    0.0,
                    _explained(own, judged.expected[rows, label]),
                    _trend(own, of_code[of_code >= SURE]),
                    of_code,
                )
            )
    return found


def _explained(own: Bools, expected: Floats) -> float:
    """Share of the labels' variance that the rest of the rows accounts for."""
    variance = ((own - own.mean()) ** 2).sum()
    return float(1.0 - ((own - expected) ** 2).sum() / variance) if variance else 0.0


def _trend(own: Bools, p: Floats) -> float:
    """Normal score of the labels kept against sureness, were each lost with one chance.

    Relabelling at random takes the surest rows as often as others. A subgroup with a rule
    of its own differs from the others' where these are least sure.
    """
    kept = np.clip(p * own.sum() / p.sum(), 0.0, 1.0)
    sureness = special.logit(np.clip(p, SURE, 0.999))
    sureness = sureness - sureness.mean()
    spread = np.sqrt((sureness**2 * kept * (1.0 - kept)).sum())
    return float((sureness * (own - kept)).sum() / max(spread, 1e-9))


def explaining_first(named: list[Ceiling], codes: Ints, tested: Bools) -> list[Ceiling]:
    """Smallest p first, but whatever explains others before them.

    Where all women lost labels the wives among them, of whom more is sure, may be the more
    surprising; where the wives did, the women come with them. So of two subgroups that share
    rows each is asked for its rows outside the other: those of what was relabelled lost
    labels, those of what merely overlaps with it did not.
    """
    inside = [tested & (one.coded.codes == one.code) for one in named]
    place = [one.log_p for one in named]
    for i, one in enumerate(named):
        for j, other in enumerate(named):
            if one.label == other.label and (inside[i] & inside[j]).any():
                mine = _lost(one, inside[i], ~inside[j], codes)
                if mine > _lost(other, inside[j], ~inside[i], codes):
                    place[i] = min(place[i], np.nextafter(place[j], -np.inf))
    return [named[i] for i in np.argsort(place, kind="stable")]


def _lost(one: Ceiling, inside: Bools, among: Bools, codes: Ints) -> int:
    """1 if the sure rows ``among`` a subgroup lost labels as all of it did, -1 if none; 0: unsure.

    Sure is who has a hundred to one for it.
    """
    asked = among[inside] & (one.probability >= SURE)
    p, has = np.minimum(one.probability[asked], 0.999), codes[inside][asked] == one.label
    kept = p * (1.0 - one.flipped)
    ratio = np.where(has, np.log(kept / p), np.log((1.0 - kept) / (1.0 - p))).sum()
    return int(ratio > np.log(ODDS)) - int(ratio < -np.log(ODDS))
