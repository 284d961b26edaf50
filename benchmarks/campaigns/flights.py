"""Who is caught among a year of flights, how soon, and who is accused in error.

The scan and its statistics without the gate, so that a change of either is judged in
minutes: reference weeks teach the model, calibration weeks set the baselines, both are
vouched for; then feeds act together from a week drawn by the seed on. Thresholds are the
package's defaults, chosen on clean weeks. The row "none" runs through the same code.

    python benchmarks/campaigns/flights.py --seeds 0-9 [--share 0.05] [--attackers 4]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from credenza.campaigns.accuse import Trail, accuse, pursue
from credenza.campaigns.panel import PanelScanner
from credenza.profiling.statistics.builtin import family_of, measure
from credenza.profiling.statistics.reference import ReferenceSummary, summarise
from credenza.redteam import feeds as simulator
from credenza.redteam.builtin import ATTACKS
from credenza.training.baseline import ReferenceModel, fit_reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.types import Floats
    from credenza.redteam.feeds import Plot

SOON_WEEKS = 3
PROBATION_WEEKS = 4
MODEL_ROWS = 40_000
Cell = tuple[str, int]


@dataclass(frozen=True)
class Season:
    """Everything that does not depend on attack or seed.

    Attributes:
        rows: batches by feed and week.
        measured: ``(2, P)`` value and sampling error of every clean batch.
        vouched: the scanner's state after the calibration weeks.
    """

    rows: Mapping[Cell, pa.Table]
    feeds: tuple[str, ...]
    statistics: tuple[str, ...]
    model: ReferenceModel
    reference: ReferenceSummary
    measured: Mapping[Cell, Floats]
    judged_from: int
    vouched: bytes


@dataclass
class Run:
    """What one seed came to."""

    plot: Plot
    named: dict[str, int] = field(default_factory=dict)
    held: set[Cell] = field(default_factory=set)
    alarms: list[int] = field(default_factory=list)

    @property
    def caught_after(self) -> int | None:
        """Weeks from the first poison to the first attacker that is named."""
        first = [
            week - self.plot.first_week
            for feed, week in self.named.items()
            if feed in self.plot.attackers and week >= self.plot.first_week
        ]
        return min(first, default=None)


def build(reference_weeks: int, calibration_weeks: int) -> Season:
    """Fit the reference, measure every clean batch, and vouch for the first weeks."""
    feeds = simulator.feeds(simulator.load_flights())
    rows = {(feed, week): own for feed, weeks in feeds.items() for week, own in weeks.items()}
    taught = pa.concat_tables([own for (_, week), own in rows.items() if week < reference_weeks])
    keep = np.random.default_rng(0).permutation(taught.num_rows)[:MODEL_ROWS]
    taught = taught.take(np.sort(keep))
    model = fit_reference(taught, label=simulator.LABEL, facets=simulator.FACETS)
    reference = summarise(
        taught, label=simulator.LABEL, classes=model.classes, facets=simulator.FACETS
    )
    later = {cell: own for cell, own in rows.items() if cell[1] >= reference_weeks}
    measured = {cell: _measure(own, model, reference) for cell, own in later.items()}
    sample = next(iter(later.values()))
    names = tuple(measure(sample, reference=reference, expected=model.expected(sample)))
    judged_from = reference_weeks + calibration_weeks
    scanner = PanelScanner(tuple(feeds), names, groups=[simulator.group_of(feed) for feed in feeds])
    for week in range(reference_weeks, judged_from):
        scanner.step(*_window(tuple(feeds), measured, week))
        scanner.accept()
    return Season(
        rows, tuple(feeds), names, model, reference, measured, judged_from, scanner.to_bytes()
    )


def run(season: Season, attack: str, seed: int, attackers: int, share: float) -> Run:
    """One year under attack, or none, as the gate would treat it.

    Named feeds stay held, and whoever is suspected beside them for some weeks.
    """
    plot = simulator.draw_plot(season.feeds, attackers=attackers, seed=seed)
    measured = dict(season.measured)
    if attack != "none":
        measured |= _poisoned(season, attack, seed, plot, share)
    found = Run(plot)
    scanner = PanelScanner.from_bytes(season.vouched)
    trails: dict[tuple[int, str], Trail] = {}
    waits_until: dict[int, int] = {}
    for week in range(season.judged_from, simulator.WEEKS):
        result = scanner.step(*_window(season.feeds, measured, week))
        watched = {place for trail in trails.values() for place in trail.sources}
        held = watched | {place for place, last in waits_until.items() if week <= last}
        claim = result.campaign
        if claim is not None:
            found.alarms.append(week)
            claim = accuse(claim, family_of(season.statistics[claim.statistic]), watched)
        claims = pursue(claim, result.averages, tuple(trails.values()))
        for one in claims:
            held |= {*one.sources, *one.suspected}
            if one.sources:
                waits_until |= dict.fromkeys(one.suspected, week + PROBATION_WEEKS)
            if set(one.sources) - watched:
                trail = Trail(one.sources, one.statistic, one.direction)
                trails[one.statistic, one.direction] = trail
                for place in one.sources:
                    found.named.setdefault(season.feeds[place], week)
        found.held |= {(season.feeds[place], week) for place in held}
        scanner.accept(np.array([place not in held for place in range(len(season.feeds))]))
    return found


def summarise_runs(season: Season, attack: str, seeds: range, runs: list[Run]) -> dict[str, object]:
    """One line of the table."""
    batches = len(season.feeds) * (simulator.WEEKS - season.judged_from)
    guilty = [set() if attack == "none" else set(r.plot.attackers) for r in runs]
    pairs = list(zip(runs, guilty, strict=True))
    honest_held = [sum(feed not in bad for feed, _ in r.held) for r, bad in pairs]
    line: dict[str, object] = {
        "attack": attack,
        "runs": len(runs),
        "honest_named_runs": sum(bool(set(r.named) - bad) for r, bad in pairs),
        "honest_batches_held_share": round(float(np.mean(honest_held)) / batches, 4),
        "alarm_weeks": round(float(np.mean([len(r.alarms) for r in runs])), 2),
    }
    if attack != "none":
        late = [
            seed
            for seed, r in zip(seeds, runs, strict=True)
            if r.caught_after not in range(SOON_WEEKS)
        ]
        line |= {
            "caught_soon": len(runs) - len(late),
            "caught_ever": sum(r.caught_after is not None for r in runs),
            "missed_seeds": late,
            "poisoned_batches_held_after_catch": round(_held_after(runs), 3),
        }
    return line


def _held_after(runs: list[Run]) -> float:
    """Share of the attackers' batches that are held from the week after the catch on."""
    shares = []
    for r in runs:
        if r.caught_after is None:
            continue
        weeks = range(r.plot.first_week + r.caught_after + 1, simulator.WEEKS)
        cells = [(feed, week) for feed in r.plot.attackers for week in weeks]
        shares.append(np.mean([cell in r.held for cell in cells]))
    return float(np.mean(shares)) if shares else float("nan")


