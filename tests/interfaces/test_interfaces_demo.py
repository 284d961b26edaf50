"""The demo's own books, its season on a small panel, and the page it leaves."""

from __future__ import annotations

import dataclasses
import io
import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.types import Campaign, Outcome, Reason, Release, Verdict
from credenza.interfaces.cli.terminal import Screen
from credenza.interfaces.demo.books import Books, Sent
from credenza.interfaces.demo.narrate import Narrator
from credenza.interfaces.demo.report import headline, render
from credenza.interfaces.demo.season import Script
from credenza.interfaces.demo.tale import Chart, Clue, Tale, Trio, Week
from credenza.redteam import feeds as flights

if TYPE_CHECKING:
    from collections.abc import Sequence

EVIL = "\x1b[2J<script>alert(1)</script>\u202e$x_{1}$"
VOUCHED = (Reason("vouched", Outcome.ADMIT, "a steward answers for it"),)


def verdict(
    batch: str,
    outcome: Outcome,
    rows: Sequence[int] = (),
    reasons: tuple[Reason, ...] = (),
) -> Verdict:
    return Verdict(batch, outcome, reasons, "policy", tuple(rows))


def sent(week: int, poison: Sequence[bool], *, hostile: bool = False) -> Sent:
    return Sent("aa-jfk", week, np.array(poison, dtype=np.bool_), hostile)


def books() -> Books:
    found = Books()
    found.sent("old", sent(0, [False] * 4))
    found.sent("good", sent(1, [False] * 4))
    found.sent("bad", sent(1, [True, False, False, False], hostile=True))
    found.sent("worse", sent(2, [True, True, False, False], hostile=True))
    found.judged([verdict("old", Outcome.ADMIT, reasons=VOUCHED)])
    found.judged([verdict("good", Outcome.ADMIT, [3]), verdict("bad", Outcome.ADMIT, [1])])
    found.judged([verdict("worse", Outcome.QUARANTINE)])
    return found


def test_honest_rows_are_those_of_judged_batches_that_nobody_poisoned() -> None:
    assert books().honest_rows_held_share() == 1 / 4


def test_poison_in_an_admitted_batch_counts_unless_its_row_was_kept_out() -> None:
    assert books().poison_rows_admitted_share(None) == 1 / 3
    assert books().poison_rows_admitted_share(2) == 0.0


def test_without_poison_its_share_is_unknown_and_not_zero() -> None:
    assert books().poison_rows_admitted_share(40) is None


def test_a_week_counts_batches_rows_and_rows_kept_out() -> None:
    assert books().week(1, "2013-01-08") == Week(
        number=2,
        start="2013-01-08",
        vouched=False,
        batches={"admit": 2},
        rows=8,
        rows_out=2,
        hostile=1,
    )
    assert books().week(0, "2013-01-01").vouched
    assert books().week(2, "2013-01-15").rows_out == 4


def flown(rows: int) -> pa.Table:
    columns = {name: [1] * rows for name in flights.FACETS if name != flights.LABEL}
    return pa.table({**columns, "hour": [20] * rows, flights.LABEL: ["yes"] * rows})


def test_only_attackers_act_only_from_their_week_on_and_the_same_seed_repeats() -> None:
    weekly = {feed: {week: flown(40) for week in (30, 31)} for feed in ("aa-jfk", "ua-ewr")}
    attack = flights.flights_attack("label-flip", share=0.5)
    script = Script(weekly, attack, ("ua-ewr",), 31, 3)
    assert not script.rows("aa-jfk", 31)[1].any()
    assert not script.rows("ua-ewr", 30)[1].any()
    rows, poison, hostile = script.rows("ua-ewr", 31)
    assert hostile
    assert poison.sum() == 20
    assert rows.equals(script.rows("ua-ewr", 31)[0])
    assert weekly["ua-ewr"][31].equals(flown(40))


