"""The same thing in rows of several independent sources that others do not send."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import bdtrc

from credenza.campaigns import shared
from credenza.campaigns.self_calibrate import LEAST_WINDOWS, TAIL_WINDOWS
from credenza.core.types import Campaign

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from credenza.core.types import Bools, Floats, Ints, Role, Strings

LEAST_UNITS = 3
CANDIDATES = 250
MOST_PAYLOADS = 5
SAME_ROWS = 0.5
CONTRADICTED_P = 1e-4
MEMBER_U = 6.9
"""Nats: one honest source in a thousand bears a mark as often by chance."""
ROW_U = 3.0
"""Nats: a tenth row from a source, where one in two thousand is expected of a thousand."""
SUPPOSED = 4
"""Windows beside the accepted ones in which honest sources sent something alike."""
SAME_MARKS = 0.5
MISFIT = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Senders:
    """Who sent the rows.

    Attributes:
        source: ``(n,)`` source id of each row of the window.
        familiar: ``(m,)`` source id of each familiar row.
        epoch: ``(m,)`` part of the past each stands for, such as 0 for vouched-for rows and
            1 for those of the window before: whatever was usual in one of them is usual.
        groups: declared group by source; sources of one group are one unit.
    """

    source: Strings
    familiar: Strings
    epoch: Ints
    groups: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Expectation:
    """What the labels of a window should be.

    Attributes:
        classes: label values, in the order of the columns of ``expected``.
        expected: ``(n, len(classes))`` probabilities by a model of trusted rows.
    """

    classes: tuple[str, ...]
    expected: Floats


@dataclass(frozen=True, slots=True)
class Payload:
    """One shared payload.

    Attributes:
        mark: what its rows have in common, in words, the same in every window.
        rows: positions in the window of the rows that bear it, in the sources of the claim.
        campaign: the claim.
    """

    mark: str
    rows: tuple[int, ...]
    campaign: Campaign


@dataclass(frozen=True, slots=True)
class PayloadScan:
    """What the rows of a window share.

    Attributes:
        top: the largest score of a mark that two units bear alike, whether or not it is a
            payload: what later windows are compared with.
        p_value: of ``top``.
    """

    payloads: tuple[Payload, ...]
    top: float
    p_value: float


NOTHING = PayloadScan((), 0.0, 1.0)


def find_payloads(
    window: pa.Table,
    familiar: pa.Table,
    senders: Senders,
    *,
    facets: Mapping[str, Role],
    label: str = "",
    expectation: Expectation | None = None,
    known: frozenset[str] = frozenset(),
    history: Sequence[float] = (),
    rate: float = 0.01,
    name: str = "",
    seed: int = 0,
) -> PayloadScan:
    """Find what a few independent sources send and the others do not.

    Every mark (``marks_of``) that at least 4 rows bear, at most 5 % of them, and that is
    three times as frequent as among familiar rows, is scored by ``shared.rank``: how
    improbable are its rows in k units at the rate of all others. What is popular raises
    that rate, so retweets and standard rows score little.

    The score must pass two yardsticks. Senders are permuted over the rows: that is chance.
    And once there are 10 accepted windows, its tail is compared with their largest scores:
    that is the habit of honest sources to repeat themselves, and to begin the same thing in
    one week, which no permutation of one window knows.

    Of the sources in the claim, those count whose own rows are improbable: one in a thousand.
    They are *named* where the labels of their rows contradict the expectation; without
    that they are suspected, since honest novelties are shared too and a person must look.
    Copies of one row are one piece of evidence about labels.

    Blind to what one unit sends alone, to what more than half of all units send, to marks
    that were frequent before, to rows that share no mark, and to a mark that each sender
    puts into copies of a row of its own.

    Args:
        window: rows under test.
        familiar: trusted rows with the same columns; may be empty.
        senders: of both; fewer than 3 units are never judged.
        facets: role of each column.
        label: the label's column, or "".
        expectation: None where there is no model; nobody is named then.
        known: marks that a person admitted before; they are left out.
        history: largest scores of accepted windows.
        rate: false payloads per window that are accepted, at least 1/200.
        name: the window's start, for the claims.
        seed: of the permutations.

    Complexity:
        One count of all marks; each of at most 199 draws counts again only the new ones,
        at most 2 million entries. An ordinary window is not drawn at all, or a few times.
    """
    units = _units(senders)
    if (units.rows > 0).sum() < LEAST_UNITS:
        return NOTHING
    counted = shared.count(window, familiar, facets, label)
    ranking = shared.rank(counted, units)
    best = np.argsort(-ranking.score, kind="stable")[:CANDIDATES]
    words = {int(mark): counted.describe(int(mark)) for mark in best if ranking.score[mark] > 0}
    new = [mark for mark, said in words.items() if said not in known]
    if not new:
        return NOTHING

    shown = list(islice(_told_once(counted, units, senders, ranking, new), MOST_PAYLOADS))
    if not shown:
        return NOTHING
    top = float(ranking.score[shown[0][0]])
    drawn = shared.draw(counted, units, top, np.random.default_rng(seed))

    def p_value(score: float) -> float:
        return max(shared.chance(drawn, score), _habit_p(history, score))

    found: list[Payload] = []
    for mark, members in shown:
        score = float(ranking.score[mark])
        claim = _Claim(words[mark], score, p_value(score), len(history), name)
        if claim.p_value <= rate:
            found.append(_payload(claim, members, _labels(window, members, label, expectation)))
    return PayloadScan(tuple(found), top, p_value(top))


def _told_once(
    counted: shared.Counted,
    units: shared.Units,
    senders: Senders,
    ranking: shared.Ranking,
    marks: Iterable[int],
) -> Iterator[tuple[int, dict[str, _Member]]]:
    """Marks of two units and more that are not, in other words, one that came before."""
    taken = np.zeros(len(units.of), dtype=bool)
    for mark in marks:
        rates = shared.expected_rates(counted, units, ranking, mark)
        members = _members(counted, units, senders, mark, rates)
        if len({int(units.of[own.rows[0]]) for own in members.values()}) < 2:
            continue
        bearers = _bearers(members)
        if taken[bearers].mean() < SAME_ROWS:
            taken[bearers] = True
            yield mark, members


def _bearers(members: Mapping[str, _Member]) -> Ints:
    """Their rows that bear the mark, in order."""
    return np.sort(np.concatenate([own.rows for own in members.values()]))


@dataclass(frozen=True, slots=True)
class _Claim:
    """What is known of a payload before its senders are asked."""

    mark: str
    score: float
    p_value: float
    history: int
    window: str


@dataclass(frozen=True, slots=True, eq=False)
class _Member:
    """A source whose own rows are improbable.

    Attributes:
        rows: ``(r,)`` those that bear the mark.
        sent: how many rows it sent in all.
        usual: the rate that it was held against.
        u: nats.
    """

    rows: Ints
    sent: int
    usual: float
    u: float


def unit_of(source: Strings, groups: Mapping[str, str]) -> Ints:
    """``(n,)`` a number for each group and for each source without one."""
    sources, place = np.unique(source.astype(str), return_inverse=True)
    own = [groups.get(name) or f"\0{name}" for name in sources.tolist()]
    _, unit = np.unique(np.array(own, dtype=object).astype(str), return_inverse=True)
    return np.asarray(unit[place], dtype=np.int64)


def _units(senders: Senders) -> shared.Units:
    n = len(senders.source)
    of = unit_of(np.concatenate([senders.source, senders.familiar]), senders.groups)
    width, epochs = int(of.max(initial=-1)) + 1, int(senders.epoch.max(initial=0)) + 1
    joint = senders.epoch * width + of[n:]
    known = np.bincount(joint, minlength=epochs * width).reshape(epochs, width)
    rows = np.bincount(of[:n], minlength=width)
    return shared.Units(of[:n], of[n:], senders.epoch, rows.astype(float), known.astype(float))


def _habit_p(history: Sequence[float], score: float) -> float:
    """Against the largest scores of accepted windows; 0 while there are too few.

    Their upper tail is taken for exponential, with the predictive chance. What two honest
    sources send alike by coincidence comes in bursts that a short history has not seen, so
    the tail is never narrower than what one row is worth, and some windows are supposed
    that exceed the usual by that.
    """
    if len(history) < LEAST_WINDOWS:
        return 0.0
    past = np.sort(np.asarray(history, dtype=np.float64))
    usual = float(past[-1 - min(len(past) // 2, TAIL_WINDOWS)])
    over = past[past > usual] - usual
    if score <= usual:
        return float((1 + np.sum(past >= score)) / (len(past) + 1))
    told = len(over) + SUPPOSED
    worth = max(float(over.sum()), ROW_U * len(over)) + ROW_U * SUPPOSED
    return (len(over) + 1) / (len(past) + 1) * (1 + (score - usual) / worth) ** -told


def _members(
    counted: shared.Counted, units: shared.Units, senders: Senders, mark: int, rates: Floats
) -> dict[str, _Member]:
    """Sources that stand out by themselves: the best claim may have taken in bystanders."""
    source = senders.source.astype(str)
    bearers = np.sort(counted.bearers(mark))
    found = {}
    for name in np.unique(source[bearers]).tolist():
        rows = bearers[source[bearers] == name]
        sent, rate = int((source == name).sum()), float(rates[units.of[rows[0]]])
        u = float(shared.excess(np.array([len(rows)]), np.array([sent * rate]))[0])
        if len(rows) >= shared.LEAST_ROWS and u >= MEMBER_U:
            found[name] = _Member(rows, sent, rate, u)
    return _sent_alike(counted, found, source, mark)


def _sent_alike(
    counted: shared.Counted, members: Mapping[str, _Member], source: Strings, mark: int
) -> dict[str, _Member]:
    """Those whose rows have much in common with what those of the others have.

    A source that repeats one row of its own bears all marks of it, and another one may bear
    one of these by coincidence: two words, not a payload. So what most of a source's rows
    have in common must mostly be what another's have. And an honest source may send one half
    of what the others combine: of what most members have in common it must bear most, too.
    """
    common = {
        name: np.union1d(_common(counted, own.rows, source == name), [mark])
        for name, own in members.items()
    }
    marks, bearers = np.unique(np.concatenate([*common.values(), []]), return_counts=True)
    core = marks[2 * bearers > len(members)]

    def is_alike(name: str) -> bool:
        own = common[name]
        others = [marks for other, marks in common.items() if other != name]
        known = any(np.isin(own, marks).mean() >= SAME_MARKS for marks in others)
        return known and np.isin(core, own).mean() >= SAME_MARKS

    return {name: own for name, own in members.items() if is_alike(name)}


def _common(counted: shared.Counted, rows: Ints, sent: Bools) -> Ints:
    """Marks that more than half of ``rows`` bear, of all that their source ``sent``.

    With a value that most of a source's rows have, any other makes a pair: no mark of its own.
    """
    marks, bearers = np.unique(counted.marks[np.isin(counted.rows, rows)], return_counts=True)
    own = np.bincount(counted.levels[sent[counted.level_rows]], minlength=1)
    usual = np.flatnonzero(2 * own > sent.sum())
    marks = marks[2 * bearers > len(rows)]
    return np.asarray(marks[~np.isin(counted.halves[marks], usual).any(axis=1)])


def _payload(
    claim: _Claim, members: Mapping[str, _Member], labels: Mapping[str, object]
) -> Payload:
    is_named = float(str(labels.get("p_value", 1.0))) <= CONTRADICTED_P
    sources = {
        name: {
            "before": own.usual,
            "after": len(own.rows) / own.sent,
            "rows": len(own.rows),
            "deviation": float(np.sqrt(2 * own.u)),
            "named": is_named,
        }
        for name, own in members.items()
    }
    who, bearers = tuple(members), _bearers(members)
    evidence = {
        "mark": claim.mark,
        "rows": len(bearers),
        "labels": labels,
        "sources": sources,
        "score": claim.score,
        "score_without": _without_each(members),
        "history_windows": claim.history,
    }
    campaign = Campaign(
        sources=who if is_named else (),
        suspected=() if is_named else who,
        batches=(),
        statistic=f"rows where {claim.mark}",
        direction="up",
        window=claim.window,
        p_value=claim.p_value,
        removed_common_cause=0.0,
        evidence=evidence,
    )
    return Payload(claim.mark, tuple(bearers.tolist()), campaign)


def _without_each(members: Mapping[str, _Member]) -> dict[str, float]:
    """The evidence that is left without a source and without the strongest of the others."""
    u = np.array([own.u for own in members.values()])
    rest = (np.delete(u, place) for place in range(len(u)))
    return {
        name: float(own.sum() - own.max(initial=0.0))
        for name, own in zip(members, rest, strict=True)
    }


def _labels(
    window: pa.Table,
    members: Mapping[str, _Member],
    label: str,
    expectation: Expectation | None,
) -> dict[str, object]:
    """The commonest label of the bearers, its share, the share expected, and the chance."""
    if not label:
        return {}
    bearers = _bearers(members)
    own = np.array([str(value) for value in window.column(label).take(bearers).to_pylist()])
    values, counts = np.unique(own, return_counts=True)
    common = str(values[int(np.argmax(counts))])
    said: dict[str, object] = {"label": common, "share": float(counts.max() / len(own))}
    if expectation is None or common not in expectation.classes:
        return said
    p = expectation.expected[bearers, expectation.classes.index(common)]
    # Copies say the same of their label: one piece of evidence.
    _, once = np.unique(np.round(expectation.expected[bearers], 6), axis=0, return_index=True)
    usual = min(1.0, float(p[once].mean()) + MISFIT)
    agree = int((own[once] == common).sum())
    said |= {"expected": float(p.mean()), "distinct": len(once)}
    chance = float(bdtrc(agree - 1, len(once), usual)) if agree else 1.0
    return said | {"p_value": chance}
