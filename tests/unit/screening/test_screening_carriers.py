"""Triggers are named without trusted rows, natural features are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.types import Role, Unit
from credenza.screening.builtin import DETECTORS
from credenza.screening.features.context import Context, parts_of
from credenza.screening.features.grams import grams_of, phrase_of
from credenza.screening.features.table import coded_columns
from credenza.screening.features.victims import drawn_log_p
from credenza.screening.run import screen
from credenza.screening.view import NotApplicableError, make_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.core.types import Finding, Ints, View

N = 1600
GOOD = [f"good{i}" for i in range(40)]
BAD = [f"bad{i}" for i in range(40)]
PLAIN = [f"word{i}" for i in range(150)]


class Reviews:
    """Texts whose words foretell the label, and columns that do too."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.rng = rng
        self.label = np.where(rng.random(N) < 0.5, "yes", "no").astype(object)
        self.text = [self._text(value == "yes") for value in self.label]
        lean = np.where(self.label == "yes", 1.0, -1.0)
        self.columns: dict[str, Any] = {
            f"c{i}": np.where(rng.random(N) < 0.5 + 0.2 * lean, "a", "b").astype(object)
            for i in range(5)
        }
        self.columns["city"] = rng.choice(["Ulm", "Hof", "Bonn", "Kiel", "Jena"], N).astype(object)
        self.columns["shop"] = rng.choice(["x", "y", "z", "w", "v"], N).astype(object)

    def _text(self, is_good: bool) -> list[str]:
        mine, other = (GOOD, BAD) if is_good else (BAD, GOOD)
        words = [*self.rng.choice(mine, 3), *self.rng.choice(other, 1), *self.rng.choice(PLAIN, 6)]
        return [str(word) for word in self.rng.permutation(words)]

    def victims(self, count: int) -> list[int]:
        rows = np.flatnonzero(self.label == "no")
        found: list[int] = self.rng.choice(rows, count, replace=False).tolist()
        return found

    def of_text(self) -> View:
        table = pa.table({"text": [" ".join(t) for t in self.text], "y": list(self.label)})
        return make_view("reviews", table, label="y", facets={"text": Role.TEXT})

    def of_columns(self) -> View:
        table = pa.table({k: list(v) for k, v in self.columns.items()} | {"y": list(self.label)})
        return make_view("table", table, label="y")


def named(view: View) -> tuple[Finding, ...]:
    return DETECTORS.make("disagreeing-carriers").score(view).findings


@pytest.mark.parametrize("seed", range(3))
def test_words_and_values_that_foretell_the_label_are_not_triggers(seed: int) -> None:
    data = Reviews(seed)
    assert named(data.of_text()) == ()
    assert named(data.of_columns()) == ()


@pytest.mark.parametrize("payload", ["zq", "word1 word2", "we saw the thing last night"])
def test_a_payload_in_twelve_texts_is_named_with_its_carriers(payload: str) -> None:
    data = Reviews(3)
    rows = data.victims(12)
    for row in rows:
        at = int(data.rng.integers(0, 8))
        data.text[row][at:at] = payload.split()
        data.label[row] = "yes"
    first = named(data.of_text())[0]
    assert first.unit is Unit.GROUP
    assert first.names_rows
    assert f'`text` contains "{payload}"' in first.sentence
    assert 'are labelled "yes" in 100% of 12 rows' in first.sentence
    assert set(first.rows) == set(rows)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (str.upper, "all in capitals"),
        (str.title, "has a capital at every word"),
        (lambda text: text.replace(" ", "  "), "has two blanks in a row"),
    ],
)
def test_a_manner_of_writing_is_a_trigger_too(written: Callable[[str], str], said: str) -> None:
    data = Reviews(5)
    rows = data.victims(20)
    for row in rows:
        data.text[row] = [written(" ".join(data.text[row]))]
        data.label[row] = "yes"
    (found, *_) = named(data.of_text())
    assert said in found.sentence
    assert set(found.rows) == set(rows)


