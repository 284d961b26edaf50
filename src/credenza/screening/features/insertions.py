"""Words measured for whether they were put between others, beside words made up for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.screening.features.adjacency import Pairs, Running, log_lift
from credenza.screening.features.table import content_of, row_hash, sample

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, Ints, View
    from credenza.screening.features.text import Tokens

MOST_TOKENS = 3_000_000
MADE_UP = 400
COMMON = 0.2
WHOLE = 0.8
LONGEST = 12


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Where words, or phrases around them, stand in running text.

    Attributes:
        word: ``(t,)`` number of the word.
        left: ``(t,)`` position before the word or phrase.
        right: ``(t,)`` position behind it.
        words: how many words there are.
    """

    word: Ints
    left: Ints
    right: Ints
    words: int

    def at(self, kept: Ints | Bools) -> Standing:
        """Some of the places."""
        return Standing(self.word[kept], self.left[kept], self.right[kept], self.words)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Places of words, what each place is like, and each word's mean.

    Attributes:
        places: one for each different pair of neighbours of a word.
        features: ``(t, 7)`` of each place.
        units: ``(w,)`` such places of each word.
        means: ``(w, 7)`` mean over them.
    """

    places: Standing
    features: Floats
    units: Floats
    means: Floats

    @classmethod
    def of(cls, places: Standing, features: Floats) -> Measured:
        """Average over the places of each word."""
        units = np.bincount(places.word, minlength=places.words).astype(np.float64)
        sums = [np.bincount(places.word, weights=one, minlength=places.words) for one in features.T]
        means = np.stack(sums, axis=1) / np.maximum(units, 1.0)[:, None]
        return cls(places, features, units, means)


@dataclass(frozen=True, slots=True, eq=False)
class Insertions:
    """Real words of a text column, and made-up ones that were put in at random.

    Attributes:
        running: the texts.
        rows: ``(m,)`` row of each text in ``running``.
        codes: ``(w, 2)`` token codes of each real word, -1 as the second; or of the first two
            words side by side that a phrase was grown from.
        everywhere: all places of the real words.
        unit: ``(t,)`` which of the measured places each of these is, or is a copy of.
        real: the words as they stand.
        made_up: as many places at random as real words have, of words that are nowhere.
    """

    running: Running
    rows: Ints
    codes: Ints
    everywhere: Standing
    unit: Ints
    real: Measured
    made_up: Measured

    def phrase(self, word: int) -> Ints:
        """Token codes of the word, with the phrase that nearly all its places share."""
        one = int(np.flatnonzero(self.everywhere.word == word)[0])
        return self.running.codes[self.everywhere.left[one] + 1 : self.everywhere.right[one]]


def insertions_of(view: View, found: Tokens, least: int) -> tuple[Insertions, Insertions]:
    """Measure every word, and every phrase, with ``least`` different pairs of neighbours or more.

    A word that was put into texts stands between two words that stood side by side before,
    and elsewhere still do; its own neighbours are any words at all. A word that was written
    has neighbours of its own, which without it do not meet. So each place is measured by
    how well the words on either side go together without the word (at a distance of one
    and of two), how usual it is that they have one word between them, how well the word
    goes with its neighbours and theirs, judged by its other places, and whether it stands
    at an end. What that is for a word put in anywhere is found out by putting in made-up
    words. Texts are put in an order of their content, and beyond three million tokens
    sampled by it.

    Args:
        view: the rows.
        found: tokens of one of its text columns.
        least: fewest different pairs of neighbours.

    Returns:
        Words, with the phrase that nearly all places of a word share; and phrases of two
        words and more, each of which is mostly elsewhere, as those of a sentence are.
    """
    n = found.n
    share = MOST_TOKENS / max(len(found.codes), 1)
    rows = sample(view, np.arange(n, dtype=np.int64), int(min(share, 1.0) * n))
    order = rows[np.argsort(row_hash(content_of(view), n)[rows], kind="stable")]
    running = Running.of(found, order)
    counts = np.bincount(running.codes, minlength=running.bound + 1)
    pairs = Pairs.of(running, 1), Pairs.of(running, 2)
    words = _insertions(running, order, pairs, _words(running, counts, least), least)
    return words, _insertions(running, order, pairs, _phrases(running, counts, least), least)


def _insertions(
    running: Running,
    order: Ints,
    pairs: tuple[Pairs, Pairs],
    seed: tuple[Standing, Ints],
    least: int,
) -> Insertions:
    """Measure all places of some words or phrases, and made-up ones as frequent."""
    everywhere, codes = seed
    first, _ = _different(running, everywhere)
    units = np.bincount(everywhere.word[first], minlength=everywhere.words)
    kept = np.flatnonzero(units >= least)
    everywhere = _only(everywhere, kept)
    first, unit = _different(running, everywhere)
    real = _measured(running, pairs, everywhere.at(first), is_new=False)
    new = _made_up(running, np.sort(units[kept]))
    made_up = _measured(running, pairs, new, is_new=True)
    return Insertions(running, order, codes[kept], everywhere, unit, real, made_up)


def _words(running: Running, counts: Ints, least: int) -> tuple[Standing, Ints]:
    """Every place of every word that is neither rare nor in every fifth text."""
    words = _usual(counts[: running.bound], least, running)
    place = np.full(running.bound + 1, -1, dtype=np.int64)
    place[words] = np.arange(len(words))
    at = np.flatnonzero(place[running.codes] >= 0)
    places = Standing(place[running.codes[at]], at - 1, at + 1, len(words))
    codes = np.stack([words, np.full(len(words), -1)], axis=1)
    return _in_phrases(running, places, counts[words]), codes


def _phrases(running: Running, counts: Ints, least: int) -> tuple[Standing, Ints]:
    """Every place of two words side by side, each of which is mostly elsewhere."""
    size = running.bound + 1
    at = np.flatnonzero((running.codes[:-1] < running.bound) & (running.codes[1:] < running.bound))
    key = running.codes[at] * size + running.codes[at + 1]
    pairs, which, often = np.unique(key, return_inverse=True, return_counts=True)
    rarer = np.minimum(counts[pairs // size], counts[pairs % size])
    kept = _usual(np.where(often < WHOLE * rarer, often, 0), least, running)
    number = np.full(len(pairs), -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    at, word = at[number[which] >= 0], number[which[number[which] >= 0]]
    places = Standing(word, at - 1, at + 2, len(kept))
    places = _in_phrases(running, places, often[kept])
    # All pairs of a sentence grow into the same one.
    some, first = np.unique(places.word, return_index=True)
    around = np.stack([places.left[first], places.right[first]], axis=1)
    once = np.sort(np.unique(around, axis=0, return_index=True)[1])
    codes = np.stack([pairs[kept] // size, pairs[kept] % size], axis=1)
    return _only(places, some[once]), codes[some[once]]


def _usual(counts: Ints, least: int, running: Running) -> Ints:
    """What is neither rare nor in every fifth text."""
    return np.flatnonzero((counts >= least) & (counts <= COMMON * len(running.lengths)))


def _in_phrases(running: Running, places: Standing, carried: Ints) -> Standing:
    """Places with the phrase around them that most of a word's places share; no whole texts."""
    for step in (1, -1):
        places = _grown(running, places, carried, step)
    whole = (running.codes[places.left] == running.bound) & (
        running.codes[places.right] == running.bound
    )
    return places.at(~whole)