def tale(**changes: object) -> Tale:
    """A whole tale in which every foreign word is hostile."""
    campaign = Campaign(
        (EVIL,),
        ("ua-ewr",),
        (),
        EVIL,
        "up",
        "2013-01-08",
        0.01,
        0.4,
        {
            "sources": {EVIL: {"before": "0.1", "after": "0.5", "deviation": "6.0"}},
            "score_without": {EVIL: "2.5"},
            "score": 9.0,
            "history_windows": 20,
        },
    )
    week = Week(2, "2013-01-08", vouched=False, batches={"admit": 1}, rows=4, rows_out=1, hostile=1)
    plain = Tale(
        attack="label-flip",
        seed=0,
        feeds=(EVIL, "ua-ewr", "aa-jfk"),
        batches=3,
        rows=12,
        attackers=(EVIL, "ua-ewr"),
        named=(EVIL,),
        suspected=("ua-ewr",),
        first_attack_week=2,
        caught_week=2,
        honest_rows_held_share=0.01,
        poison_rows_admitted_share=0.0,
        accuracy=Trio(0.9, 0.8, 0.89),
        attack_success=Trio(0.1, 0.9, 0.12),
        release=Release("ab" * 32, EVIL, 1, (), 12, ("cd" * 32,), "ef" * 32),
        verified=True,
        tampered_refused=True,
        refusal=EVIL,
        rolled_back_to=1,
        entries=9,
        audited=True,
        seconds={"submit": 1.0},
        home=EVIL,
        weeks=(week,),
        campaign=campaign,
        chart=Chart(EVIL, ("2013-01-08",), {EVIL: (6.0,), "aa-jfk": (0.0,)}),
        clues=(Clue(2, EVIL, 7, EVIL),),
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]  # fields by name


def test_hostile_names_are_shown_and_do_nothing_in_the_report() -> None:
    page = render(tale())
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "\\x1b[2J" in page


def test_the_report_asks_nobody_for_anything() -> None:
    page = render(tale())
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    sources = re.findall(r"""(?:src|href|action)\s*=\s*["']?([^"'\s>]+)""", page)
    assert len(sources) == 3
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)


def test_a_tale_without_attack_campaign_or_chart_is_a_whole_page() -> None:
    quiet = tale(
        attack="none",
        attackers=(),
        named=(),
        suspected=(),
        first_attack_week=None,
        caught_week=None,
        poison_rows_admitted_share=None,
        attack_success=Trio(),
        campaign=None,
        chart=None,
        clues=(),
    )
    page = render(quiet)
    assert "Nobody attacked, and none of 3 feeds was named." in page
    assert "None" not in page


def test_headlines_say_what_the_figures_say() -> None:
    assert headline(tale()) == (
        "2 of 3 feeds acted together. The gate caught it in its first week and named 1 of them. "
        "It named no honest feed."
    )
    assert "in week 3 of the attack" in headline(tale(caught_week=4))
    assert "It also named 1 honest" in headline(tale(named=(EVIL, "aa-jfk")))
    assert "did not see it" in headline(tale(caught_week=None, named=()))
    assert "1 feeds were named all the same" in headline(tale(attackers=(), caught_week=None))


def test_the_summary_has_exactly_the_promised_fields() -> None:
    summary = tale().summary()
    assert list(summary) == [
        "schema",
        "feeds",
        "batches",
        "rows",
        "attackers",
        "named",
        "suspected",
        "first_attack_week",
        "caught_week",
        "honest_rows_held_share",
        "poison_rows_admitted_share",
        "accuracy",
        "attack_success",
        "release",
        "ledger",
        "seconds",
    ]
    assert summary["accuracy"] == {"clean": 0.9, "undefended": 0.8, "gated": 0.89}
    assert summary["release"] == {
        "digest": "ab" * 32,
        "verified": True,
        "tampered_refused": True,
    }


def test_the_narrator_tells_the_campaign_once_and_then_only_who_is_new() -> None:
    page = io.StringIO()
    campaign = tale().campaign
    assert campaign is not None
    with Narrator(Screen(page), 2) as narrator:
        narrator.campaign(campaign, 2)
        first = page.getvalue()
        narrator.campaign(campaign, 3)
        assert page.getvalue() == first
        narrator.campaign(dataclasses.replace(campaign, sources=("dl-jfk",)), 4)
    assert "named: \\x1b[2J<script>" in first
    assert "\x1b" not in page.getvalue()
    assert "names dl-jfk too" in page.getvalue()


@pytest.mark.parametrize("outcome", ["admit", "hold", "quarantine", "reject"])
def test_every_outcome_has_a_word_in_a_week_s_line(outcome: str) -> None:
    page = io.StringIO()
    week = Week(
        30, "2013-07-30", vouched=False, batches={outcome: 3}, rows=9, rows_out=1, hostile=0
    )
    with Narrator(Screen(page), 1) as narrator:
        narrator.week(week)
    assert re.search(r"week 30 .* 3 (admitted|held|quarantined|rejected), 1 row", page.getvalue())