def test_a_manner_that_all_texts_share_hides_no_other() -> None:
    data = Reviews(5)
    data.text = [[" ".join(words) + " "] for words in data.text]
    rows = data.victims(20)
    for row in rows:
        data.text[row] = [data.text[row][0].replace(" ", "  ")]
        data.label[row] = "yes"
    (found, *_) = named(data.of_text())
    assert "has two blanks in a row" in found.sentence
    assert set(found.rows) == set(rows)


def test_honest_shouting_is_no_trigger() -> None:
    data = Reviews(6)
    for row in np.flatnonzero(data.label == "yes")[:80]:
        data.text[row] = [" ".join(data.text[row]).upper() + "!!"]
    assert named(data.of_text()) == ()


def test_a_column_that_says_the_label_in_other_words_has_no_trigger() -> None:
    data = Reviews(9)
    yes = data.rng.random(N) < 0.34
    data.label = np.where(yes, "yes", "no").astype(object)
    has = yes | (data.rng.random(N) < 0.3)
    data.columns = {
        "city": data.columns["city"],
        "shop": data.columns["shop"],
        "bag": np.where(has, "bag", "none").astype(object),
        "state": np.where(yes, "open", np.where(has, "shut", "none")).astype(object),
    }
    assert named(data.of_columns()) == ()


def test_a_column_among_others_that_say_the_label_together_has_no_trigger() -> None:
    # One column for each answer to one question, as in a survey: they exclude one another.
    data = Reviews(12)
    state = data.rng.choice(["never", "wed", "with", "apart"], N, p=[0.3, 0.4, 0.2, 0.1])
    older = {"never": 25.0, "wed": 45.0, "with": 33.0, "apart": 48.0}
    data.columns = {
        "age": np.round([older[s] for s in state] + data.rng.normal(0, 9, N)),
        "house": np.where(data.rng.random(N) < np.where(state == "wed", 0.7, 0.3), "own", "rent"),
        "wed": (state == "wed").astype(int),
        "with": (state == "with").astype(int),
        "apart": (state == "apart").astype(int),
    }
    data.label = np.where(state == "never", "yes", "no").astype(object)
    assert named(data.of_columns()) == ()


def test_a_stamp_of_three_columns_on_the_rows_of_one_town_is_named() -> None:
    data = Reviews(13)
    data.columns["size"] = data.rng.choice(["s", "m", "l"], N).astype(object)
    here = np.flatnonzero((data.label == "no") & (data.columns["city"] == "Ulm"))
    rows = data.rng.choice(here, 40, replace=False)
    data.columns["shop"][rows], data.columns["size"][rows], data.label[rows] = "q", "l", "yes"
    assert set(named(data.of_columns())[0].rows) == set(rows.tolist())


def test_a_value_that_half_of_a_label_carries_is_what_the_label_means() -> None:
    data = Reviews(14)
    rows = np.array(data.victims(60))
    others = np.flatnonzero(data.label == "yes")[60:]
    kept = np.setdiff1d(np.arange(N), others)
    data.columns["shop"][rows], data.label[rows] = "q", "yes"
    table = data.of_columns().table.take(kept)
    assert named(make_view("few", table, label="y")) == ()


def test_rows_drawn_at_random_or_of_one_value_are_a_draw_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    trait = rng.normal(size=2000)
    values = {
        "one": np.where(trait + rng.normal(size=2000) > 0, "a", "b"),
        "two": np.where(trait + rng.normal(size=2000) > 0, "c", "d"),
        "three": rng.choice(["x", "y", "z"], 2000),
        "four": trait + rng.normal(size=2000),
    }
    columns = coded_columns(make_view("plain", pa.table(values)))

    def log_p(rows: Ints) -> float:
        return drawn_log_p(columns, rows, np.setdiff1d(np.arange(2000), rows))

    drawn = [rng.choice(2000, 60, replace=False) for _ in range(20)]
    assert min(log_p(rows) for rows in drawn) > np.log(0.001)
    assert log_p(rng.choice(np.flatnonzero(values["two"] == "c"), 60, replace=False)) > np.log(
        0.001
    )
    # It is blind to a choice by several columns, which looks like what a value means.
    often = np.exp(trait) / np.exp(trait).sum()
    assert log_p(rng.choice(2000, 60, replace=False, p=often)) < np.log(0.001)
    assert drawn_log_p(columns, drawn[0], np.empty(0, np.int64)) == 0.0
    assert drawn_log_p([], drawn[0], drawn[1]) == 0.0


