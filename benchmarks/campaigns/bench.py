"""Campaigns and honest events on real and synthetic panels, under rules that bind all methods.

Reference, calibration and audit time are apart. Draws are fixed by the seed before any
method runs. A false-alarm rate counts episodes, and an alarm may be on for four times the
rate at most. The row "none" is the null control, through the same code path. "rate
realised" is that of the clean audit at the threshold from calibration (ours: the nominal
rate, nothing tuned); the powers of all methods are then at thresholds that meet the rule
on the clean audit, so that nobody gains by alarming more. Honest events are gates: the last
table holds each method to a threshold at which it also calls no more of them campaigns than
the goals allow, on the same draws, each baseline in the setting that serves it best there.
Beside each event stands what is claimed in the same windows where nothing is done, and how
often a claim is made only with it.

    python benchmarks/campaigns/bench.py --panel flights --reps 200 --first-seed 900 --out DIR
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from baselines import BASELINES, WEIGHTS, Standard, standardised
from events import ATTACKS, BENIGN, GOALS, Draw, Event, ordinary_deviation, step
from ours import RATE, Passed, clean_pass, go_on
from panels import PANELS, Panel

from credenza.campaigns.panel import PanelScanner
from credenza.campaigns.unattended import Unattended

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from credenza.campaigns.judge import WindowResult
    from credenza.core.types import Bools, Floats

ON_TIME = 4
BURN_IN = 60
LONGEST = 30
HEAD = "| event | goal | caught | nothing done | only with it | precision | recall of naming |"
PANEL_COUNT = {"weather": 1}
"""Four of any other."""


@dataclass(frozen=True)
class Bench:
    """Panels with everything that does not depend on the event."""

    panels: list[Panel]
    sigmas: list[Floats]
    passes: list[Passed]
    draws: list[Draw]


@dataclass
class Cell:
    """What one method made of one event."""

    caught: list[bool]
    without: list[bool]
    right: int = 0
    named: int = 0
    guilty: int = 0


def prepare(name: str, reps: int, tuning: int, first: int) -> tuple[Bench, list[Draw]]:
    """Panels from the ``first`` seed on, draws of the audit, and draws that only tune."""
    panels = [PANELS[name](first + n) for n in range(PANEL_COUNT.get(name, 4))]
    rng = np.random.default_rng([first, 99])
    draws = [_draw(rng, panels, n) for n in range(reps + tuning)]
    passes = []
    for n, panel in enumerate(panels):
        keep = {d.onset - before for d in draws if d.panel == n for before in (0, 40)}
        passes.append(clean_pass(panel, keep))
    sigmas = [ordinary_deviation(own.values[:, : own.audit], own.periods) for own in panels]
    return Bench(panels, sigmas, passes, draws[:reps]), draws[reps:]


def _draw(rng: np.random.Generator, panels: Sequence[Panel], n: int) -> Draw:
    own = n % len(panels)
    sources, windows, statistics = panels[own].values.shape
    return Draw(
        own,
        rng.permutation(sources),
        int(rng.integers(statistics)),
        float(rng.choice([-1, 1])),
        int(rng.integers(panels[own].audit + 45, windows - LONGEST)),
        int(rng.integers(1 << 31)),
    )


def rates(alarm: Sequence[np.ndarray]) -> tuple[float, float]:
    """Episodes and alarm time per window, over several stretches of time."""
    windows = sum(len(own) for own in alarm)
    begun = sum(int(own[:1].sum()) + int((own[1:] & ~own[:-1]).sum()) for own in alarm)
    return begun / windows, sum(int(own.sum()) for own in alarm) / windows


def threshold(scores: Sequence[Floats]) -> float:
    """The smallest score that meets the rule on these clean stretches."""
    candidates = np.unique(np.concatenate(scores))
    low, high = 0, len(candidates)
    # On-time falls with the threshold, episodes almost: search from the top of the failing.
    while low < high:
        middle = (low + high) // 2
        episodes, on = rates([own > candidates[middle] for own in scores])
        if episodes <= RATE and on <= ON_TIME * RATE:
            high = middle
        else:
            low = middle + 1
    return float(candidates[min(low, len(candidates) - 1)])


def our_results(bench: Bench, event: Event, draw: Draw) -> list[WindowResult]:
    """Results from the onset on."""
    panel = bench.panels[draw.panel]
    begin = draw.onset - event.before
    values = event.apply(
        panel.values[:, begin : draw.onset + event.windows].copy(),
        bench.sigmas[draw.panel],
        draw,
        event.before,
    )
    scanner = PanelScanner.from_bytes(bench.passes[draw.panel].states[begin])
    if event.grouped:
        groups = ["one" if s in draw.guilty[:4] else "" for s in range(len(values))]
        scanner.state = replace(scanner.state, groups=tuple(groups))
    if event.joins:
        for statistic in range(values.shape[2]):
            scanner.begin_anew([int(draw.guilty[0])], statistic)
    return go_on(scanner, values, Unattended(len(values)))[event.before :]


def untouched(bench: Bench, windows: int) -> list[bool]:
    """By draw, whether a campaign is claimed within so many windows where nothing is done."""
    nothing = replace(ATTACKS[0], windows=windows)
    return [_claimed(our_results(bench, nothing, draw)) for draw in bench.draws]


def _claimed(results: Sequence[WindowResult]) -> bool:
    return any(result.campaign is not None for result in results)


def ours(bench: Bench, event: Event, without: list[bool]) -> tuple[Cell, Floats]:
    """At the nominal rate, with the naming; and the largest score of each draw."""
    nominal, largest = Cell([], without), []
    for draw in bench.draws:
        results = our_results(bench, event, draw)
        nominal.caught.append(_claimed(results))
        largest.append(max(r.surprise for r in results))
        if nominal.caught[-1] and event.sources:
            first = next(r.campaign for r in results if r.campaign is not None)
            guilty = set(draw.guilty[: event.sources].tolist())
            nominal.right += len(set(first.sources) & guilty)
            nominal.named += len(first.sources)
            nominal.guilty += len(guilty)
    return nominal, np.array(largest)


def described(event: Event, cell: Cell) -> str:
    """The row of an event."""
    only = [one and not other for one, other in zip(cell.caught, cell.without, strict=True)]
    naming = "- | -"
    if cell.named:
        naming = f"{cell.right / cell.named:.2f} | {cell.right / cell.guilty:.2f}"
    return (
        f"| {event.name} | {_goal(event)} | {wilson(cell.caught)} | {np.mean(cell.without):.2f} | "
        f"{wilson(only)} | {naming} |"
    )


@dataclass(frozen=True)
class Tuned:
    """A baseline in one setting, on one input."""

    standards: list[Standard]
    scores: list[Callable[[Floats], Floats]]
    calibration: list[Floats]
    audit: list[Floats]


def settings(bench: Bench, name: str, inputs: list[list[Standard]]) -> list[Tuned]:
    """A baseline in three settings on two inputs."""
    found = []
    for standards in inputs:
        for weight in WEIGHTS:
            fits = [
                BASELINES.make(name)(weight)(np.clip(own.z[:, : panel.calibration], -8, 8))
                for own, panel in zip(standards, bench.panels, strict=True)
            ]
            clean = [fit(np.clip(own.z, -8, 8)) for fit, own in zip(fits, standards, strict=True)]
            found.append(
                Tuned(
                    standards,
                    fits,
                    [c[p.calibration : p.audit] for c, p in zip(clean, bench.panels, strict=True)],
                    [c[p.audit :] for c, p in zip(clean, bench.panels, strict=True)],
                )
            )
    return found


def power_when_tuned(bench: Bench, tuned: Tuned, draws: Sequence[Draw]) -> float:
    """Of 4 of 20 at 3 sigma, on draws that only tune, at the threshold from calibration."""
    least = threshold(tuned.calibration)
    return float(np.mean(largest(bench, tuned, step(4, 3), draws) > least))


def largest(bench: Bench, tuned: Tuned, event: Event, draws: Sequence[Draw]) -> Floats:
    """``(D,)`` largest score of each draw."""
    return np.array([_theirs(bench, tuned, event, draw).max() for draw in draws])


def _theirs(bench: Bench, tuned: Tuned, event: Event, draw: Draw) -> Floats:
    panel = bench.panels[draw.panel]
    begin, end = draw.onset - event.before, draw.onset + event.windows
    clean = panel.values[:, begin:end]
    changed = event.apply(clean.copy(), bench.sigmas[draw.panel], draw, event.before)
    z = tuned.standards[draw.panel].changed(
        np.nan_to_num(changed - clean), max(0, begin - BURN_IN), end
    )
    return tuned.scores[draw.panel](z)[-event.windows :]


def wilson(caught: Sequence[bool] | Bools) -> str:
    """Share with its 95 % interval."""
    n, p, z = len(caught), float(np.mean(caught)), 1.96
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return f"{p:.2f} [{max(middle - half, 0):.2f}, {min(middle + half, 1):.2f}]"


def gate(scores: Floats, most: float) -> float:
    """The smallest threshold that at most this share of the draws exceeds."""
    return float(np.sort(scores)[::-1][int(most * len(scores))])


def gated(audit: Sequence[Floats], scores: Mapping[str, Floats]) -> float:
    """The smallest threshold that meets the rule and, of honest events, the goals."""
    return max(threshold(audit), *(gate(scores[own.name], GOALS[own.name]) for own in BENIGN))


@dataclass
class Tables:
    """What is told of a panel.

    Attributes:
        nominal: rows of our events at the nominal rate.
        realised: by method, episodes and alarm time per window of the clean audit.
        equal: by method, who is caught at an equal realised rate, by event.
        gated: the same where honest events are called no more often than the goals allow.
    """

    nominal: list[str]
    realised: dict[str, tuple[float, float]]
    equal: dict[str, list[str]]
    gated: dict[str, list[str]]


def powers(scores: Mapping[str, Floats], least: float) -> list[str]:
    """By event, the share of draws whose largest score exceeds ``least``."""
    return [wilson(own > least) for own in scores.values()]


def run(  # noqa: PLR0917 - the command's options, in order
    name: str, reps: int, tuning: int, first: int, only: Sequence[str], methods: Sequence[str]
) -> str:
    """The tables of a panel, in Markdown."""
    bench, tuning_draws = prepare(name, reps, tuning, first)
    events = [e for e in (*ATTACKS, *BENIGN) if any(part in e.name for part in only)]
    tables = Tables([], {}, {}, {})
    _measure_ours(bench, events, tables)
    _measure_baselines(bench, events, tables, methods, tuning_draws)
    title = (
        f"## {name}: {bench.panels[0].values.shape}, {len(bench.panels)} panels, {reps} draws, "
        f"seeds from {first}"
    )
    return _markdown(title, events, tables)


def _measure_ours(bench: Bench, events: Sequence[Event], tables: Tables) -> None:
    audits = [
        own.results[panel.audit - panel.calibration :]
        for own, panel in zip(bench.passes, bench.panels, strict=True)
    ]
    alarms = [np.array([r.campaign is not None for r in own]) for own in audits]
    tables.realised["credenza, nominal 1/100"] = rates(alarms)
    without = {windows: untouched(bench, windows) for windows in {e.windows for e in events}}
    scores = {}
    for event in events:
        nominal, scores[event.name] = ours(bench, event, without[event.windows])
        tables.nominal.append(described(event, nominal))
        print(tables.nominal[-1], flush=True)
    audit = [np.array([r.surprise for r in own]) for own in audits]
    tables.equal["credenza"] = powers(scores, threshold(audit))
    if set(BENIGN) <= set(events):
        tables.gated["credenza"] = powers(scores, gated(audit, scores))


def _measure_baselines(
    bench: Bench,
    events: Sequence[Event],
    tables: Tables,
    methods: Sequence[str],
    draws: list[Draw],
) -> None:
    inputs = [[standardised(p, tracks=tracks) for p in bench.panels] for tracks in (False, True)]
    for method in methods:
        tried = settings(bench, method, inputs)
        best = max(tried, key=lambda own: power_when_tuned(bench, own, draws))
        at_calibration = threshold(best.calibration)
        tables.realised[method] = rates([own > at_calibration for own in best.audit])
        scores = _by_event(bench, best, events)
        tables.equal[method] = powers(scores, threshold(best.audit))
        print(method, tables.realised[method], tables.equal[method], flush=True)
        if set(BENIGN) <= set(events):
            tables.gated[method] = _best_gated(bench, tried, events)
            print(method, "within the gates", tables.gated[method], flush=True)


def _best_gated(bench: Bench, tried: Sequence[Tuned], events: Sequence[Event]) -> list[str]:
    """Within the gates, in whichever setting finds most of the attacks."""
    attacks = [own.name for own in events if own.sources]
    most, best = -1.0, list[str]()
    for own in tried:
        scores = _by_event(bench, own, events)
        least = gated(own.audit, scores)
        power = float(np.mean([scores[name] > least for name in attacks]))
        if power > most:
            most, best = power, powers(scores, least)
    return best


def _by_event(bench: Bench, tuned: Tuned, events: Sequence[Event]) -> dict[str, Floats]:
    return {event.name: largest(bench, tuned, event, bench.draws) for event in events}


def _markdown(title: str, events: Sequence[Event], tables: Tables) -> str:
    return "\n".join(
        [
            title,
            "\nAt the nominal rate of 1/100, nothing tuned:\n",
            HEAD,
            "|" + "---|" * 7,
            *tables.nominal,
            "\nRealised on the clean audit, threshold from calibration:\n",
            "| method | episodes per window | alarm on |",
            "|---|---|---|",
            *(f"| {method} | {e:.4f} | {on:.4f} |" for method, (e, on) in tables.realised.items()),
            "\nCaught at an equal realised rate of 1/100:\n",
            *_powers(events, tables.equal),
            "\nCaught within the gates:\n",
            *_powers(events, tables.gated),
            "",
        ]
    )


def _powers(events: Sequence[Event], rows: Mapping[str, list[str]]) -> list[str]:
    return [
        "| method | " + " | ".join(e.name for e in events) + " |",
        "|" + "---|" * (len(events) + 1),
        *(f"| {method} | " + " | ".join(row) + " |" for method, row in rows.items()),
    ]


def _goal(event: Event) -> str:
    if event.name not in GOALS:
        return ""
    return f"{'at most' if event in BENIGN else 'at least'} {GOALS[event.name]:g}"


def main() -> None:
    """Write one Markdown file per panel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--panel", action="append", choices=list(PANELS))
    parser.add_argument("--reps", type=int, default=200)
    parser.add_argument("--tuning", type=int, default=24)
    parser.add_argument("--first-seed", type=int, default=900, help="other panels and draws")
    parser.add_argument("--only", action="append", help="events whose name contains this")
    parser.add_argument("--method", action="append", choices=list(BASELINES), help="baselines")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for name in asked.panel or PANELS:
        methods = asked.method or list(BASELINES)
        table = run(name, asked.reps, asked.tuning, asked.first_seed, asked.only or [""], methods)
        (asked.out / f"{name}.md").write_text(table, encoding="utf-8")
        print(table, flush=True)


if __name__ == "__main__":
    main()
