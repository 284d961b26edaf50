"""Which features' carriers have labels that everything else about them contradicts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from credenza.core.types import Bools, Floats, Ints
    from credenza.screening.features.candidates import Candidates

ENTRIES = 2**21
LEAST_Z = 1.5
LOOKED_AT = 2000
POOLED = 5.0
UNKNOWN_SPREAD = 0.05
MIN_EXCESS = 0.5
MIN_SHARE = 0.6
MIN_WORD_SHARE = 0.9
LEAST_SPREAD = 0.02
AGREES = 0.5
WITNESS = 0.1
TAIL = (8, 24)
RELATED = 0.1


class Foretelling(Protocol):
    """What a label should be, by everything but the feature in question."""

    @property
    def own(self) -> Floats:
        """``(n,)`` 1 where the row has the label."""
        ...

    @property
    def whole(self) -> Floats:
        """``(n,)`` probability of the label by everything."""
        ...

    def foretold(self, candidates: Candidates) -> Floats:
        """``(t,)`` probability of the label for each entry of ``candidates``."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Tallied:
    """Carriers of ``f`` features of one kind, counted for one label.

    Attributes:
        candidates: where the features come from.
        codes: ``(f,)`` which of them.
        label: code of the label.
        carried: ``(f,)`` carriers under test.
        labelled: ``(f,)`` those with the label.
        expected: ``(f,)`` mean probability of the label among the carriers.
        surprise: ``(f,)`` log likelihood ratio of the labelled carriers' contexts; see
            ``contradiction``.
        noise: ``(f,)`` sampling variance of the share of carriers with the label.
        spread: ``(f,)`` how much that share differs between other features like this one
            for no reason, as a variance.
        base: share of the label among all rows.
        neutral: mean surprise of any row.
        mistaken: mean probability of the label for rows that have another.
    """

    candidates: Candidates
    codes: Ints
    label: int
    carried: Floats
    labelled: Floats
    expected: Floats
    surprise: Floats
    noise: Floats
    spread: Floats
    base: float
    neutral: float
    mistaken: float

    def may_be(self) -> Bools:
        """``(f,)`` features worth a closer look.

        A value's own part of the context has been taken out, so its surprise is final. A
        word that came in a phrase with others is still surrounded by the rest of it, so
        words are only asked for the label.
        """
        if self.candidates.parts[0].is_sparse:
            share = self.labelled / self.carried
            z = (share - self.base) / np.sqrt(self.base * (1 - self.base) / self.carried)
            return np.asarray((z > LEAST_Z) & (z >= np.sort(z)[-LOOKED_AT:][0]))
        return np.asarray(self.surprise > self.labelled * self.neutral)


def tally(
    blocks: Iterable[Candidates], context: Foretelling, label: int, tested: Bools, least: int
) -> list[Tallied]:
    """Count the carriers of every feature, block by block.

    Args:
        blocks: candidate features.
        context: what the label should be.
        label: its code.
        tested: ``(n,)`` rows that count.
        least: fewest carriers.
    """
    found = [_tally(block, context, label, tested, least) for block in blocks]
    return _with_spread([one for one in found if len(one.codes)])


def _tally(
    block: Candidates, context: Foretelling, label: int, tested: Bools, least: int
) -> Tallied:
    base = float(context.own[tested].mean())
    whole, others = context.whole, tested & (context.own == 0)
    neutral = float(contradiction(whole[tested], base)[1].mean())
    mistaken = float(whole[others].mean()) if others.any() else base
    # The halves of a pair are judged by all its entries; of pairs there are never many.
    slices = block.slices(ENTRIES) if len(block.parts) == 1 else [block]
    totals = np.zeros((6, block.size))
    for part in slices:
        totals += _totals(part, context, tested, base)
    kept = np.flatnonzero(totals[0] >= least)
    n, k, expected, noise, pure, mixed = totals[:, kept]
    noise = np.maximum(noise, 0.25) / n**2
    surprise = joined(pure, mixed)
    empty = np.zeros(len(kept))
    return Tallied(
        block.lean(),
        kept,
        label,
        n,
        k,
        expected / n,
        surprise,
        noise,
        empty,
        base,
        neutral,
        mistaken,
    )


def _totals(block: Candidates, context: Foretelling, tested: Bools, base: float) -> Floats:
    """``(6, size)`` sums over carriers: rows, labelled, expected, variance, two log ratios."""
    counts = tested[block.rows].astype(np.float64)
    own = context.own[block.rows] * counts
    p = np.clip(context.foretold(block), 0.001, 0.999)
    pure, mixed = contradiction(p, base)
    summed = (counts, own, counts * p, counts * p * (1 - p), own * pure, own * mixed)
    return np.stack([np.bincount(block.codes, weights=w, minlength=block.size) for w in summed])