def _grown(running: Running, places: Standing, carried: Ints, step: int) -> Standing:
    """Words with the phrase that four in five of their places share, on one side.

    The places that have not the phrase are left out.
    """
    size = running.bound + 1
    growing = np.ones(places.words, dtype=bool)
    for _ in range(LONGEST):
        some = np.flatnonzero(growing[places.word])
        ends = places.right if step > 0 else places.left
        key = places.word[some] * size + running.codes[ends[some]]
        pairs, which, count = np.unique(key, return_inverse=True, return_counts=True)
        shared = (count >= WHOLE * carried[pairs // size]) & (pairs % size < running.bound)
        growing = np.zeros(places.words, dtype=bool)
        growing[pairs[shared] // size] = True
        if not shared.any():
            break
        ends = ends.copy()
        ends[some[shared[which]]] += step
        lost = np.zeros(len(ends), dtype=bool)
        lost[some] = growing[places.word[some]] & ~shared[which]
        left, right = (places.left, ends) if step > 0 else (ends, places.right)
        places = Standing(places.word, left, right, places.words).at(~lost)
    return places


def _different(running: Running, places: Standing) -> tuple[Ints, Ints]:
    """Places of a word with the same neighbours are copies: the first, and of which each is one."""
    size = running.bound + 1
    beside = running.codes[places.left] * size + running.codes[places.right]
    _, pair = np.unique(beside, return_inverse=True)
    key = places.word * (int(pair.max(initial=0)) + 1) + pair
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    return first, which


def _only(places: Standing, words: Ints) -> Standing:
    """The places of some words, which are numbered anew."""
    number = np.full(places.words, -1, dtype=np.int64)
    number[words] = np.arange(len(words))
    kept = places.at(number[places.word] >= 0)
    return Standing(number[kept.word], kept.left, kept.right, len(words))


def _made_up(running: Running, units: Ints) -> Standing:
    """Words put into texts at random, as often as real words with so many units stand there."""
    rng = np.random.default_rng(0)
    texts = np.flatnonzero(running.lengths > 0)
    if len(units) == 0 or len(texts) == 0:
        nowhere = np.empty(0, dtype=np.int64)
        return Standing(nowhere, nowhere, nowhere, 0)
    often = units[rng.integers(0, len(units), MADE_UP)]
    word = np.repeat(np.arange(MADE_UP), often)
    text = texts[rng.integers(0, len(texts), len(word))]
    left = running.starts[text] + rng.integers(0, running.lengths[text] + 1)
    return Standing(word, left, left + 1, MADE_UP)


def _measured(
    running: Running, pairs: tuple[Pairs, Pairs], places: Standing, *, is_new: bool
) -> Measured:
    """The measures of each place.

    Args:
        running: the texts, which the made-up words are not in.
        pairs: counts of tokens one and two apart.
        places: of the words.
        is_new: whether the words were made up: then the neighbours did stand side by side
            here, and would not any more.
    """
    beside, near = pairs
    codes, broken = running.codes, float(is_new)
    before, behind = running.outward(places.left, -1), running.outward(places.right, 1)
    at = (before, places.left, places.right, behind)
    second_left, left, right, second_right = (codes[one] for one in at)
    (to_left, to_right), (to_second, to_fourth) = beside.shares(), near.shares()
    features = (
        beside.lift(left, right, broken),
        near.lift(second_left, right, broken) + near.lift(left, second_right, broken),
        near.lift(left, right, 1.0 - broken),
        _own(places, left, to_left),
        _own(places, right, to_right),
        _own(places, second_left, to_second) + _own(places, second_right, to_fourth),
        ((left == running.bound) | (right == running.bound)).astype(np.float64),
    )
    return Measured.of(places, np.stack(features, axis=1))


def _own(places: Standing, other: Ints, share: Floats) -> Floats:
    """How well each word goes with a neighbour, by its other places."""
    size = len(share)
    pairs, which, count = np.unique(
        places.word * size + other, return_inverse=True, return_counts=True
    )
    partners = np.bincount(pairs // size, minlength=places.words).astype(np.float64)
    others = np.bincount(places.word, minlength=places.words).astype(np.float64)[places.word] - 1.0
    usual = np.maximum(share[other], 1e-9)
    return log_lift(count[which] - 1.0, others, partners[places.word], usual)
