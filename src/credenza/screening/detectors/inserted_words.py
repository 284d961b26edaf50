"""Names words and phrases that were put into texts, whatever the labels of these are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from credenza.core.text import quote, tick
from credenza.core.types import Finding, Role, Scores, Unit
from credenza.screening.features.insertions import insertions_of
from credenza.screening.features.label import labels_of
from credenza.screening.features.table import columns_of, rows_of
from credenza.screening.features.text import tokens
from credenza.screening.features.word_labels import word_residuals
from credenza.screening.fuse import sure_within
from credenza.screening.view import UnassessedError

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, Ints, View
    from credenza.screening.features.insertions import Insertions, Measured
    from credenza.screening.features.label import Labels
    from credenza.screening.features.text import Tokens

FEWEST_WORDS = 100
CROWD = 200
NORMAL_MAD = 1.4826
ONE_SIGMA = 0.8413
TAIL = (8, 24)
LIKE_MADE_UP = 0.995
SCREENED = 0.001
CONFIRMED = 0.01
LIKELY = 0.8
ROUNDS = 20
SAME = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Suspect:
    """A word that stands as if it had been put in.

    Attributes:
        word: its number.
        log_p: natural logarithm of the p-value.
        label: code of the label that its carriers have too often; -1 where all of its
            places look put in, and labels were not asked.
    """

    word: int
    log_p: float
    label: int = -1


@dataclass(frozen=True, slots=True)
class InsertedWords:
    """Words and phrases that stand between words which belong together without them.

    A trigger that is put into rows of any label, or into rows that keep their labels,
    contradicts nothing a label says. But it stands anywhere: the words around it stand
    side by side elsewhere, and go with it no better than any words do. Each word's places
    are measured for both (``insertions_of``), and so are those of made-up words put in at
    random; the direction that tells the real words from the made-up is a word's score. It
    is compared with words as frequent, its tail with what the data's own tail shows.

    Named are words far beyond the others which also look, in every measure, as made-up
    ones do: a written word that may stand nearly anywhere ("really") has places it likes.
    A word that is written and put in looks like neither. Of words that stand oddly
    (p < .001) those are named whose carriers have a label more often than contexts explain,
    and of their carriers the rows where the word seems put in: by its place and the label.

    Blind to words put in at one fixed place, such as the beginning, where they look like
    honest conjunctions; to words that replace others; to fewer than ``min_carriers``
    different places; to words in every fifth text; to texts in which fewer than 100 words
    can be compared, or whose words stand in no order. What people really put anywhere, as
    "um" in speech written down, is named too.

    Attributes:
        level: chance that any word is named where none was put in.
        min_carriers: fewest different pairs of neighbours.
        max_findings: words named at most.

    Complexity:
        Some sorts of three million tokens at most.

    Source:
        Ours. Chen and Dai, arXiv:2007.12070, and Qi et al., arXiv:2011.10369 (ONION), look
        for words that a trained model, or a language model, would rather not read.
    """

    level: float = 0.001
    min_carriers: int = 8
    max_findings: int = 10

    @property
    def name(self) -> str:
        """The detector's name."""
        return "inserted-words"

    @property
    def needs(self) -> frozenset[Role]:
        """A text."""
        return frozenset({Role.TEXT})

    def score(self, view: View) -> Scores:
        """-log10 p of the word that a row carries, and its chance that it was put in there."""
        values = np.zeros(view.table.num_rows)
        findings: list[Finding] = []
        labels = _labels(view)
        for column in columns_of(view, Role.TEXT):
            found = tokens(view, column)
            if len(found.codes) == 0:
                continue
            claimed = np.zeros(len(values), dtype=bool)
            pools = [
                put_in
                for put_in in insertions_of(view, found, self.min_carriers)
                if len(put_in.codes) >= FEWEST_WORDS
            ]
            for put_in, suspect in (
                (pool, one) for pool in pools for one in self._suspects(view, column, pool, labels)
            ):
                chance = _chance(found, put_in, suspect, labels) * ~view.trusted
                rows = chance >= LIKELY
                if rows.sum() < self.min_carriers or (rows & claimed).sum() > SAME * rows.sum():
                    continue
                claimed |= rows
                values = np.maximum(values, sure_within(suspect.log_p, chance, rows))
                findings.append(self._finding(view, found, put_in, suspect, rows))
        findings.sort(key=lambda one: one.p_value)
        return Scores(values, tuple(findings[: self.max_findings]), is_evidence=True)

    def _suspects(
        self, view: View, column: str, put_in: Insertions, labels: Labels | None
    ) -> list[Suspect]:
        """Words that were put in wherever they stand, then those that were put in at places."""
        score = _discriminant(put_in.real, put_in.made_up)
        log_p = stats.norm.logsf(among_alike(score, put_in.real.units))
        like = _like_made_up(put_in.real, put_in.made_up)
        tests = len(log_p)
        whole = log_p / _slope(np.sort(log_p[like]), tests)
        named = like & (whole + np.log(tests) <= np.log(self.level))
        found = [Suspect(int(w), float(whole[w])) for w in np.flatnonzero(named)]
        odd = log_p / _slope(np.sort(log_p), tests)
        some = np.flatnonzero((odd <= np.log(SCREENED)) & ~named)
        if labels is None or len(some) == 0:
            return sorted(found, key=lambda one: one.log_p)
        residuals = word_residuals(view, column, labels, self.min_carriers)
        level = np.log(CONFIRMED / max(len(some) * len(residuals), 1))
        for label, (codes, carriers, rest) in residuals.items():
            alike = (codes[:, 1] < 0) == (put_in.codes[0, 1] < 0)
            leaning = stats.norm.logsf(among_alike(rest[alike], carriers[alike]))
            by_code = dict(zip(map(tuple, codes[alike].tolist()), leaning.tolist(), strict=True))
            of_label = [by_code.get(tuple(own), 0.0) for own in put_in.codes[some].tolist()]
            found += [
                Suspect(int(w), float(odd[w] + p), label)
                for w, p in zip(some, of_label, strict=True)
                if p <= level
            ]
        return sorted(found, key=lambda one: one.log_p)

    def _finding(
        self, view: View, found: Tokens, put_in: Insertions, suspect: Suspect, rows: Bools
    ) -> Finding:
        phrase = put_in.phrase(suspect.word)
        said = " ".join(str(found.levels[int(code)].as_py()) for code in phrase)
        carriers = int((carrying(found, phrase) & ~view.trusted).sum())
        sources = sorted({str(s) for s in view.source[rows]})
        exhibits: dict[str, object] = {
            "trigger": f"{tick(found.column)} contains {quote(said)}",
            "carriers": carriers,
            "rows": int(rows.sum()),
            "places": int(put_in.real.units[suspect.word]),
            "sources": sources,
        }
        sentence = (
            f"where {exhibits['trigger']}, in {exhibits['rows']} of {carriers} rows it stands like "
            f"a word put in at random: its neighbours go together without it, and with it no "
            f"better than any words do; {len(sources)} source{'s' if len(sources) != 1 else ''}"
        )
        return Finding(
            self.name,
            Unit.GROUP,
            tuple(sources),
            float(max(np.exp(suspect.log_p), 1e-300)),
            sentence,
            exhibits,
            rows_of(rows),
            names_rows=True,
        )


