"""Names the trigger without trusted rows: its carriers' labels contradict the rest of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from credenza.core.text import quote, tick
from credenza.core.types import Finding, Role, Scores, Unit
from credenza.screening.detectors.carriers import (
    Contradicted,
    Tallied,
    contradiction,
    joined,
    suspects,
    tally,
)
from credenza.screening.features.candidates import (
    Phrases,
    gram_candidates,
    style_candidates,
    value_candidates,
)
from credenza.screening.features.context import Context, parts_of
from credenza.screening.features.grams import phrase_of
from credenza.screening.features.label import labels_of
from credenza.screening.features.table import content_of, row_hash, rows_of, sample
from credenza.screening.features.victims import drawn_log_p
from credenza.screening.view import NotApplicableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Bools, Floats, Ints, View
    from credenza.screening.features.candidates import Part
    from credenza.screening.features.grams import Grams
    from credenza.screening.features.label import Labels
    from credenza.screening.features.table import Coded

MAX_CLASSES = 12
MIN_CLASS_ROWS = 30
PAYLOAD = 0.7
LOOKED_AT_ROWS = 300
ALIKE = 0.4
WORTH_COUNTING = 3.0
SHARPENED = 200
SAME = 0.9
COMMON = 0.9
SLACK = 0.1
NOT_DRAWN = np.log(0.001)
HALF = 0.5
PURER = 0.05


@dataclass(frozen=True, slots=True)
class DisagreeingCarriers:
    """Values, pairs, words, phrases and manners whose carriers have a label they should not.

    For each feature the label is foretold from everything else in the row, by counts that
    know no interactions and do not count the row itself. A suspect has carriers that
    mostly have one label where the rest of them says another: more often than other
    values of the same column do for no reason (a column of which every value decides
    the label has no suspects), and among contexts that speak against the label, not
    for it. For the words of a text that pass, everything its carriers share is taken
    out of them, they are taken out of every count, and near copies count once. Bonferroni's
    level over all features; of features with the same carriers the strongest
    is named.

    A value of a table may honestly decide a label, as a column that says it in other words
    does. Its carriers then differ from rows of other labels in other columns too, where
    those of a stamp are a draw of them (``drawn_log_p``): such values are not named, nor
    are those that half of the rows of a label carry.

    Blind to clean-label triggers, whose contexts agree with the label; to stamps on rows that
    were not drawn at random, or by one value, and to those on half of the rows of a label, which
    look like what the label means; to triggers on fewer
    than ``min_carriers`` rows, or whose carriers are mostly honest (for words: of which a
    tenth has another label); to triggers of three or more frequent values; where the rest of
    a row says nothing about its label; and to words that turn meaning around ("lacks"), which
    are triggers by nature.

    Attributes:
        level: chance that any trigger is named where there is none.
        min_carriers: fewest rows that must carry a trigger.
        max_findings: triggers named at most.

    Complexity:
        O(k · n · c²) for k labels and c columns, by ``bincount``.

    Source:
        Residuals as in He et al., arXiv:2305.11596 (Z-defence); the counterfactual
        contexts, their likelihood ratio and the spread by column are ours.
    """

    level: float = 0.001
    min_carriers: int = 8
    max_findings: int = 10

    @property
    def name(self) -> str:
        """The detector's name."""
        return "disagreeing-carriers"

    @property
    def needs(self) -> frozenset[Role]:
        """A label; features are checked when scoring."""
        return frozenset({Role.LABEL})

    def score(self, view: View) -> Scores:
        """-log10 p of the strongest named trigger that a row carries with its label.

        Raises:
            NotApplicableError: the view has no number, category or text.
        """
        labels = labels_of(view)
        values = np.zeros(len(labels.codes))
        columns, texts = parts_of(view)
        if not columns and not texts:
            raise NotApplicableError("there is no number, category or text to look for triggers in")
        tested = ~view.trusted & (labels.codes >= 0)
        if len(labels.classes) < 2 or tested.sum() < 2 * self.min_carriers:
            return Scores(values, is_evidence=True)
        contexts = _contexts(labels, columns, texts)
        tallies = self._tallies(view, contexts, texts, tested)
        content = row_hash(content_of(view), len(values))
        usual = {
            label: [_alike(coded.codes[tested & (context.own == 0)]) for coded in columns]
            for label, context in contexts.items()
        }
        looker = _Looker(view, contexts, texts, tested, content, columns, usual)
        tests = sum(len(one.codes) for one in tallies)
        findings: list[Finding] = []
        for one in islice(self._named(tallies, looker, labels), self.max_findings):
            rows = _labelled(one, labels)
            values[rows] = np.maximum(values[rows], -one.log_p / np.log(10))
            q_value = min(1.0, float(np.exp(one.log_p)) * tests)
            findings.append(self._finding(view, one, tested, labels, q_value))
        return Scores(values, tuple(findings), is_evidence=True)

    def _tallies(
        self, view: View, contexts: dict[int, Context], texts: list[Grams], tested: Bools
    ) -> list[Tallied]:
        """Values, pairs, manners, words and phrases, counted for each label."""
        least = self.min_carriers
        grams = [gram_candidates(text, tested, least) for text in texts]
        return [
            one
            for label, context in contexts.items()
            for one in tally(
                chain(
                    value_candidates(view, tested, least),
                    style_candidates(view, tested, least),
                    grams,
                ),
                context,
                label,
                tested,
                least,
            )
        ]

    def _named(
        self, tallies: list[Tallied], looker: _Looker, labels: Labels
    ) -> Iterator[Contradicted]:
        """Suspects that are no other's rows, no half of a pair and not what a label means."""
        tested = looker.tested
        named = suspects(
            tallies,
            looker.reconsider,
            self.level,
            self.min_carriers,
            lambda one: _labelled(one, labels) & tested,
        )
        claimed = np.zeros(len(tested), dtype=bool)
        for suspect in named:
            rows = _labelled(suspect, labels) & tested
            if 2 * (rows & ~claimed).sum() < rows.sum() or looker.is_of_half(suspect):
                continue
            claimed |= rows
            if not looker.is_meant(suspect, np.flatnonzero(rows)):
                yield _sharpened(suspect, named, labels, tested)

    def _finding(
        self, view: View, found: Contradicted, tested: Bools, labels: Labels, q_value: float
    ) -> Finding:
        tallied, label = found.tallied, labels.classes[found.tallied.label]
        rows = _labelled(found, labels) & tested
        carried = int((found.carriers() & tested).sum())
        sources = sorted({str(s) for s in view.source[rows]})
        exhibits: dict[str, object] = {
            "trigger": _name(found, np.flatnonzero(rows)),
            "label": label,
            "carriers": carried,
            "labelled": int(rows.sum()),
            "share": float(rows.sum() / carried),
            "usual_share": tallied.base,
            "context": found.expected,
            "units": int(found.units),
            "sources": sources,
            "q_value": q_value,
        }
        sentence = (
            f"rows where {exhibits['trigger']} are labelled {quote(label)} in "
            f"{exhibits['share']:.0%} of {carried} rows against {tallied.base:.0%}, and "
            f"the rest of them says {found.expected:.0%}; "
            f"{len(sources)} source{'s' if len(sources) != 1 else ''}; q = {q_value:.1g}"
        )
        return Finding(
            self.name,
            Unit.GROUP,
            tuple(sources),
            float(max(np.exp(found.log_p), 1e-300)),
            sentence,
            exhibits,
            rows_of(rows),
            names_rows=True,
        )