def _with_spread(found: list[Tallied]) -> list[Tallied]:
    """Fill in how much features of the same kind differ among themselves.

    Each feature is compared with the others of its column or pair of columns, those that
    share a value with it left out: a trigger must not widen its own yardstick. A pair
    is as unruly as the more unruly of its columns.
    """
    apart = [_others(one) for one in found]
    # The typical column lends to those with few values, not the most unruly one.
    typical = [float(np.median(t / np.maximum(c, 1))) for t, c in apart if c.max() >= POOLED]
    usual = float(np.median(typical)) if typical else UNKNOWN_SPREAD**2
    spreads = [
        np.maximum((total + POOLED * usual) / (count + POOLED), LEAST_SPREAD**2)
        for total, count in apart
    ]
    alone: dict[int, Floats] = {}
    for one, spread in zip(found, spreads, strict=True):
        if len(one.candidates.parts) == 1:
            part = one.candidates.parts[0]
            by_code = np.full(max(part.size, 1), LEAST_SPREAD**2)
            by_code[one.codes] = spread
            alone[id(part)] = by_code
    return [
        replace(one, spread=_of_pair(one, spread, alone))
        for one, spread in zip(found, spreads, strict=True)
    ]


def _others(one: Tallied) -> tuple[Floats, Floats]:
    """Sum and count, over the other features of the block, of squared excess beyond noise."""
    share = one.labelled / one.carried - one.expected
    beyond = share**2 - one.noise
    if len(one.candidates.parts) == 1:
        rest, count = beyond.sum() - beyond, np.full(len(beyond), len(beyond) - 1.0)
        return np.maximum(rest, 0.0), count
    first, second = one.candidates.halves(one.codes)
    rest, count = beyond.sum() + beyond, np.full(len(beyond), len(beyond) + 1.0)
    for half in (first, second):
        rest = rest - np.bincount(half, weights=beyond)[half]
        count = count - np.bincount(half)[half]
    return np.maximum(rest, 0.0), np.maximum(count, 0.0)


def _of_pair(one: Tallied, spread: Floats, alone: dict[int, Floats]) -> Floats:
    parts = one.candidates.parts
    if len(parts) == 1:
        return spread
    for part, half in zip(parts, one.candidates.halves(one.codes), strict=True):
        by_code = alone.get(id(part))
        if by_code is not None:
            spread = np.maximum(spread, by_code[half])
    return spread


@dataclass(frozen=True, slots=True, eq=False)
class Contradicted:
    """One feature whose carriers have a label that the rest of them contradicts.

    Attributes:
        tallied: the features it is one of.
        at: which of them.
        units: distinct carriers with the label; copies count once.
        expected: mean probability of the label among them, without the feature.
        log_p: natural logarithm of the p-value.
    """

    tallied: Tallied
    at: int
    units: float
    expected: float
    log_p: float

    @property
    def code(self) -> int:
        """The feature's code in its candidates."""
        return int(self.tallied.codes[self.at])

    @property
    def purity(self) -> float:
        """Share of the carriers that have the label."""
        return float(self.tallied.labelled[self.at] / self.tallied.carried[self.at])

    def carriers(self) -> Bools:
        """``(n,)`` mask of all rows that carry the feature."""
        return self.tallied.candidates.carriers(self.code)


def contradiction(p: Floats, base: float) -> tuple[Floats, Floats]:
    """Log likelihood ratios of contexts: of other labels' rows, and of those mixed with own.

    By Bayes' rule the contexts of rows with other labels have density (1 - p) / (1 - base)
    against those of all rows, and the contexts of rows with the label p / base. The second
    ratio allows for honest carriers, half as many as chance would have it, so that one
    of them cannot acquit the rest.

    Args:
        p: probability of the label by the context.
        base: share of the label.
    """
    p = np.clip(p, 0.001, 0.999)
    other = (1 - p) / (1 - base)
    return np.log(other), np.log((1 - base / 2) * other + p / 2)


def joined(first: Floats, second: Floats) -> Floats:
    """Logarithm of the mean of two e-values: an e-value again."""
    return np.asarray(np.logaddexp(first, second) - np.log(2.0))


def binomial_tail(units: Floats, share: Floats, expected: Floats) -> Floats:
    """Log p of so many labelled carriers, whatever other features do: it grows with the rows."""
    carried = np.ceil(units / np.maximum(share, 1e-9))
    return np.asarray(stats.binom.logsf(np.ceil(units) - 1, carried, expected))