def _measure(rows: pa.Table, model: ReferenceModel, reference: ReferenceSummary) -> Floats:
    found = measure(rows, reference=reference, expected=model.expected(rows))
    return np.array(list(found.values()), dtype=np.float64).T


def _window(
    feeds: tuple[str, ...], measured: Mapping[Cell, Floats], week: int
) -> tuple[Floats, Floats]:
    both = np.stack([measured[feed, week] for feed in feeds], axis=1)
    return both[0], both[1]


def _poisoned(
    season: Season, attack: str, seed: int, plot: Plot, share: float
) -> dict[Cell, Floats]:
    hostile = simulator.flights_attack(attack, share=share)
    found = {}
    for feed in plot.attackers:
        for week in range(plot.first_week, simulator.WEEKS):
            rng = simulator.poison_rng(seed, feed, week)
            rows, _ = hostile.poison(season.rows[feed, week], rng)
            found[feed, week] = _measure(rows, season.model, season.reference)
    return found


def main() -> None:
    """Print one JSON line per attack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0-9", help="first and last, such as 0-9")
    parser.add_argument("--attackers", type=int, default=4)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--reference-weeks", type=int, default=10)
    parser.add_argument("--calibration-weeks", type=int, default=16)
    parser.add_argument("--attack", action="append", choices=["none", *ATTACKS])
    asked = parser.parse_args()
    first, last = (int(part) for part in asked.seeds.split("-"))
    began = time.monotonic()
    season = build(asked.reference_weeks, asked.calibration_weeks)
    for attack in asked.attack or ("none", *ATTACKS):
        seeds = range(first, first + 1 if attack == "none" else last + 1)
        runs = [run(season, attack, seed, asked.attackers, asked.share) for seed in seeds]
        line = summarise_runs(season, attack, seeds, runs)
        print(json.dumps({**line, "seconds": round(time.monotonic() - began)}), flush=True)


if __name__ == "__main__":
    main()