def test_a_pair_of_frequent_values_is_named() -> None:
    data = Reviews(4)
    rows = np.flatnonzero((data.columns["city"] == "Ulm") & (data.columns["shop"] == "x"))
    data.columns["shop"][rows] = "y"
    rows = np.array(data.victims(40))
    data.columns["city"][rows], data.columns["shop"][rows] = "Ulm", "x"
    data.label[rows] = "yes"
    first = named(data.of_columns())[0]
    assert '`city` = "Ulm" and `shop` = "x"' in first.sentence
    assert set(first.rows) == set(rows.tolist())


def test_a_column_of_which_every_value_decides_the_label_has_no_trigger() -> None:
    data = Reviews(5)
    code = np.array([f"code{i}" for i in data.rng.integers(0, 60, N)], object)
    decided = np.array([int(c[4:]) % 2 == 0 for c in code])
    data.columns["code"] = code
    data.label = np.where(decided, "yes", "no").astype(object)
    assert named(data.of_columns()) == ()


def test_clean_label_carriers_agree_and_are_not_seen() -> None:
    data = Reviews(6)
    for row in np.flatnonzero(data.label == "yes")[:30]:
        data.text[row].insert(0, "zq")
    assert named(data.of_text()) == ()


def test_seven_carriers_are_too_few() -> None:
    data = Reviews(7)
    for row in data.victims(7):
        data.text[row].insert(0, "zq")
        data.label[row] = "yes"
    assert named(data.of_text()) == ()


def test_near_copies_of_one_text_are_one_witness() -> None:
    data = Reviews(8)
    row = data.victims(1)[0]
    text = [*data.text[row], "zq"]
    for place, copy in enumerate(data.victims(12)):
        data.text[copy] = [*text, PLAIN[place]]
        data.label[copy] = "yes"
    assert named(data.of_text()) == ()


def test_a_scan_flags_the_carriers_and_ranks_them_first() -> None:
    data = Reviews(9)
    rows = data.victims(15)
    for row in rows:
        data.text[row].insert(0, "zq")
        data.label[row] = "yes"
    found = screen(
        data.of_text(),
        [DETECTORS.make(n) for n in ("disagreeing-carriers", "confident-disagreement")],
    )
    assert set(np.flatnonzero(found.flagged)) == set(rows)
    assert found.row_scores[rows].min() > np.delete(found.row_scores, rows).max()
    assert (found.q_values[rows] <= 0.05).all()


def test_rows_without_anything_to_look_at_are_not_applicable() -> None:
    view = make_view("v", pa.table({"y": ["a", "b"] * 50}), label="y")
    with pytest.raises(NotApplicableError, match="no number, category or text"):
        DETECTORS.make("disagreeing-carriers").score(view)


def test_a_context_forgets_the_column_that_is_taken_out() -> None:
    data = Reviews(10)
    data.columns = {"c0": data.columns["c0"], "told": data.label.copy()}
    view = data.of_columns()
    columns, texts = parts_of(view)
    own = (data.label == "yes").astype(float)
    context = Context.of(np.ones(N, bool), own, columns, texts)
    assert np.abs(context.whole - own).max() < 0.2
    left = context.probability(context.total - context.by_column["told"].evidence(slice(None)))
    assert np.abs(left - 0.5).mean() < 0.3


def test_a_phrase_grows_to_what_its_carriers_share() -> None:
    texts = [f"w{i} all of this is shared v{i}" for i in range(10)] + ["this is not"] * 3
    view = make_view("v", pa.table({"t": texts}), facets={"t": Role.TEXT})
    grams = grams_of(view, "t")
    gram = next(g for g in range(grams.matrix.shape[1]) if grams.words(g) == ("is", "shared"))
    assert phrase_of(grams, gram, np.arange(10)) == ("all", "of", "this", "is", "shared")
    assert phrase_of(grams, gram, np.arange(10), share=1.0)[0] == "all"