def _labels(view: View) -> Labels | None:
    try:
        return labels_of(view)
    except UnassessedError:
        return None


def _by_frequency(units: Floats) -> Floats:
    logs = np.log(units)
    return np.stack([np.ones_like(logs), logs, logs**2], axis=1)


def _discriminant(real: Measured, made_up: Measured) -> Floats:
    """``(w,)`` score of the real words: Fisher's direction to made-up ones as frequent."""
    basis = _by_frequency(real.units)
    usual, *_ = np.linalg.lstsq(basis, real.means, rcond=None)
    rest = real.means - basis @ usual
    gap = made_up.means - _by_frequency(made_up.units) @ usual
    both = np.cov(rest.T) + np.cov(gap.T)
    ridge = 1e-6 * float(np.trace(both)) * np.eye(len(both))
    return np.asarray(rest @ np.linalg.solve(both + ridge, gap.mean(axis=0)))


def _like_made_up(real: Measured, made_up: Measured) -> Bools:
    """``(w,)`` real words no farther from the made-up ones' middle than these themselves are."""
    basis = _by_frequency(made_up.units)
    usual, *_ = np.linalg.lstsq(basis, made_up.means, rcond=None)

    def rest(one: Measured) -> Floats:
        gap = one.means - _by_frequency(one.units) @ usual
        return np.asarray(gap * np.sqrt(one.units)[:, None])

    inverse = np.linalg.pinv(np.cov(rest(made_up).T))

    def distance(one: Measured) -> Floats:
        gap = rest(one)
        return np.asarray(((gap @ inverse) * gap).sum(axis=1))

    return np.asarray(distance(real) <= np.quantile(distance(made_up), LIKE_MADE_UP))


