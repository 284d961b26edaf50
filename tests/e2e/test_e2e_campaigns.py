"""Campaigns through the whole gate: held, explained, charted, monitored, cleared, proposed."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.types import Outcome
from credenza.gate.policy_file import load_policy
from credenza.interfaces.cli.main import main
from credenza.provenance.intake.together import read_own
from credenza.provenance.keys import load_key
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import SourceSimulator

    from credenza.gate.settlement import Settlement

NOW_S = 1_800_000_000.0
POLICY = """\
schema = "credenza.policy/1"
detectors = []
[window]
reference = 2
calibration = 18
[budget]
campaign_rate = 0.02
batch_rows = 0.5
[outcomes]
{outcomes}
{more}
"""
TWINS_POLICY = """\
schema = "credenza.policy/1"
detectors = []
[window]
reference = 1
calibration = 1
[diversity]
window_share = 0.5
dataset_share = 0.3
[outcomes]
silence = "admit"
"""
DATASET = "trips"
NAMES = ("anna", "beat", "cara", "dino", "emil", "fred", "gina", "hans")
GUILTY = ("cara", "fred", "gina")
VOUCHED = 20  # windows: those of the policy's reference and calibration


def send(
    workspace: Workspace, sources: SourceSimulator, window: int, tables: dict[str, pa.Table]
) -> list[Settlement]:
    """Every sender's table of one window, handed in together, and the window settled."""
    span = (sources.window_start(window), sources.window_start(window + 1))
    sent = []
    for name, table in tables.items():
        path = sources.write(table, f"{name}.parquet")
        envelope = workspace.sign(
            [path],
            source=name,
            key=load_key(sources.keys[name]),
            dataset=DATASET,
            label="late",
            collected=span,
            read=read_own,
        )
        sent.append((envelope, [path]))
    workspace.receive_together(sent)
    return sources.settle(workspace, window)


def honest(sources: SourceSimulator, window: int, flip: float = 0.0) -> dict[str, pa.Table]:
    """A window's tables; all senders quote the same hundred prices, within a per cent or so.

    ``flip`` is the share of late trips that the guilty call punctual.
    """
    price = np.random.default_rng(window).uniform(10, 90, sources.rows)
    stops = pa.array([f"stop {place}" for place in range(sources.rows)])
    tables = {}
    for name in sources.names:
        rng = np.random.default_rng([window, 7, *name.encode()])
        own = np.round(price * (1 + 0.01 * rng.normal(size=sources.rows)), 2)
        table = sources.table(name, window, flip=flip if name in GUILTY else 0.0)
        tables[name] = table.append_column("stop", stops).append_column("price", pa.array(own))
    return tables


def replaced(table: pa.Table, name: str, values: list[object]) -> pa.Table:
    field = table.schema.field(name)
    return table.set_column(table.column_names.index(name), field, pa.array(values, field.type))


def payload_window(sources: SourceSimulator, window: int) -> dict[str, pa.Table]:
    """Eight rows of each guilty sender: a town nobody knows, at one hour, punctual."""
    tables = honest(sources, window)
    for name in GUILTY:
        for column, value in (("town", "Oz"), ("hour", 23), ("late", "no")):
            rest = tables[name][column].to_pylist()[8:]
            tables[name] = replaced(tables[name], column, [value] * 8 + rest)
    return tables


def sources_by_outcome(workspace: Workspace, settled: Settlement) -> dict[str, Outcome]:
    return {workspace.batch(v.batch).source: v.outcome for v in settled.verdicts}


def kept_out(workspace: Workspace, settled: Settlement) -> dict[str, tuple[int, ...]]:
    rows = {workspace.batch(v.batch).source: v.quarantined_rows for v in settled.verdicts}
    return {name: own for name, own in rows.items() if own}


@pytest.fixture(scope="module")
def vouched(
    tmp_path_factory: pytest.TempPathFactory, simulator: type[SourceSimulator]
) -> tuple[Path, SourceSimulator]:
    """Two reference and eighteen calibration windows, all honest."""
    desk = tmp_path_factory.mktemp("campaigns")
    sources = simulator(desk / "desk", NAMES, rows=100)
    with Workspace.init(desk / "home", clock=lambda: NOW_S) as workspace:
        set_policy(workspace)
        sources.register(workspace)
        for window in range(VOUCHED):
            (settled,) = send(workspace, sources, window, honest(sources, window))
            assert settled.campaigns == ()
    return desk / "home", sources


def set_policy(workspace: Workspace, more: str = "", outcomes: str = "") -> None:
    text = POLICY.format(outcomes=outcomes, more=more)
    (workspace.home / "policy.toml").write_text(text, encoding="utf-8")


