"""From the votes of an ensemble to a number of hostile units that cannot change the winner.

Pure arithmetic on scores; who learnt from whom is an incidence matrix. A certificate holds
for any behaviour of the hostile units: other rows, more rows, none, labels never seen. It
assumes what ``certified.SourceCertified`` enforces: a member depends on its own units (and
trusted rows) alone.

Classes compete by votes, then by their order. A label that only an attacker uses could
come first in that order, so every certificate also counts a newcomer that has no honest
vote and wins ties.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from credenza.core.catalog import Catalog
from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, Ints


class Scheme(Protocol):
    """How units make members, members make a winner, and what that is worth."""

    def incidence(self, units: int) -> Bools:
        """``(units, members)`` True where a member learns from a unit."""
        ...

    def elect(self, scores: Floats) -> Ints:
        """``(n,)`` winning classes.

        Args:
            scores: ``(members, n, classes)``, -inf for a class that a member does not
                know, and in all classes where it abstains.
        """
        ...

    def certify(self, scores: Floats) -> Ints:
        """``(n,)`` largest number of hostile units that cannot change the winner."""
        ...


@dataclass(frozen=True, slots=True)
class Partition:
    """One member per unit, majority of votes: k hostile units move a gap by at most 2k.

    Source:
        Levine & Feizi, arXiv:2006.14768 (DPA), with sources in place of rows.
    """

    def incidence(self, units: int) -> Bools:
        """Each member learns from one unit."""
        return np.eye(units, dtype=np.bool_)

    def elect(self, scores: Floats) -> Ints:
        """Most votes, then first in order."""
        return majority(scores)

    def certify(self, scores: Floats) -> Ints:
        """Half the least gap."""
        return dearest_units(scores, self.incidence(len(scores)))


@dataclass(frozen=True, slots=True)
class Finite:
    """Each member learns from ``spread`` units, each unit teaches ``spread`` members.

    Members learn from more rows and so are better; a hostile unit reaches more of them.
    Better than a partition for few hostile units, worse for many. With ``spread`` = 1 it
    is the partition.

    Args:
        spread: units per member, fewer than the units.

    Source:
        Wang et al., arXiv:2202.02628; which units share a member is a fixed ruler of
        offsets, in place of hashing.
    """

    spread: int = 2

    def incidence(self, units: int) -> Bools:
        """Member i learns from unit i and from units at growing distances after it."""
        if not 1 <= self.spread <= max(1, units // 2):
            raise UsageError(
                "bad-parameter",
                f"finite with a spread of {self.spread} over {units} units",
                why="a member learns from at least 1 and at most half of the units",
            )
        offsets = _ruler(self.spread, units)
        found = np.zeros((units, units), dtype=np.bool_)
        member = np.arange(units)
        for offset in offsets:
            found[(member + offset) % units, member] = True
        return found

    def elect(self, scores: Floats) -> Ints:
        """Most votes, then first in order."""
        return majority(scores)

    def certify(self, scores: Floats) -> Ints:
        """As many units as the dearest of them together cannot close the least gap."""
        return dearest_units(scores, self.incidence(len(scores)))


@dataclass(frozen=True, slots=True)
class Temporal:
    """Units are periods in order; members learn from ``span`` periods in a row.

    The certificate is a duration: an attack of k consecutive periods, by any number of
    sources, whenever it starts. It says nothing of an attacker who comes and goes.

    Args:
        span: periods per member.

    Source:
        Wang & Feizi, arXiv:2302.03684, duration certificates of temporal aggregation.
    """

    span: int = 1

    def incidence(self, units: int) -> Bools:
        """Member i learns from period i and the ``span`` - 1 before it."""
        if not 1 <= self.span <= units:
            raise UsageError(
                "bad-parameter", f"temporal with a span of {self.span} over {units} periods"
            )
        age = np.arange(units)[None, :] - np.arange(units)[:, None]
        return np.asarray((age >= 0) & (age < self.span), dtype=np.bool_)

    def elect(self, scores: Floats) -> Ints:
        """Most votes, then first in order."""
        return majority(scores)

    def certify(self, scores: Floats) -> Ints:
        """Length of the longest run of periods that cannot close any gap."""
        members, rows = len(scores), scores.shape[1]
        longest = np.full(rows, members, dtype=np.int64)
        for gap, reach in _contests(scores):
            total = np.concatenate([np.zeros((1, rows)), np.cumsum(reach, axis=0)])
            for length in range(members, 0, -1):
                # A run of `length` periods reaches `length + span - 1` members.
                end = np.minimum(np.arange(members) + length + self.span - 1, members)
                worst = (total[end] - total[:-1]).max(axis=0)
                longest = np.where(worst > gap, np.minimum(longest, length - 1), longest)
        return longest


@dataclass(frozen=True, slots=True)
class RunOff:
    """One member per unit; the two leaders by votes meet again, by every member's scores.

    The second round hears members whose favourite has left, so it wins by more. It needs
    scores, not labels alone.

    Source:
        Rezaei et al., arXiv:2302.02300 (DPA + ROE); the first-round bound in closed form.
    """

    def incidence(self, units: int) -> Bools:
        """Each member learns from one unit."""
        return np.eye(units, dtype=np.bool_)

    def elect(self, scores: Floats) -> Ints:
        """The winner of the second round."""
        return _run_off(scores)[0]

    def certify(self, scores: Floats) -> Ints:
        """One less than the cheapest way to keep the winner out or to beat it."""
        winner = _run_off(scores)[0]
        known = scores.shape[2]
        votes = np.concatenate([_tally(scores), np.zeros((scores.shape[1], 2))], axis=1)
        order = np.append(np.arange(known), [-1, -1])
        out = _cost_to_drop(votes, order, winner)
        lost = np.full(len(winner), np.iinfo(np.int64).max)
        for rival in range(known + 1):
            enter = _cost_to_enter(votes[:, : known + 1], order[: known + 1], winner, rival)
            beat = _cost_to_beat(scores, winner, rival)
            lost = np.where(winner == rival, lost, np.minimum(lost, np.maximum(enter, beat)))
        return np.asarray(np.maximum(np.minimum(out, lost) - 1, 0), dtype=np.int64)


SCHEMES: Catalog[Scheme] = Catalog(
    "scheme", {"finite": Finite, "partition": Partition, "run-off": RunOff, "temporal": Temporal}
)


def majority(scores: Floats) -> Ints:
    """``(n,)`` classes with the most first choices; ties go to the first in order."""
    return np.asarray(_tally(scores).argmax(axis=1), dtype=np.int64)


def dearest_units(scores: Floats, incidence: Bools) -> Ints:
    """``(n,)`` largest k such that the k most influential units cannot close any gap.

    Units that share a member are counted as if each could turn it, so the figure may be
    too small, never too large.
    """
    units = len(incidence)
    safe = np.full(scores.shape[1], units, dtype=np.int64)
    for gap, reach in _contests(scores):
        by_unit = incidence.astype(np.float64) @ reach
        worst = np.cumsum(-np.sort(-by_unit, axis=0), axis=0)
        safe = np.minimum(safe, (worst <= gap).sum(axis=0))
    return safe


def _contests(scores: Floats) -> list[tuple[Floats, Floats]]:
    """Per rival of the winner: the votes it lacks, and what each member could give it.

    Returns:
        Pairs of ``(n,)`` gaps, which the winner survives while they stay at least 0, and
        ``(members, n)`` most by which one member can lower the gap: 2 by turning from the
        winner, 1 from anyone else, 0 when it votes for the rival already.
    """
    first = _first_choice(scores)
    votes = _tally(scores)
    winner = votes.argmax(axis=1)
    best = votes.max(axis=1)
    for_winner = (first == winner[None, :]).astype(np.float64)
    found = []
    for rival in range(scores.shape[2]):
        gap = best - votes[:, rival] - (rival < winner)
        reach = 1 + for_winner - (first == rival)
        # The winner is no rival of itself: nothing it gains can unseat it.
        found.append((np.where(winner == rival, np.inf, gap), reach))
    found.append((best - 1.0, 1 + for_winner))
    return found


def _first_choice(scores: Floats) -> Ints:
    """``(members, n)`` best class of each member, -1 where it abstains."""
    known = np.isfinite(scores).any(axis=2)
    return np.where(known, scores.argmax(axis=2), -1)


def _tally(scores: Floats) -> Floats:
    """``(n, classes)`` first choices."""
    first = _first_choice(scores)
    counts = [(first == label).sum(axis=0) for label in range(scores.shape[2])]
    return np.stack(counts, axis=1).astype(np.float64)


def _run_off(scores: Floats) -> tuple[Ints, Ints]:
    """Winner of the second round, and the other class in it."""
    votes = _tally(scores)
    rows = np.arange(len(votes))
    leader = votes.argmax(axis=1)
    if votes.shape[1] == 1:
        return leader, leader
    others = votes.copy()
    others[rows, leader] = -1.0
    second = others.argmax(axis=1)
    low, high = np.minimum(leader, second), np.maximum(leader, second)
    margin = _margin(scores, low, high)
    return np.where(margin >= 0, low, high), np.where(margin >= 0, high, low)


def _margin(scores: Floats, one: Ints, other: Ints) -> Floats:
    """``(n,)`` members that prefer ``one`` minus those that prefer ``other``.

    A member that scores both alike prefers the one first in order; one that abstains
    prefers neither.
    """
    rows = np.arange(scores.shape[1])
    for_one, for_other = scores[:, rows, one], scores[:, rows, other]
    speaks = np.isfinite(scores).any(axis=2)
    prefers = (for_one > for_other) | ((for_one == for_other) & (one < other)[None, :])
    return np.asarray(np.where(speaks, np.where(prefers, 1.0, -1.0), 0.0).sum(axis=0))


def _cost_to_drop(votes: Floats, order: Ints, winner: Ints) -> Ints:
    """Members to turn so that two classes overtake ``winner`` in the first round.

    Each lowers one gap by at most 2 and two gaps together by at most 3.
    """
    rows = np.arange(len(votes))
    gaps = votes[rows, winner][:, None] - votes + (winner[:, None] < order[None, :])
    gaps[rows, winner] = np.inf
    two = np.maximum(np.sort(gaps, axis=1)[:, :2], 0.0)
    cost = np.maximum(np.ceil(two[:, 1] / 2), np.ceil(two.sum(axis=1) / 3))
    return np.asarray(cost, dtype=np.int64)


def _cost_to_enter(votes: Floats, order: Ints, winner: Ints, rival: int) -> Ints:
    """Members to turn so that ``rival`` overtakes every class but ``winner``."""
    rows = np.arange(len(votes))
    gaps = votes - votes[:, [rival]] + (order[None, :] < order[rival])
    gaps[rows, winner] = 0.0
    gaps[:, rival] = 0.0
    return np.asarray(np.ceil(np.maximum(gaps.max(axis=1), 0.0) / 2), dtype=np.int64)


def _cost_to_beat(scores: Floats, winner: Ints, rival: int) -> Ints:
    """Members to turn so that ``rival`` beats ``winner`` in the second round."""
    if rival < scores.shape[2]:
        margin = _margin(scores, winner, np.full_like(winner, rival)) + (winner < rival)
    else:
        # The newcomer: preferred where the winner's class was never learnt.
        rows = np.arange(scores.shape[1])
        speaks = np.isfinite(scores).any(axis=2)
        knows = np.isfinite(scores[:, rows, winner])
        margin = np.where(speaks, np.where(knows, 1.0, -1.0), 0.0).sum(axis=0)
    return np.asarray(np.ceil(np.maximum(margin, 0.0) / 2), dtype=np.int64)


def _ruler(marks: int, units: int) -> list[int]:
    """Offsets whose differences repeat as little as a greedy choice can make them."""
    chosen = [0]
    seen: set[int] = set()
    while len(chosen) < marks:
        options = [mark for mark in range(1, units) if mark not in chosen]
        costs = [
            sum((mark - old) % units in seen or (old - mark) % units in seen for old in chosen)
            for mark in options
        ]
        mark = options[int(np.argmin(costs))]
        seen |= {(mark - old) % units for old in chosen} | {(old - mark) % units for old in chosen}
        chosen.append(mark)
    return chosen
