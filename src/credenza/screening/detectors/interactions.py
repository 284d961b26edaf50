"""Shilling: accounts with made-up profiles that push or nuke an item together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.text import quote
from credenza.core.types import Finding, Role, Scores, Unit
from credenza.screening.detectors.item_scan import Cohort, ranks, scan_items
from credenza.screening.features.interactions import Interactions, interactions_of
from credenza.screening.features.tastes import OF_CHOICES, suspicions
from credenza.screening.view import UnassessedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.types import Bools, Floats, Ints, View

LEAST_USERS = 50
LEAST_ITEMS = 20
LEAST_MEMBERS = 3
SHOWN_USERS = 20


@dataclass(frozen=True, slots=True)
class ShillingCohorts:
    """Names the item that suspicious users share, then the users behind it.

    A made-up profile is a weak sign: of the 1 % of users least like the others most are
    honest. But honest odd users do not meet at one item with one rating, and accomplices
    must. So each item, rating and 48 hours is asked whether too many of its users are
    suspicious by one of three signs of choices (``features.tastes``), against a binomial and
    against how fast this data's own items fall off. Of the users of a named item those are
    named who are too suspicious to be its honest ones. All rows of a user get the same
    score. Times are not needed, but without them accomplices who push a popular item
    drown among its honest users.

    Blind to profiles copied from real users and to accounts of fewer than five items; to
    fewer than three accomplices; to a target that hundreds of honest users rate alike
    within the same days; and to attacks by a tenth of all users, who are a taste of
    their own.

    Attributes:
        fdr: chance to name any cohort in honest data, and expected share of honest users
            among the members of one.
        max_findings: cohorts named at most.

    Complexity:
        O(t · (128 + log t)) for t interactions, and the neighbour graph of the users.

    Source:
        Mehta and Nejdl 2009; Chirita et al. 2005; Mobasher et al. 2007; Zhang et al. 2006
        (windows). The scan for the item that suspicious users share is ours.
    """

    fdr: float = 0.05
    max_findings: int = 20

    @property
    def name(self) -> str:
        """The detector's name."""
        return "interactions"

    @property
    def needs(self) -> frozenset[Role]:
        """A user and an item; rating and time are read when there are any."""
        return frozenset({Role.USER, Role.ITEM})

    def score(self, view: View) -> Scores:
        """-log10 p of each row's user: as a member of a cohort, or by the best of the signs.

        Raises:
            UnassessedError: there are fewer than 50 users or 20 items.
        """
        found = interactions_of(view)
        if len(found.users) < LEAST_USERS or len(found.items) < LEAST_ITEMS:
            raise UnassessedError(
                f"{len(found.users)} users and {len(found.items)} items are too few "
                f"to tell made-up profiles: {LEAST_USERS} and {LEAST_ITEMS} are needed"
            )
        signs = suspicions(found)
        named = self._name(found, ~view.trusted[found.rows], signs)
        usual = np.min([ranks(suspicion) for suspicion in signs.values()], axis=0)
        by_user = -np.log10(np.minimum(usual * len(signs), 1.0))
        findings = []
        for cohort, members, log_p in named:
            # The most suspicious member first; no p-value gets smaller than the cohort's.
            own = -log_p / np.log(10) * (1.0 - ranks(signs[cohort.sign])[members])
            by_user[members] = np.maximum(by_user[members], own)
            findings.append(self._finding(view, found, cohort, members, log_p))
        values = np.zeros(view.table.num_rows)
        values[found.rows] = by_user[found.user]
        return Scores(values, tuple(findings[: self.max_findings]), is_evidence=True)

    def _name(
        self, found: Interactions, tested: Bools, signs: Mapping[str, Floats]
    ) -> list[tuple[Cohort, Ints, float]]:
        """Cohorts with their members, the strongest first, each user in one only."""
        scans = [scan_items(found, tested, sign, signs[sign]) for sign in OF_CHOICES]
        rank = {sign: ranks(signs[sign]) for sign in OF_CHOICES}
        # Bonferroni: an attack is rejected at hundreds of items, which would carry others
        # along in any procedure that controls a share of false rejections.
        raw = np.log(self.fdr / max(sum(scan.count for scan in scans), 1))
        own = np.log(self.fdr / max(sum(int(scan.carried.sum()) for scan in scans), 1))
        tempered = np.stack([scan.temper(scan.best) for scan in scans])
        best = np.stack([scan.best for scan in scans])
        guilty = np.flatnonzero((best <= raw) & (tempered <= own))
        claimed = np.zeros(len(found.users), dtype=bool)
        named = []
        for at in guilty[np.argsort(tempered.ravel()[guilty], kind="stable")]:
            scan, item = divmod(int(at), len(found.items))
            whole = scans[scan].cohorts[item]
            cohort = whole.without(found, claimed, rank[whole.sign])
            log_p = float(scans[scan].temper(np.array([cohort.log_p]))[0])
            members = self._members(found, cohort, rank[cohort.sign])
            # A circle that leans to one side is not a cohort: most of its excess stays unnamed.
            enough = max(LEAST_MEMBERS, (cohort.hits - cohort.share * len(cohort.within)) / 2)
            if len(members) >= enough and cohort.log_p <= raw and log_p <= own:
                claimed[members] = True
                named.append((cohort, members, log_p))
        return named

    def _members(self, found: Interactions, cohort: Cohort, rank: Floats) -> Ints:
        """The most suspicious of a cohort, as long as few honest ones are among them.

        The users beyond the cohort's level are taken for honest and foretell how many
        honest ones lie before any rank (Storey 2002).
        """
        users = found.user[cohort.within]
        users = users[np.argsort(rank[users], kind="stable")]
        honest = (len(users) - cohort.hits) / (1.0 - cohort.share)
        few = honest * rank[users] <= self.fdr * np.arange(1, len(users) + 1)
        return users[: np.flatnonzero(few)[-1] + 1] if few.any() else users[:0]

    def _finding(
        self, view: View, found: Interactions, cohort: Cohort, members: Ints, log_p: float
    ) -> Finding:
        rows = found.rows[np.isin(found.user, members)]
        rows = rows[~view.trusted[rows]]
        did = "interacted with" if cohort.level < 0 else found.levels[cohort.level]
        when = " within 48 hours" if cohort.is_burst else ""
        exhibits: dict[str, object] = {
            "item": found.items[cohort.item],
            "did": did,
            "within_48_hours": cohort.is_burst,
            "users": len(cohort.within),
            "suspicious": cohort.hits,
            "share": cohort.share,
            "sign": cohort.sign,
            "named": len(members),
            "named_users": [found.users[u] for u in members[:SHOWN_USERS]],
            "ratings": len(rows),
        }
        sentence = (
            f"of {exhibits['users']} users who {did} {quote(found.items[cohort.item])}{when}, "
            f"{cohort.hits} are among the {cohort.share:.0%} of all users whose profiles look "
            f"most made up by {cohort.sign}, against {cohort.share * len(cohort.within):.1g} "
            f"expected; {len(members)} of them are named with all their {len(rows)} rows"
        )
        return Finding(
            self.name,
            Unit.GROUP,
            tuple(found.users[u] for u in members),
            float(max(np.exp(log_p), 1e-300)),
            sentence,
            exhibits,
            tuple(np.sort(rows).tolist()),
            names_rows=True,
        )