@pytest.fixture
def sources(vouched: tuple[Path, SourceSimulator]) -> SourceSimulator:
    return vouched[1]


@pytest.fixture
def workspace(vouched: tuple[Path, SourceSimulator], tmp_path: Path) -> Iterator[Workspace]:
    """A copy of the vouched-for workspace."""
    shutil.copytree(vouched[0], tmp_path / "home")
    with Workspace.open(tmp_path / "home", clock=lambda: NOW_S) as opened:
        yield opened


def test_a_payload_that_three_of_eight_sources_share_waits_for_a_person(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    (settled,) = send(workspace, sources, VOUCHED, payload_window(sources, VOUCHED))
    outcomes = sources_by_outcome(workspace, settled)
    assert {name for name, outcome in outcomes.items() if outcome is not Outcome.ADMIT} == set(
        GUILTY
    )
    (record,) = workspace.campaigns(DATASET)
    assert record.standing == "open"
    assert {*record.campaign.sources, *record.campaign.suspected} == set(GUILTY)
    assert "Oz" in str(record.campaign.evidence)
    backlog = workspace.monitor(DATASET).backlog
    assert backlog["held"] + backlog["quarantined"] == len(GUILTY)
    explained = workspace.explain(record.campaign.batches[0])
    assert any(reason.rule.startswith("campaign-") for reason in explained.reasons)

    for batch in record.campaign.batches:
        workspace.decide(batch, "admit", "Oz has a station now")
    assert workspace.campaign(record.id).standing == "cleared"
    assert workspace.monitor(DATASET).false_rate == pytest.approx(1)
    (again,) = send(workspace, sources, VOUCHED + 1, payload_window(sources, VOUCHED + 1))
    assert "Oz" not in str(again.campaigns)
    before = workspace.log.catalog_dump()
    workspace.log.rebuild_catalog()
    assert workspace.log.catalog_dump() == before


def test_a_policy_may_let_a_batch_pass_without_its_payload(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    set_policy(workspace, outcomes='payload = "admit"\ncampaign_named = "admit"')
    (settled,) = send(workspace, sources, VOUCHED, payload_window(sources, VOUCHED))
    assert kept_out(workspace, settled) == dict.fromkeys(GUILTY, tuple(range(8)))
    assert len(workspace.reviews()) == len(GUILTY)


def test_rows_that_other_sources_contradict_stay_out(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    set_policy(workspace, '[reconcile]\nkey = ["stop"]\nvalues = ["price"]\nspreads = 20.0')
    tables = honest(sources, VOUCHED)
    price = tables["dino"]["price"].to_pylist()
    lies = [3 * value for value in price[:4]]
    tables["dino"] = replaced(tables["dino"], "price", [*lies, *price[4:]])
    (settled,) = send(workspace, sources, VOUCHED, tables)
    assert kept_out(workspace, settled) == {"dino": (0, 1, 2, 3)}
    guilty = next(v for v in settled.verdicts if v.quarantined_rows)
    assert "disagreement" in [reason.rule for reason in guilty.reasons]
    assert "others is" in workspace.explain(guilty.batch).findings[0].sentence


def test_a_source_beyond_its_cap_is_held_and_a_dominated_slice_is_warned_of(
    workspace: Workspace, sources: SourceSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    set_policy(workspace, '[diversity]\nwindow_share = 0.5\nslice_columns = ["town"]')
    tables = honest(sources, VOUCHED)
    large = pa.concat_tables([honest(sources, 40 + turn)["hans"] for turn in range(12)])
    tables["hans"] = replaced(large, "town", ["Bern"] * large.num_rows)
    (settled,) = send(workspace, sources, VOUCHED, tables)
    outcomes = sources_by_outcome(workspace, settled)
    assert outcomes["hans"] is Outcome.HOLD
    assert outcomes["anna"] is Outcome.ADMIT
    (guilty,) = (v for v in settled.verdicts if workspace.batch(v.batch).source == "hans")
    assert "diversity" in [reason.rule for reason in guilty.reasons]
    standing = workspace.monitor(DATASET)
    assert any("hans sends" in warning for warning in standing.dominance)
    (hans,) = (one for one in standing.sources if one.source == "hans")
    assert hans.rows > 0.5
    assert 0.5 < hans.labels["yes"] < 0.8
    assert (hans.subgroup, hans.of_subgroup > 0.8) == ('`town` = "Bern"', True)
    assert main(["monitor", DATASET, "--home", str(workspace.home)]) == 0
    lines = capsys.readouterr().out.splitlines()
    ending = f"{hans.of_subgroup:.0%}  {hans.subgroup}"
    weights = [line.split() for line in lines if line.endswith(ending)]
    assert [line[:2] for line in weights] == [["hans", f"{hans.rows:.1%}"]]
    assert max(len(line) for line in lines) <= 80


@pytest.fixture(scope="module", params=["", "twins"], ids=["undeclared", "declared"])
def paired(
    request: pytest.FixtureRequest,
    simulator: type[SourceSimulator],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, SourceSimulator, str]:
    """A gate that knows what is usual of five senders, two of which may be a declared group."""
    desk = tmp_path_factory.mktemp("paired")
    sources = simulator(desk / "desk", ("anna", "beat", "cara", "west", "east"), rows=100)
    with Workspace.init(desk / "home", clock=lambda: NOW_S) as workspace:
        (workspace.home / "policy.toml").write_text(TWINS_POLICY, encoding="utf-8")
        for name in sources.names:
            group = request.param if name in {"west", "east"} else ""
            workspace.add_source(name, [load_key(sources.keys[name]).public], group=group)
        for window in range(2):
            send(workspace, sources, window, honest(sources, window))
    return desk / "home", sources, request.param


@pytest.fixture
def twins(
    paired: tuple[Path, SourceSimulator, str], tmp_path: Path
) -> Iterator[tuple[Workspace, SourceSimulator, str]]:
    """A copy of it."""
    home, sources, group = paired
    shutil.copytree(home, tmp_path / "twins")
    with Workspace.open(tmp_path / "twins", clock=lambda: NOW_S) as opened:
        yield opened, sources, group


def test_a_sender_split_in_two_declared_feeds_is_capped_as_one_and_an_undeclared_one_is_not(
    twins: tuple[Workspace, SourceSimulator, str],
) -> None:
    workspace, sources, group = twins
    tables = honest(sources, 2)
    for name in ("west", "east"):
        tables[name] = pa.concat_tables([honest(sources, place)[name] for place in (2, 40, 41)])
        tables[name] = replaced(tables[name], "late", ["yes"] * tables[name].num_rows)
    for name in ("anna", "beat", "cara"):
        tables[name] = replaced(tables[name], "late", ["no"] * sources.rows)
    (settled,) = send(workspace, sources, 2, tables)
    said = capped(workspace, settled)
    assert said["anna"] == said["beat"] == said["cara"] == []
    assert said["east"] == said["west"]
    told = ["67% of the rows of the window", "53% of the rows of the dataset"] if group else []
    pair = 'the group "twins" (in this window "east", "west") sends '
    assert [one.partition(";")[0] for one in said["east"]] == [pair + share for share in told]
    warned = "the group twins (in this window east, west) sends 100% of the 600 rows with `late` = "
    assert workspace.monitor(DATASET).dominance == ((f'{warned}"yes"',) if group else ())


def test_the_share_of_a_declared_group_holds_what_its_absent_members_sent_before(
    twins: tuple[Workspace, SourceSimulator, str],
) -> None:
    workspace, sources, group = twins
    tables = honest(sources, 2)
    del tables["west"]
    (settled,) = send(workspace, sources, 2, tables)
    said = capped(workspace, settled)
    told = (
        'the group "twins" (in this window "east") sends 36% of the rows of the dataset; '
        "the policy allows 30%"
    )
    assert said.pop("east") == ([told] if group else [])
    assert set(map(tuple, said.values())) == {()}


def capped(workspace: Workspace, settled: Settlement) -> dict[str, list[str]]:
    """What was said of each source's caps; whoever was over one is held."""
    told: dict[str, list[str]] = {}
    for verdict in settled.verdicts:
        over = [reason for reason in verdict.reasons if reason.rule == "diversity"]
        assert all(reason.outcome is Outcome.HOLD for reason in over)
        assert not over or verdict.outcome is Outcome.HOLD
        told[workspace.batch(verdict.batch).source] = [reason.sentence for reason in over]
    return told


def test_few_rows_that_are_unlike_all_others_have_a_cap_of_their_own(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    set_policy(workspace, "[diversity]\nwindow_share = 0.3\nleverage_share = 0.18")
    tables = honest(sources, VOUCHED)
    (settled,) = send(workspace, sources, VOUCHED, tables)
    assert set(sources_by_outcome(workspace, settled).values()) == {Outcome.ADMIT}

    tables = honest(sources, VOUCHED + 1)
    far = [50.0 * (-1) ** place for place in range(sources.rows)]
    tables["hans"] = replaced(tables["hans"], "distance", far)
    tables["hans"] = replaced(tables["hans"], "hour", [place % 2 * 1000 for place in range(100)])
    (settled,) = send(workspace, sources, VOUCHED + 1, tables)
    (guilty,) = (v for v in settled.verdicts if workspace.batch(v.batch).source == "hans")
    said = [reason.sentence for reason in guilty.reasons if reason.rule == "diversity"]
    assert len(said) == 1  # an eighth of the rows, a fifth of the leverage
    assert "of the leverage in the window" in said[0]


def test_a_label_that_hangs_on_one_source_is_warned_of_unasked(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    tables = honest(sources, VOUCHED)
    tables["anna"] = pa.concat_tables([tables["anna"], honest(sources, 40)["anna"]])
    for name in NAMES[1:]:
        tables[name] = replaced(tables[name], "late", ["no"] * sources.rows)
    send(workspace, sources, VOUCHED, tables)
    (warning,) = workspace.monitor(DATASET).dominance
    assert warning.startswith("anna sends 100% of the ")
    assert warning.endswith('rows with `late` = "yes"')


def test_one_source_that_shifts_for_good_speaks_in_its_lane_and_the_policy_may_hold_it(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    set_policy(workspace, outcomes='source = "hold"')
    for window in range(VOUCHED, VOUCHED + 3):
        tables = honest(sources, window)
        later = [hour + 1 for hour in tables["beat"]["hour"].to_pylist()]
        tables["beat"] = replaced(tables["beat"], "hour", later)
        (settled,) = send(workspace, sources, window, tables)
    said = [sentence for sentence in settled.alarms if "chart" in sentence]
    assert said
    assert all(sentence.startswith("beat is ") for sentence in said)
    held = {v.batch: v for v in settled.verdicts if v.outcome is not Outcome.ADMIT}
    assert {workspace.batch(batch).source for batch in held} == {"beat"}
    charts = {one.source: one.charts for one in workspace.monitor(DATASET).sources}
    assert max(charts["beat"].values()) > 1


def test_a_campaign_of_flipped_labels_is_named_charted_monitored_and_proposes_a_policy(
    workspace: Workspace,
    sources: SourceSimulator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (quiet,) = send(workspace, sources, VOUCHED, honest(sources, VOUCHED))
    assert quiet.campaigns == ()
    for window in (VOUCHED + 1, VOUCHED + 2):
        send(workspace, sources, window, honest(sources, window, flip=0.7))
    records = [one for one in workspace.campaigns(DATASET) if one.campaign.sources]
    assert {name for one in records for name in one.campaign.sources} >= set(GUILTY)
    record = records[0]

    panel = workspace.panel(DATASET)
    assert panel.sources == NAMES
    assert len(panel.windows) == VOUCHED + 1  # the reference windows are not scanned
    assert panel.deviations.shape == (VOUCHED + 1, len(NAMES), len(panel.statistics))
    place = panel.statistics.index(record.campaign.statistic)
    now = np.abs(panel.deviations[panel.windows.index(record.campaign.window), :, place])
    assert {panel.sources[row] for row in np.argsort(-now)[:2]} <= set(GUILTY)

    standing = workspace.monitor(DATASET)
    assert standing.judged == 3
    assert standing.campaigns["open"] >= 1
    assert {one.source for one in standing.sources if one.watched_since} >= set(GUILTY)
    assert standing.sources[0].nearness >= standing.sources[-1].nearness
    workspace.close()

    home = ["--home", str(workspace.home)]
    picture = tmp_path / "campaign.svg"
    assert main(["campaigns", "show", record.id, "--svg", str(picture), *home]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("before", "without it the score is"))
    assert all(name in shown for name in record.campaign.sources)
    drawn = picture.read_text("utf-8")
    assert drawn.startswith("<svg")
    assert all(word in drawn for word in ("alarm", record.campaign.sources[0]))
    assert main(["campaigns", "list", "--json", *home]) == 0
    listed = json.loads(capsys.readouterr().out)["campaigns"]
    assert record.id in [one["id"] for one in listed]
    assert main(["monitor", DATASET, *home]) == 0
    assert "false alarms" in capsys.readouterr().out
    assert main(["policy", "propose", DATASET, "--out", str(tmp_path / "new.toml"), *home]) == 0
    assert "none adopted" in capsys.readouterr().out
    assert load_policy((tmp_path / "new.toml").read_bytes()).campaigns


def reasons_of(workspace: Workspace, settled: Settlement) -> dict[str, list[tuple[str, str]]]:
    """By source, the rules that spoke of its batch and their sentences."""
    return {
        workspace.batch(verdict.batch).source: [
            (reason.rule, reason.sentence) for reason in verdict.reasons
        ]
        for verdict in settled.verdicts
    }


def apart(
    tables: dict[str, pa.Table], *late: str
) -> tuple[dict[str, pa.Table], dict[str, pa.Table]]:
    """Tables that come in time, and those of the sources that do not."""
    return (
        {name: table for name, table in tables.items() if name not in late},
        {name: tables[name] for name in late},
    )


@pytest.mark.parametrize("leaps", [True, False])
def test_who_comes_late_is_told_what_it_would_have_been_told_in_time(
    workspace: Workspace, sources: SourceSimulator, tmp_path: Path, *, leaps: bool
) -> None:
    tables = honest(sources, VOUCHED)
    if leaps:
        tables["beat"] = replaced(tables["beat"], "late", ["yes"] * sources.rows)
    shutil.copytree(workspace.home, tmp_path / "twin")
    with Workspace.open(tmp_path / "twin", clock=lambda: NOW_S) as twin:
        (in_time,) = send(twin, sources, VOUCHED, tables)
        expected = reasons_of(twin, in_time)["beat"]
    assert ("source" in {rule for rule, _ in expected}) == leaps

    rest, late = apart(tables, "beat")
    send(workspace, sources, VOUCHED, rest)
    send(workspace, sources, VOUCHED + 1, honest(sources, VOUCHED + 1))
    panel = workspace.panel(DATASET)
    (settled,) = send(workspace, sources, VOUCHED, late)  # a week and a settlement later
    told = reasons_of(workspace, settled)["beat"]
    assert [one for one in told if one[0] != "late"] == expected
    assert [v.outcome for v in settled.verdicts] == [Outcome.HOLD]
    np.testing.assert_array_equal(workspace.panel(DATASET).deviations, panel.deviations)


def test_a_campaign_whose_members_come_late_is_a_campaign(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    rest, late = apart(payload_window(sources, VOUCHED), *GUILTY)
    (quiet,) = send(workspace, sources, VOUCHED, rest)
    assert quiet.campaigns == ()
    (settled,) = send(workspace, sources, VOUCHED, late)
    (record,) = workspace.campaigns(DATASET)
    assert {*record.campaign.sources, *record.campaign.suspected} == set(GUILTY)
    assert record.id == f"{DATASET}/{sources.window_start(VOUCHED)}/1"
    explained = workspace.explain(settled.verdicts[0].batch)
    assert explained.campaigns == (record.campaign,)
    assert workspace.explain(quiet.verdicts[0].batch).campaigns == ()
    for batch in record.campaign.batches:
        workspace.decide(batch, "admit", "Oz has a station now")
    assert workspace.campaign(record.id).standing == "cleared"
    before = workspace.log.catalog_dump()
    workspace.log.rebuild_catalog()
    assert workspace.log.catalog_dump() == before


def test_one_member_that_comes_after_its_accomplices_is_set_beside_them(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    rest, late = apart(payload_window(sources, VOUCHED), GUILTY[0])
    send(workspace, sources, VOUCHED, rest)
    (settled,) = send(workspace, sources, VOUCHED, late)
    (campaign,) = settled.campaigns
    assert GUILTY[0] in {*campaign.sources, *campaign.suspected}


def test_beside_nobody_there_is_nothing_to_set_a_late_batch_against_and_it_says_so(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    set_policy(workspace, outcomes='late = "admit"')
    send(workspace, sources, VOUCHED + 1, honest(sources, VOUCHED + 1))
    _, late = apart(honest(sources, VOUCHED), "beat")
    (settled,) = send(workspace, sources, VOUCHED, late)
    (verdict,) = settled.verdicts
    assert verdict.outcome is Outcome.HOLD
    assert ["nobody else" in reason.sentence for reason in verdict.reasons] == [True, False]


def test_a_better_batch_for_one_that_was_rejected_is_not_measured_with_it(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    set_policy(workspace, outcomes='source = "hold"')
    tables = honest(sources, VOUCHED)
    good = tables["beat"]
    tables["beat"] = replaced(good, "late", ["yes"] * sources.rows)
    (settled,) = send(workspace, sources, VOUCHED, tables)
    (bad,) = (v.batch for v in settled.verdicts if workspace.batch(v.batch).source == "beat")
    workspace.decide(bad, "reject", "the sender's clock was wrong")
    (again,) = send(workspace, sources, VOUCHED, {"beat": good})
    assert [rule for rule, _ in reasons_of(workspace, again)["beat"]] == ["late"]
