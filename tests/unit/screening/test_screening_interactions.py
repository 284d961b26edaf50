"""Shilling cohorts are named by the item they push; honest circles are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.types import Role
from credenza.screening.detectors.interactions import ShillingCohorts
from credenza.screening.features.interactions import interactions_of
from credenza.screening.features.tastes import suspicions
from credenza.screening.run import screen
from credenza.screening.view import UnassessedError, make_view

if TYPE_CHECKING:
    from credenza.core.types import Bools, Ints, View

USERS, ITEMS, TASTES, DAY_S = 300, 160, 5, 86_400.0
ROLES = {"user": Role.USER, "item": Role.ITEM, "rating": Role.RATING, "at": Role.TIME}


@dataclass
class Shop:
    """Ratings in which every user has a taste; accounts may be added."""

    user: list[int]
    item: list[int]
    rating: list[float]
    at_s: list[float]

    def add(self, user: int, items: Ints, ratings: list[float], start_s: float) -> None:
        self.user += [user] * len(items)
        self.item += items.tolist()
        self.rating += ratings
        self.at_s += [start_s + 60.0 * i for i in range(len(items))]

    def push(self, accounts: int, *, seed: int, stars: float = 5.0, apart: bool = False) -> int:
        """Accounts with fillers drawn by popularity, who all rate one rare item."""
        rng = np.random.default_rng(seed)
        count = np.bincount(self.item, minlength=ITEMS)
        target = int(rng.choice(np.flatnonzero((count >= 3) & (count <= 20))))
        weight = np.where(np.arange(ITEMS) == target, 0, count) / (count.sum() - count[target])
        for account in range(USERS, USERS + accounts):
            items = np.r_[target, rng.choice(ITEMS, 25, replace=False, p=weight)]
            ratings = [stars, *np.clip(np.rint(rng.normal(3.5, 1.0, 25)), 1, 5).tolist()]
            self.add(account, items, ratings, rng.uniform(0, 200 if apart else 1) * DAY_S)
        return target

    def view(self, *roles: str, trusted: Bools | None = None) -> View:
        table = pa.table(
            {
                "user": [f"u{u}" for u in self.user],
                "item": [f"i{i}" for i in self.item],
                "rating": self.rating,
                "at": pa.array((np.array(self.at_s) * 1e6).astype(np.int64)).cast(
                    pa.timestamp("us")
                ),
            }
        )
        facets = {name: ROLES[name] for name in ("user", "item", *roles)}
        return make_view("shop", table, facets=facets, trusted=trusted)


def shop(seed: int) -> Shop:
    rng = np.random.default_rng(seed)
    found = Shop([], [], [], [])
    theme = rng.integers(0, TASTES, ITEMS)
    appeal = rng.pareto(1.2, ITEMS) + 0.2
    for user in range(USERS):
        weight = appeal * np.where(theme == user % TASTES, 10.0, 1.0)
        items = rng.choice(ITEMS, rng.integers(10, 40), replace=False, p=weight / weight.sum())
        ratings = np.clip(np.rint(rng.normal(3.5, 1.0, len(items))), 1, 5).tolist()
        found.add(user, items, ratings, rng.uniform(0, 200) * DAY_S)
    return found


def users_of(view: View, rows: tuple[int, ...]) -> set[str]:
    return {view.table["user"][row].as_py() for row in rows}


ACCOUNTS = {f"u{u}" for u in range(USERS, USERS + 9)}


@pytest.mark.parametrize("seed", range(4))
def test_nobody_is_named_among_honest_users(seed: int) -> None:
    assert ShillingCohorts().score(shop(seed).view("rating", "at")).findings == ()


@pytest.mark.parametrize("apart", [False, True], ids=["burst", "sleepers"])
@pytest.mark.parametrize("stars", [5.0, 1.0], ids=["push", "nuke"])
@pytest.mark.parametrize("seed", [11, 12])
def test_accounts_that_push_or_nuke_an_item_are_named_with_it(
    seed: int,
    stars: float,
    apart: bool,
) -> None:
    data = shop(seed)
    target = data.push(9, seed=seed, stars=stars, apart=apart)
    view = data.view("rating", "at")
    first = ShillingCohorts().score(view).findings[0]
    assert f'"i{target}"' in first.sentence
    assert len(users_of(view, first.rows) & ACCOUNTS) >= 8
    assert len(users_of(view, first.rows) - ACCOUNTS) <= 1


def test_times_and_ratings_are_not_needed() -> None:
    data = shop(11)
    data.push(9, seed=11)
    view = data.view()
    named = set().union(*(users_of(view, f.rows) for f in ShillingCohorts().score(view).findings))
    assert len(named & ACCOUNTS) >= 8


def test_all_rows_of_a_named_user_are_flagged_and_share_one_score() -> None:
    data = shop(12)
    data.push(9, seed=12)
    view = data.view("rating", "at")
    detector = ShillingCohorts()
    values = detector.score(view).values
    flagged = screen(view, [detector]).flagged
    user = np.array(data.user)
    for account in np.unique(user):
        assert len(np.unique(values[user == account])) == 1
        assert len(np.unique(flagged[user == account])) == 1
    assert flagged[user >= USERS].mean() >= 0.8
    assert not flagged[user < USERS].any()


def test_accounts_that_copy_real_profiles_are_not_seen() -> None:
    data = shop(13)
    user, item = np.array(data.user), np.array(data.item)
    rating = np.array(data.rating)
    for account in range(9):
        mine = (user == account * 7) & (item != 3)
        ratings = [5.0, *rating[mine].tolist()]
        data.add(USERS + account, np.r_[3, item[mine]], ratings, 0.0)
    view = data.view("rating")
    findings = ShillingCohorts().score(view).findings
    assert not set().union(*(users_of(view, f.rows) for f in findings)) & ACCOUNTS


def test_trusted_rows_are_never_named() -> None:
    data = shop(14)
    data.push(9, seed=14)
    trusted = np.array(data.user) >= USERS
    assert ShillingCohorts().score(data.view("rating", "at", trusted=trusted)).findings == ()


def test_too_few_users_are_not_assessed() -> None:
    table = pa.table({"user": ["a", "b"] * 30, "item": [f"i{i}" for i in range(60)]})
    view = make_view("few", table, facets={"user": Role.USER, "item": Role.ITEM})
    with pytest.raises(UnassessedError, match="2 users and 60 items are too few"):
        ShillingCohorts().score(view)


def test_profiles_drawn_by_popularity_alone_are_the_least_like_others() -> None:
    data = shop(15)
    data.push(9, seed=15)
    found = interactions_of(data.view("rating"))
    made_up = np.array([int(name[1:]) >= USERS for name in found.users])
    suspicion = suspicions(found)["main tastes"]
    assert np.median(suspicion[made_up]) > np.quantile(suspicion[~made_up], 0.95)


def test_rows_without_a_user_or_an_item_are_left_out() -> None:
    table = pa.table({"user": ["a", None, "b"], "item": ["x", "x", None]})
    found = interactions_of(make_view("v", table, facets={"user": Role.USER, "item": Role.ITEM}))
    assert found.rows.tolist() == [0]


def test_ratings_of_many_values_become_ranges() -> None:
    n = 200
    table = pa.table({"user": ["a"] * n, "item": ["x"] * n, "rating": np.linspace(-10, 10, n)})
    found = interactions_of(
        make_view("v", table, facets={k: ROLES[k] for k in ("user", "item", "rating")})
    )
    assert len(found.levels) == 10
    assert found.level.min() == 0
    assert found.level.max() == 9
