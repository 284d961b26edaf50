"""The demo on the console: one line a week, and the story when there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.interfaces.cli.stories import WORDS, campaign_lines
from credenza.interfaces.cli.terminal import count, short

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from rich.progress import Progress, TaskID

    from credenza.core.types import Campaign, Release, Version
    from credenza.interfaces.cli.terminal import Screen
    from credenza.interfaces.demo.tale import Clue, Tale, Trio, Week

_BAR_CELLS = 25


class Narrator:
    """Tells the demo as it happens; a progress bar below it on a terminal.

    Args:
        screen: where to; under ``--json`` this is stderr.
        weeks: how many windows there will be.
    """

    def __init__(self, screen: Screen, weeks: int) -> None:
        self._screen = screen
        self._weeks = weeks
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._vouched = 0
        self._named: set[str] = set()

    def __enter__(self) -> Self:
        if self._screen.console is not None:
            from rich.progress import Progress  # noqa: PLC0415 - only a terminal pays for it

            self._progress = Progress(console=self._screen.console, transient=True)
            self._task = self._progress.add_task("weeks", total=self._weeks)
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def say(self, text: str = "", *, style: str = "") -> None:
        """One sentence."""
        self._screen.line(text, style=style)

    def title(self, text: str) -> None:
        """The head of a chapter."""
        self._screen.line()
        self._screen.line(text, style="bold")

    def opening(self, feeds: list[str]) -> None:
        """Who is there."""
        self.title("A year of flights from New York passes the gate")
        self.say(f"{len(feeds)} feeds (carrier and airport), each with its own key, send one")
        self.say("signed batch a week; all batches of a week are judged together")
        self.say()

    def week(self, week: Week) -> None:
        """A line for a judged week; vouched ones are told together."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task)
        if week.vouched:
            self._vouched += 1
            return
        if self._vouched:
            self.say(
                f"weeks 1-{self._vouched}: vouched for by a steward; the gate learns from them"
            )
            self._vouched = 0
        told = ", ".join(f"{number} {WORDS[name]}" for name, number in week.batches.items())
        admitted = week.batches.get("admit", 0)
        total = sum(week.batches.values())
        cells = round(_BAR_CELLS * admitted / total) if total else 0
        bar = "#" * cells + "." * (_BAR_CELLS - cells)
        kept = f", {count(week.rows_out, 'row')} kept out" if week.rows_out else ""
        self.say(
            f"week {week.number:>2}  {week.start}  {week.rows:>6,} rows  {bar}  {told}{kept}",
            style="" if admitted == total else "yellow",
        )

    def clue(self, clue: Clue) -> None:
        """Rows that were kept out of an admitted batch."""
        self.say(f"  {clue.source}: {count(clue.rows, 'row')} kept out: {clue.sentence}")

    def campaign(self, campaign: Campaign, week: int) -> None:
        """The first campaign whole; a later one only when it names somebody new."""
        if not self._named:
            self.title(f"week {week}: sources move together")
            for line in campaign_lines(campaign):
                self.say(f"  {line}", style="red")
            self.say()
        elif new := sorted(set(campaign.sources) - self._named):
            self.say(f"  campaign in {campaign.statistic} names {', '.join(new)} too", style="red")
        self._named.update(campaign.sources)

    def models(self, accuracy: Trio, attack_success: Trio) -> None:
        """What the same model learnt from three sets of rows."""
        self.title("The same model, trained three times, tested on weeks it never saw")
        rows = [
            ("untouched data", accuracy.clean, attack_success.clean),
            ("what the gate released", accuracy.gated, attack_success.gated),
            ("everything, no gate", accuracy.undefended, attack_success.undefended),
        ]
        self._screen.table(
            ("trained on", "accuracy", "attack success"),
            [(name, _percent(right), _percent(fooled)) for name, right, fooled in rows],
        )

    def published(self, release: Release, *, verified: bool, refusal: str) -> None:
        """The release and its copy with one byte changed."""
        self.title("A release that a training job verifies offline")
        told = "verified" if verified else "NOT VERIFIED"
        self.say(f"{release.rows:,} rows of {len(release.batches):,} batches, {told}")
        self.say(f"one byte of a copy changed: {'refused, ' + refusal if refusal else 'ACCEPTED'}")

    def audited(self, entries: int, problems: tuple[str, ...]) -> None:
        """The ledger, recounted."""
        self.say(f"ledger of {entries:,} entries recounted: {count(len(problems), 'problem')}")
        for problem in problems:
            self.say(f"  {problem}", style="red")

    def rolled_back(self, version: Version, target: int) -> None:
        """A rollback, which is one more version."""
        self.title("Roll back, and prove it all")
        self.say(
            f"rolled back: version {version.number} has the content of version {target}, "
            f"{version.rows:,} rows; nothing was destroyed"
        )

    def ending(self, tale: Tale, headline: str, report: Path) -> None:
        """The outcome, and where to look next."""
        self.title(headline)
        poison = _percent(tale.poison_rows_admitted_share)
        self._screen.fields(
            [
                ("attackers", ", ".join(tale.attackers) or "nobody"),
                ("named", ", ".join(tale.named) or "nobody"),
                ("suspected", ", ".join(tale.suspected)),
                ("honest rows kept out", f"{tale.honest_rows_held_share:.2%}"),
                ("poison admitted", poison if tale.attackers else ""),
                ("release", short(tale.release.digest)),
                ("ledger", f"{tale.entries:,} entries, {'audited' if tale.audited else 'BROKEN'}"),
                ("time", f"{sum(tale.seconds.values()):.0f} s"),
                ("report", report),
                ("workspace", tale.home),
            ]
        )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
