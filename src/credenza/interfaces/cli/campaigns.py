"""``credenza campaigns``: sources that moved together, and what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.stories import campaign_lines
from credenza.interfaces.cli.terminal import Screen, count, plain
from credenza.interfaces.documents import campaign_document, campaigns_document

if TYPE_CHECKING:
    from credenza.gate.monitor import CampaignRecord


@family("campaigns")
def command() -> None:
    """Sources that moved together, or share what nobody else sends."""


@command.use_case(
    "list", examples=("credenza campaigns list", "credenza campaigns list --dataset flights")
)
@click.option("--dataset", help="Of this dataset only.")
def list_campaigns(home: Path | None, dataset: str | None) -> Answer:
    """List all campaigns, oldest window first.

    A campaign is open while one of its batches waits for a person, confirmed once one
    was rejected, and cleared once all were admitted.
    """
    with open_workspace(home) as workspace:
        found = workspace.campaigns(dataset)

    def show(screen: Screen) -> None:
        screen.table(
            ("campaign", "standing", "named", "suspected", "p", "statistic"),
            [_row(one) for one in found],
        )
        screen.line(count(len(found), "campaign"))

    return Answer(*campaigns_document(found), show)


@command.use_case("show", examples=("credenza campaigns show CAMPAIGN --svg campaign.svg",))
@click.argument("campaign")
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write its control chart there.",
)
def show_campaign(home: Path | None, campaign: str, svg: Path | None) -> Answer:
    """Explain a campaign: statistic, direction, who, before and after, and without each.

    CAMPAIGN is as `credenza campaigns list` shows it.
    """
    from credenza.interfaces.charts import chart_in  # noqa: PLC0415 - loads NumPy when used

    with open_workspace(home) as workspace, workspace.at_one_moment():
        found = workspace.campaign(campaign)
        picture = chart_in(workspace, found) if svg else ""
    if svg is not None:
        svg.write_text(picture, encoding="utf-8")

    def show(screen: Screen) -> None:
        screen.fields([("campaign", found.id), ("standing", found.standing)])
        for line in campaign_lines(found.campaign):
            screen.line(line)
        if svg is not None:
            screen.line(f"chart: {svg}")

    return Answer(*campaign_document(found, svg), show)


def _row(one: CampaignRecord) -> tuple[str, ...]:
    campaign = one.campaign
    # Rows that are shared have no direction.
    way = "" if "mark" in campaign.evidence else f" {campaign.direction}"
    return (
        one.id,
        one.standing,
        plain(", ".join(campaign.sources) or "nobody", limit=40),
        plain(", ".join(campaign.suspected), limit=40),
        f"{campaign.p_value:.2g}",
        f"{campaign.statistic}{way}",
    )