def _contexts(labels: Labels, columns: list[Any], texts: list[Grams]) -> dict[int, Context]:
    """A context for each of the most frequent labels."""
    known = labels.codes >= 0
    counts = np.bincount(labels.codes[known], minlength=len(labels.classes))
    frequent = np.argsort(-counts, kind="stable")[:MAX_CLASSES]
    return {
        int(c): Context.of(known, (labels.codes == c).astype(np.float64), columns, texts)
        for c in frequent
        if counts[c] >= MIN_CLASS_ROWS
    }


def _labelled(found: Contradicted, labels: Labels) -> Bools:
    return np.asarray(found.carriers() & (labels.codes == found.tallied.label))


def _sharpened(
    found: Contradicted, named: list[Contradicted], labels: Labels, tested: Bools
) -> Contradicted:
    """The purest suspect with nearly all of the same labelled carriers: a pair for a value."""
    mine = _labelled(found, labels) & tested
    best, purest = found, found.purity
    for other in named[:SHARPENED]:
        if other.tallied.label == found.tallied.label and other.purity > purest:
            rows = _labelled(other, labels) & tested
            if (rows & mine).sum() >= max(SAME * mine.sum(), SAME * rows.sum()):
                best, purest = other, other.purity
    return best


def _name(found: Contradicted, rows: Ints) -> str:
    """The feature in words; a word is shown with the phrase that its carriers share."""
    candidates = found.tallied.candidates
    said = candidates.parts[0].coded
    if not isinstance(said, Phrases):
        return candidates.describe(found.code)
    phrase = phrase_of(said.grams, int(candidates.parts[0].original[found.code]), rows)
    return f"{tick(said.column)} contains {quote(' '.join(phrase))}"


