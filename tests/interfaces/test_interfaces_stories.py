from __future__ import annotations

from dataclasses import replace

from credenza.core.types import Campaign
from credenza.interfaces.cli.stories import campaign_lines

MOVED = {"before": "0.1", "after": "3.5", "deviation": "3.4", "named": True}
PAYLOAD = {
    "mark": '`dest` = "ANC"',
    "rows": 21,
    "labels": {"label": "no", "share": "1", "expected": "0.24", "p_value": "1e-9"},
    "sources": {"aa": {"rows": 15}, "b6": {"rows": 6}},
}
CAMPAIGN = Campaign(
    sources=("aa", "b6"),
    suspected=(),
    batches=(),
    statistic="contradiction late = no",
    direction="up",
    window="2024-01-01",
    p_value=0.01,
    removed_common_cause=0.2,
    evidence={"history_windows": 40, "sources": {"aa": MOVED}, "payloads": [PAYLOAD]},
)


def test_a_campaign_tells_the_payload_that_belongs_to_it() -> None:
    lines = list(campaign_lines(CAMPAIGN))
    assert lines[-1] == (
        '  they share 21 rows where `dest` = "ANC": aa 15, b6 6; '
        '100% are labelled "no", expected were 24%'
    )
    without = replace(
        CAMPAIGN, evidence={**CAMPAIGN.evidence, "payloads": [PAYLOAD | {"labels": {}}]}
    )
    assert list(campaign_lines(without))[-1].endswith("aa 15, b6 6")


def test_a_campaign_tells_how_often_such_a_claim_was_made_before() -> None:
    known = replace(CAMPAIGN, evidence={**CAMPAIGN.evidence, "alarm_rate_so_far": "0.025"})
    said = "  claims like it were made in 2.50% of the windows scanned before"
    assert said in list(campaign_lines(known))
    assert not [line for line in campaign_lines(CAMPAIGN) if "claims like it" in line]


def test_whom_only_a_payload_names_has_no_figures_in_the_statistic() -> None:
    told = [line for line in campaign_lines(CAMPAIGN) if "standard units" in line]
    assert [line.split(":")[0].strip() for line in told] == ["campaign", "aa"]