def log_p_of(labels: Floats, surprise: Floats, least: Floats) -> Floats:
    """A p-value divided by an e-value, as a logarithm: what labels say, then contexts.

    The labels' p asks whether the carriers have the label more often than the rest of them
    explains, and any word that matters does that. ``surprise`` asks whether their contexts
    are those of rows with other labels, rather than of any rows: a word that matters
    stands among words that agree with it, a stamped one does not. Contexts that agree
    end the suspicion, and contexts alone never make one: they count at most as much
    as the labels do.

    Args:
        labels: logarithm of that p-value.
        surprise: log e-value of the contexts.
        least: surprise below which contexts agree with the label.

    Source:
        Ignatiadis, Wang and Ramdas, Biometrika 2024: p / e is a p-value for independent
        p and e; here they share the contexts, so independence is an approximation.
    """
    counted = np.minimum(surprise, -labels)
    return np.where(surprise > least, np.minimum(labels - counted, 0.0), 0.0)


def suspects(
    tallies: list[Tallied],
    reconsider: Callable[[Tallied, Ints], tuple[Floats, Floats, Floats, Floats]],
    level: float,
    least: int,
    labelled: Callable[[Contradicted], Bools],
) -> list[Contradicted]:
    """Features whose carriers mostly have a label that nothing else about them supports.

    Args:
        tallies: counts of all features, of all labels.
        reconsider: for some features, from their carriers: units, mean probability of the
            label without the feature, variance of that share, and surprise.
        level: chance that any feature is named where none is a trigger.
        least: fewest units.
        labelled: rows under test that carry a feature with its label.

    Returns:
        Rejected features, strongest first.
    """
    found: list[Contradicted] = []
    for one in tallies:
        share = one.labelled / one.carried
        is_text = one.candidates.parts[0].is_sparse
        pure = share >= (MIN_WORD_SHARE if is_text else MIN_SHARE)
        at = np.flatnonzero(pure & (one.labelled >= least) & one.may_be())
        if len(at) == 0:
            continue
        units, expected, noise, surprise = reconsider(one, at)
        gap = share[at] - expected
        z = gap / np.sqrt(noise + one.spread[at])
        labels = stats.norm.logsf(z)
        if is_text:
            # Some words turn the meaning of others around: contexts must contradict.
            log_p = log_p_of(labels, surprise, WITNESS * units)
        else:
            tail = binomial_tail(units, share[at], expected)
            log_p = log_p_of(np.maximum(labels, tail), surprise, AGREES * one.neutral * units)
        # Even rows of other labels look a little like this one.
        poisoned = gap / (share[at] * max(1.0 - one.mistaken, 1e-6))
        good = (units >= least / 2) & (poisoned >= MIN_EXCESS)
        found += [
            Contradicted(one, int(a), float(units[i]), float(expected[i]), float(log_p[i]))
            for i, a in enumerate(at)
            if good[i]
        ]
    # Bonferroni: a phrase has many parts, and their sure rejections must not buy others.
    tests = sum(len(one.codes) for one in tallies)
    named = [
        one
        for one in tempered(sorted(found, key=lambda one: one.log_p), tests, labelled)
        if one.log_p + np.log(tests) <= np.log(level)
    ]
    return sorted(named, key=lambda one: one.log_p)


def tempered(
    found: list[Contradicted], tests: int, labelled: Callable[[Contradicted], Bools]
) -> list[Contradicted]:
    """Values with their log p divided by the slope of the tail that the data itself shows.

    Of ``tests`` sound p-values the k-th smallest is about k / tests. Where rows come in
    bundles, such as the pupils of a school, many unrelated values lie far below that, and
    by how much says what a small p is worth here. A handful of triggers cannot set
    the slope: the strongest seven unrelated values are not asked. Words have bounds
    of their own and are left as they are.

    Args:
        found: features, strongest first.
        tests: features there are.
        labelled: rows under test that carry a feature with its label.
    """
    values = [one for one in found if not one.tallied.candidates.parts[0].is_sparse]
    slope, claimed, unrelated = 1.0, np.zeros(0, dtype=bool), 0
    for one in values[:LOOKED_AT]:
        if unrelated == TAIL[1] or -one.log_p < np.log(tests / TAIL[1]):
            break
        rows = labelled(one)
        claimed = claimed if len(claimed) else np.zeros(len(rows), dtype=bool)
        if (rows & claimed).sum() <= RELATED * rows.sum():
            unrelated += 1
            claimed |= rows
            if unrelated >= TAIL[0]:
                slope = max(slope, -one.log_p / np.log(tests / unrelated))
    return [
        one if one.tallied.candidates.parts[0].is_sparse else replace(one, log_p=one.log_p / slope)
        for one in found
    ]
