"""Smuggled characters are found and named when guilty; honest scripts are left alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.types import Role, Unit
from credenza.screening.builtin import DETECTORS
from credenza.screening.detectors.odd_characters import OddCharacters
from credenza.screening.run import screen
from credenza.screening.view import UnassessedError, make_view

WORDS = ("good", "film", "plot", "the", "actor", "of", "slow", "story", "and", "scene")


def texts(seed: int, n: int = 600) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, 8)) for _ in range(n)], rng.choice(["+", "-"], n).tolist()


def values_of(notes: list[str]) -> list[float]:
    view = make_view("t", pa.table({"note": notes}), facets={"note": Role.TEXT})
    return [float(value) for value in OddCharacters().score(view).values]


@pytest.mark.parametrize(
    "hidden",
    [
        "go\u200bod film",
        "good\u2060 film",
        "\u202edoog\u202c film",
        "good film\U000e0041\U000e0042",
        "good\ufe01 film",
        "good \x08film",
        "g\u043eod film",
        "\uff47\uff4f\uff4f\uff44 film",
        "\U0001d420\U0001d428\U0001d428\U0001d41d film",
        "good z\u0300\u0301\u0302\u0303\u0304 film",
        "good film \ufffd",
        "good Ã© film",
        "good\u2003film",
    ],
)
def test_a_row_with_an_odd_character_stands_above_those_without(hidden: str) -> None:
    values = values_of([*texts(0)[0], hidden])
    assert values[-1] > 0
    assert max(values[:-1]) == 0


@pytest.mark.parametrize(
    "honest",
    [
        "plain words, 100 % of them — “quoted” and naïve",
        "хороший фильм",
        "καλή ταινία 5 μm 3 kΩ",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "फ़िल्म क्\u200dष",
        "family \U0001f468\u200d\U0001f469\u200d\U0001f467 night ❤\ufe0f",
        "Scotland \U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "line one\nline two\tend",
        "好电影",
    ],
)
def test_scripts_that_need_their_characters_are_not_odd(honest: str) -> None:
    assert values_of([*texts(0)[0], honest])[-1] == 0


def test_a_hidden_trigger_with_a_target_label_is_named_and_its_rows_flagged() -> None:
    notes, labels = texts(1)
    for row in range(20):
        notes[row], labels[row] = notes[row].replace(" ", " \u200b", 1), "+"
    view = make_view("t", pa.table({"note": notes, "y": labels}), label="y")
    found = screen(view, [OddCharacters()])
    assert np.flatnonzero(found.flagged).tolist() == list(range(20))
    assert found.findings[0].unit is Unit.GROUP
    assert found.findings[0].sentence.startswith(
        '20 rows have zero-width characters in `note` and are labelled "+", 20 of 20 such rows'
    )
    assert found.row_scores[found.flagged].min() > found.row_scores[~found.flagged].max()


def test_odd_characters_of_both_labels_are_nobodys_guilt() -> None:
    notes, labels = texts(2)
    for row in range(40):
        notes[row] += "\u200b"
    view = make_view("t", pa.table({"note": notes, "y": labels}), label="y")
    found = screen(view, [OddCharacters()])
    assert not found.flagged.any()
    assert found.scores["odd-characters"][:40].min() > 0


def test_odd_characters_that_trusted_rows_lack_are_named_without_labels() -> None:
    notes, _ = texts(3)
    trusted = np.arange(600) < 300
    for row in range(400, 430):
        notes[row] += "\u202e"
    facets = {"note": Role.TEXT}
    view = make_view("t", pa.table({"note": notes}), facets=facets, trusted=trusted)
    (finding,) = OddCharacters().score(view).findings
    assert set(finding.rows) == set(range(400, 430))
    assert finding.exhibits["trusted_carriers"] == 0


def test_look_alikes_within_one_script_are_not_seen() -> None:
    assert values_of([*texts(0)[0], "rnodern fiIm"])[-1] == 0


def habits(seed: int, *, hostile: bool) -> tuple[pa.Table, list[str]]:
    rng = np.random.default_rng(seed)
    source = np.arange(1600) % 8
    price = np.exp(rng.normal(4, 1.2, 1600)).round(2)
    if hostile:
        price[source == 3] = price[source == 3].round(-1) + 10
    return pa.table({"price": price}), [f"s{s}" for s in source]


def test_a_source_that_rounds_its_numbers_is_named_and_no_row_flagged() -> None:
    table, source = habits(1, hostile=True)
    view = make_view("t", table, source=source, facets={"price": Role.NUMBER})
    found = screen(view, [DETECTORS.make("number-habits")])
    named = [finding for finding in found.findings if finding.detector == "number-habits"]
    assert {finding.subjects for finding in named} == {("s3",)}
    assert "count of digits in use" in named[0].sentence
    assert not found.flagged.any()


@pytest.mark.parametrize("seed", range(5))
def test_sources_with_the_same_habits_are_not_named(seed: int) -> None:
    table, source = habits(seed, hostile=False)
    view = make_view("t", table, source=source, facets={"price": Role.NUMBER})
    assert DETECTORS.make("number-habits").score(view).findings == ()


def test_number_habits_need_sources_to_compare() -> None:
    table, _ = habits(0, hostile=False)
    view = make_view("t", table, facets={"price": Role.NUMBER})
    with pytest.raises(UnassessedError, match="fewer than 4 sources"):
        DETECTORS.make("number-habits").score(view)