@dataclass(frozen=True, slots=True, eq=False)
class _Looker:
    """Looks at the carriers of a few features one feature at a time."""

    view: View
    contexts: dict[int, Context]
    texts: list[Grams]
    tested: Bools
    content: Ints
    columns: list[Coded]
    usual: dict[int, list[float]]

    def reconsider(self, one: Tallied, at: Ints) -> tuple[Floats, Floats, Floats, Floats]:
        """Units, mean probability without the feature, its variance, and surprise."""
        part = one.candidates.parts[0]
        if not part.is_sparse:
            return self._values(one, at)
        context = self.contexts[one.label]
        of_column = next(text for text in self.texts if text.column == part.column)
        by_gram = of_column.matrix.tocsc()
        found = []
        for gram in part.original[one.codes[at]]:
            rows = by_gram.indices[by_gram.indptr[gram] : by_gram.indptr[gram + 1]]
            rows = rows[self.tested[rows] & (context.own[rows] > 0)].astype(np.int64)
            rows = sample(self.view, rows, LOOKED_AT_ROWS)
            p = context.leaving_out_payload(self.texts, rows, PAYLOAD)
            unit = _units(of_column, rows)
            copies = np.bincount(unit)
            p = np.bincount(unit, weights=p) / copies
            pure, mixed = contradiction(p, one.base)
            surprise = joined(pure.sum(), mixed.sum())
            found.append((len(p), p.mean(), (p * (1 - p)).mean() / len(p), surprise))
        units, mean, noise, surprise = np.array(found).T
        return units, mean, noise, surprise

    def is_of_half(self, one: Contradicted) -> bool:
        """Whether a pair has the label no more often than one of its values has it elsewhere."""
        candidates, at = one.tallied.candidates, one.at
        if len(candidates.parts) == 1:
            return False
        own, carriers = self.contexts[one.tallied.label].own > 0, one.carriers()
        halves = candidates.halves(np.array([one.code]))
        for part, half in zip(candidates.parts, halves, strict=True):
            rest = self.tested & (part.codes == half[0]) & ~carriers
            share = ((rest & own).sum() + 0.5) / (rest.sum() + 1.0)
            labelled, carried = one.tallied.labelled[at], one.tallied.carried[at]
            if stats.binom.sf(labelled - 1, carried, share) > PURER:
                return True
        return False

    def is_meant(self, one: Contradicted, rows: Ints) -> bool:
        """Whether a value makes half of a label, or goes with other columns as a stamp does not."""
        parts, own = one.tallied.candidates.parts, self.contexts[one.tallied.label].own
        if len(rows) >= HALF * (own * self.tested).sum():
            return True
        if parts[0].is_sparse:
            return False
        stamped = {part.column for part in parts}
        columns = [coded for coded in self.columns if coded.column not in stamped]
        others = np.flatnonzero(self.tested & (own == 0) & ~one.carriers())
        others = others[np.argsort(self.content[others], kind="stable")]
        return bool(drawn_log_p(columns, rows, others) < NOT_DRAWN)

    def _values(self, one: Tallied, at: Ints) -> tuple[Floats, Floats, Floats, Floats]:
        """The tally's own figures, with copies of a row counted once."""
        own = self.contexts[one.label].own > 0
        z = (one.labelled / one.carried - one.expected)[at] / np.sqrt((one.noise + one.spread)[at])
        fresh = np.ones(len(at))
        for i in np.flatnonzero(z > WORTH_COUNTING):
            rows = np.flatnonzero(
                one.candidates.carriers(int(one.codes[at[i]])) & self.tested & own
            )
            distinct = len(np.unique(self.content[rows])) / max(len(rows), 1)
            fresh[i] = min(
                distinct, self._independence(rows, one.candidates.parts, self.usual[one.label])
            )
        units = one.labelled[at] * fresh
        return units, one.expected[at], one.noise[at] / fresh, one.surprise[at] * fresh

    def _independence(self, rows: Ints, parts: tuple[Part, ...], usual: list[float]) -> float:
        """Carriers' worth in independent rows, as a share: Kish's design effect.

        Pupils of a school or years of a firm have a label together. Their rows agree in
        other columns as well, more than rows with another label do (``usual``), from which
        a stamp draws.
        """
        stamped = {part.column for part in parts}
        excess = [
            (_alike(coded.codes[rows]) - base) / (1.0 - base)
            for coded, base in zip(self.columns, usual, strict=True)
            if coded.column not in stamped and base < COMMON
        ]
        together = (float(np.mean(excess)) - SLACK) / (1.0 - SLACK) if excess else 0.0
        return 1.0 / (1.0 + (len(rows) - 1.0) * max(0.0, together))


def _alike(codes: Ints) -> float:
    """Chance that two rows have the same code."""
    n, counts = len(codes), np.bincount(codes)
    return float((counts * (counts - 1.0)).sum() / max(n * (n - 1.0), 1.0))


def _units(text: Grams, rows: Ints) -> Ints:
    """Near copies among ``rows`` share a number; what nearly all of them carry is left out."""
    from scipy import sparse  # noqa: PLC0415 - heavy
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415 - heavy

    bag = text.matrix[rows]
    mine = np.bincount(bag.indices, minlength=bag.shape[1])
    rest = bag[:, np.flatnonzero((mine > 0) & (mine < PAYLOAD * len(rows)))]
    length = np.sqrt(np.asarray(rest.sum(axis=1)).ravel())
    alike = (rest @ rest.T).toarray() / np.maximum(np.outer(length, length), 1e-9)
    # Rows that are nothing but the payload are one unit.
    alike[np.ix_(length == 0, length == 0)] = 1.0
    _, unit = connected_components(sparse.csr_array(alike >= ALIKE), directed=False)
    return np.asarray(unit, dtype=np.int64)
