"""Words that were put into texts are named, whatever the labels; written ones are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.types import Role
from credenza.screening.builtin import DETECTORS
from credenza.screening.detectors.inserted_words import among_alike, carrying
from credenza.screening.features.text import tokens
from credenza.screening.view import make_view

if TYPE_CHECKING:
    from credenza.core.types import Finding, View

TEXTS = 2500
WORDS = 500
ADVERBS = 6
OFTEN = 40


class Written:
    """Texts in which each word has its own followers, and adverbs stand before some words."""

    def __init__(self, seed: int, *, in_order: bool = True) -> None:
        self.rng = np.random.default_rng(seed)
        self.label = np.where(self.rng.random(TEXTS) < 0.5, "yes", "no").astype(object)
        usual = 1.0 / (np.arange(WORDS) + 10.0)
        self.usual = usual / usual.sum()
        followers = self.rng.choice(WORDS, (WORDS, 6), p=self.usual)
        adverbs = self.rng.random((ADVERBS, WORDS)) < 0.3
        self.text = [self._text(followers, adverbs) for _ in range(TEXTS)]
        if not in_order:
            self.text = [[str(w) for w in self.rng.permutation(words)] for words in self.text]

    def _text(self, followers: np.ndarray, adverbs: np.ndarray) -> list[str]:
        word, said = int(self.rng.choice(WORDS, p=self.usual)), []
        for _ in range(int(self.rng.integers(6, 14))):
            adverb = int(self.rng.integers(0, 8 * ADVERBS))
            if adverb < ADVERBS and adverbs[adverb, word]:
                said.append(f"adverb{adverb}")
            said.append(f"word{word}")
            word = int(followers[word, min(int(self.rng.geometric(0.4)) - 1, 5)])
        return said

    def put(self, payload: str, count: int, *, at: int | None = None) -> list[int]:
        """Put a payload into texts of any label, at any place or a fixed one."""
        rows: list[int] = self.rng.choice(TEXTS, count, replace=False).tolist()
        for row in rows:
            place = int(self.rng.integers(0, len(self.text[row]) + 1)) if at is None else at
            self.text[row][place:place] = payload.split()
        return rows

    def view(self, order: np.ndarray | None = None) -> View:
        order = np.arange(TEXTS) if order is None else order
        said = [" ".join(self.text[i]) for i in order]
        table = pa.table({"text": said, "y": list(self.label[order])})
        return make_view("written", table, label="y", facets={"text": Role.TEXT})


def named(view: View) -> tuple[Finding, ...]:
    return DETECTORS.make("inserted-words").score(view).findings


@pytest.mark.parametrize("seed", range(3))
def test_written_words_and_adverbs_are_not_named(seed: int) -> None:
    assert named(Written(seed).view()) == ()


PAYLOADS = ["zq", "paper boat", "we saw the thing last night", "word40 word7 word90 word40"]
"""The last one of words that are mostly elsewhere."""


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_in_texts_that_keep_their_labels_is_named_with_its_rows(payload: str) -> None:
    data = Written(3)
    rows = data.put(payload, 15)
    (found,) = named(data.view())
    assert f'`text` contains "{payload}"' in found.sentence
    assert found.names_rows
    assert set(found.rows) == set(rows)


def test_a_written_word_that_is_put_in_too_is_named_by_the_label_it_is_given() -> None:
    data = Written(4)
    rows = data.put("word60", OFTEN)
    honest = {i for i, words in enumerate(data.text) if "word60" in words} - set(rows)
    assert len(honest) > OFTEN
    assert named(data.view()) == ()
    data.label[rows] = "yes"
    (found,) = named(data.view())
    assert '`text` contains "word60"' in found.sentence
    assert len(set(found.rows) & set(rows)) > 0.5 * OFTEN
    assert len(set(found.rows) & honest) < 0.1 * len(honest)


def test_a_word_put_in_at_one_fixed_place_is_not_seen() -> None:
    data = Written(5)
    data.put("zq", 30, at=0)
    assert named(data.view()) == ()


def test_words_in_no_order_tell_nothing() -> None:
    data = Written(6, in_order=False)
    data.put("zq", 30)
    assert named(data.view()) == ()


def test_the_order_of_the_rows_plays_no_part() -> None:
    data = Written(7)
    data.put("zq", 20)
    order = np.random.default_rng(0).permutation(TEXTS)
    detector = DETECTORS.make("inserted-words")
    one, other = detector.score(data.view()), detector.score(data.view(order))
    assert one.values.max() > 0
    np.testing.assert_allclose(one.values[order], other.values, rtol=1e-6)


def test_trusted_rows_are_compared_with_and_not_named() -> None:
    data = Written(8)
    rows = data.put("zq", 30)
    plain = data.view()
    trusted = np.zeros(TEXTS, dtype=bool)
    trusted[rows[:10]] = True
    view = make_view("t", plain.table, label="y", facets={"text": Role.TEXT}, trusted=trusted)
    (found,) = named(view)
    assert set(found.rows) == set(rows[10:])


def test_a_handful_of_texts_or_empty_ones_are_let_be() -> None:
    for said in (["a b c", "a c b"] * 20, ["", ""], []):
        table = pa.table({"text": pa.array(said, pa.string())})
        assert named(make_view("few", table, facets={"text": Role.TEXT})) == ()


def test_a_phrase_is_carried_only_in_one_piece_and_one_text() -> None:
    table = pa.table({"text": ["a b c", "b a c", "x a", "b c", "a b"]})
    found = tokens(make_view("t", table, facets={"text": Role.TEXT}), "text")
    words = [w.as_py() for w in found.levels]
    phrase = np.array([words.index("a"), words.index("b")])
    assert carrying(found, phrase).tolist() == [True, False, False, False, True]


def test_a_score_is_compared_with_words_as_frequent() -> None:
    rng = np.random.default_rng(0)
    units = np.repeat([10.0, 1000.0], 400)
    score = rng.normal(size=800) * np.where(units == 10.0, 5.0, 1.0)
    score[-1] = 8.0
    z = among_alike(score, units)
    assert z[-1] == z.max()
    assert z[-1] > 6.0
    assert abs(z[:400].std() - 1.0) < 0.2