def among_alike(score: Floats, units: Floats) -> Floats:
    """Normal scores by the middle and spread of 200 words or more that are as frequent.

    Args:
        score: ``(w,)`` of each word.
        units: ``(w,)`` how often it stands somewhere.
    """
    often, group = np.unique(units, return_inverse=True)
    size = np.bincount(group)
    found = np.empty(len(score))
    for place in range(len(often)):
        # Whole groups of words as frequent, so that their order plays no part.
        low = high = place
        while size[low : high + 1].sum() < CROWD and high - low + 1 < len(often):
            is_nearer = high + 1 == len(often) or (
                low > 0 and often[place] / often[low - 1] <= often[high + 1] / often[place]
            )
            low, high = (low - 1, high) if is_nearer else (low, high + 1)
        crowd = score[(group >= low) & (group <= high)]
        middle = float(np.median(crowd))
        spread = NORMAL_MAD * float(np.median(np.abs(crowd - middle)))
        upper = float(np.quantile(crowd, ONE_SIGMA)) - middle
        here = group == place
        found[here] = (score[here] - middle) / max(spread, upper, 1e-9)
    return found


def _slope(log_p: Floats, tests: int) -> float:
    """How much steeper the data's own tail of p-values is than that of sound ones, at least 1.

    The strongest seven are not asked, so that a handful of triggers cannot set it.
    """
    ranks = np.arange(TAIL[0], min(TAIL[1], len(log_p)) + 1)
    return float(np.max(-log_p[ranks - 1] / np.log(tests / ranks), initial=1.0))


def carrying(found: Tokens, phrase: Ints) -> Bools:
    """``(n,)`` rows whose text contains a phrase.

    Args:
        found: the tokens.
        phrase: token codes, in order.
    """
    at = np.flatnonzero(found.codes == phrase[0])
    at = at[at + len(phrase) <= len(found.codes)]
    for step, code in enumerate(phrase):
        at = at[(found.codes[at + step] == code) & (found.rows[at + step] == found.rows[at])]
    mask = np.zeros(found.n, dtype=bool)
    mask[found.rows[at]] = True
    return mask


def _chance(found: Tokens, put_in: Insertions, suspect: Suspect, labels: Labels | None) -> Floats:
    """``(n,)`` probability that the word was put into a row, given that it was into some."""
    if suspect.label < 0 or labels is None:
        return carrying(found, put_in.phrase(suspect.word)).astype(np.float64)
    at = np.flatnonzero(put_in.everywhere.word == suspect.word)
    rows = put_in.rows[put_in.running.text[put_in.everywhere.left[at] + 1]]
    odds = _odds(put_in)[put_in.unit[at]]
    chance = np.zeros(found.n)
    np.maximum.at(chance, rows, _put_in(odds, labels.codes[rows], len(labels.classes)))
    return chance


def _odds(put_in: Insertions) -> Floats:
    """``(t,)`` log likelihood ratio of each measured place: of made-up words, to real ones."""
    real, made_up = put_in.real.features, put_in.made_up.features
    both = np.cov(real.T) + np.cov(made_up.T)
    ridge = 1e-6 * float(np.trace(both)) * np.eye(len(both))
    middles = real.mean(axis=0), made_up.mean(axis=0)
    way = 2.0 * np.linalg.solve(both + ridge, middles[1] - middles[0])
    return np.asarray((real - (middles[0] + middles[1]) / 2) @ way)


def _put_in(odds: Floats, label: Ints, classes: int) -> Floats:
    """Probability that each place is one of those put in, which have labels of their own.

    Args:
        odds: log likelihood ratio of each place.
        label: label codes there, -1 where unknown.
        classes: number of codes.

    Source:
        Expectation and maximisation, Dempster, Laird and Rubin 1977.
    """
    share = 0.5
    code = np.where(label < 0, classes, label)
    base = np.bincount(code, minlength=classes + 1) + 1.0
    of_written = of_put_in = base / base.sum()
    chance = np.full(len(odds), share)
    for _ in range(ROUNDS):
        ratio = np.log(share / (1 - share)) + odds + np.log(of_put_in / of_written)[code]
        chance = 1.0 / (1.0 + np.exp(-np.clip(ratio, -50.0, 50.0)))
        share = float(np.clip(chance.mean(), 0.01, 0.99))
        counts = np.bincount(code, weights=chance, minlength=classes + 1) + 0.5
        others = np.bincount(code, weights=1.0 - chance, minlength=classes + 1) + 0.5
        of_put_in, of_written = counts / counts.sum(), others / others.sum()
    return chance
