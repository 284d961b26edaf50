"""The service over real HTTP on loopback: what the commands say, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from credenza.core.errors import (
    ConflictError,
    CredenzaError,
    ForbiddenError,
    InternalError,
    NotFoundError,
    UntrustedError,
    UsageError,
)
from credenza.core.jsonable import jsonable
from credenza.core.types import Campaign
from credenza.gate.drift import ColumnDistance, WindowDrift
from credenza.gate.monitor import CampaignRecord, SourceState, Standing
from credenza.interfaces.api.answers import failed
from credenza.interfaces.api.pages import pages
from credenza.interfaces.cli.main import main
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from tests.interfaces.conftest import Gate, Serve, Service

ID = "trips/2024-02-26/1"
HOSTILE_ID = "trips/2024-03-04/1"
DRIFT = "/v1/drift?dataset=trips&window=2024-02-26"


@pytest.fixture(scope="module")
def openapi(service: Service) -> dict[str, Any]:
    """What the service says of itself."""
    return service.get("/openapi.json").document


def printed(gate: Gate, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """What a command prints under ``--json``."""
    assert main([*words, "--json", "--home", str(gate.home)]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_every_campaign_that_the_command_lists_the_service_lists_and_shows_the_same(
    gate: Gate, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = printed(gate, capsys, "campaigns", "list")
    assert [one["id"] for one in listed["campaigns"]] == [ID, HOSTILE_ID]
    assert service.get("/v1/campaigns").document == listed
    for one in listed["campaigns"]:
        shown = printed(gate, capsys, "campaigns", "show", one["id"])
        assert service.get(f"/v1/campaigns/{one['id']}").document == shown
        assert service.get(f"/v1/campaigns/{quote(one['id'], safe='')}").document == shown


def test_campaigns_of_one_dataset_are_those_of_the_command(
    gate: Gate, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("trips", "another"):
        listed = printed(gate, capsys, "campaigns", "list", "--dataset", name)
        assert service.get(f"/v1/campaigns?dataset={name}").document == listed


def test_the_standing_of_a_dataset_is_that_of_the_command(
    gate: Gate, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = printed(gate, capsys, "monitor", "trips")
    assert shown["monitor"]["campaigns"]["open"] == 2
    assert service.get("/v1/monitor?dataset=trips").document == shown


def test_how_far_columns_moved_is_what_the_command_measures_of_all_senders_and_of_one(
    gate: Gate, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("drift", "trips", "--window", "2024-02-26")
    shown = printed(gate, capsys, *words)
    assert len({one["source"] for one in shown["drift"]["columns"]}) > 1
    assert service.get(DRIFT).document == shown
    shown = printed(gate, capsys, *words, "--source", "alpha")
    assert {one["source"] for one in shown["drift"]["columns"]} == {"alpha"}
    assert service.get(f"{DRIFT}&source=alpha").document == shown


def test_a_chart_is_the_commands_picture_and_nothing_hostile_is_alive_in_it(
    gate: Gate, service: Service, tmp_path: Path
) -> None:
    marks = {ID: "<rect ", HOSTILE_ID: "<path "}
    for one, mark in marks.items():
        file = tmp_path / "chart.svg"
        assert main(["campaigns", "show", one, "--svg", str(file), "--home", str(gate.home)]) == 0
        answer = service.get(f"/v1/campaigns/{one}/chart.svg")
        assert answer.headers["content-type"] == "image/svg+xml; charset=utf-8"
        drawn = answer.body.decode()
        assert drawn == file.read_text("utf-8")
        assert mark in drawn
        assert "<script" not in drawn
        assert ("&lt;script&gt;" in drawn) == (one == ID)  # the other's name has no line
        tags = set(re.findall(r"<[/!]?([^\s>/]+)", drawn))
        assert tags <= {"svg", "title", "text", "line", "path", "rect"}
        assert not set(drawn) & {"\x1b", "\u202e"}


def test_hostile_names_are_ascii_in_every_document(service: Service) -> None:
    for path in ("/v1/campaigns", f"/v1/campaigns/{HOSTILE_ID}", "/v1/monitor?dataset=trips"):
        body = service.get(path).body
        assert body.isascii()
        assert b"\\u202e" in body
        assert b"\x1b" not in body


def test_health_tells_how_long_the_ledger_is(gate: Gate, service: Service) -> None:
    with Workspace.open(gate.home) as workspace:
        entries = workspace.log.ledger.size
    told = {"schema": "credenza.health/1", "health": {"entries": entries}}
    assert service.get("/v1/health").document == told


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/campaigns/trips/2024-02-26/9", 404, "no-such-campaign"),
        ("/v1/campaigns/", 404, "no-such-campaign"),
        ("/v1/campaigns/nothing/chart.svg", 404, "no-such-campaign"),
        ("/v1/monitor", 400, "no-dataset"),
        ("/v1/monitor?dataset=another", 404, "nothing-settled"),
        ("/v1/monitor?dataset=trips&dataset=other", 400, "bad-parameter"),
        ("/v1/drift", 400, "no-dataset"),
        ("/v1/drift?dataset=another", 404, "no-such-window"),
        ("/v1/drift?dataset=trips&window=2020-01-06", 404, "no-such-window"),
        (f"{DRIFT}&source=nobody", 404, "unknown-source"),
        (f"{DRIFT}&from=alpha", 400, "bad-parameter"),
        ("/v1/campaigns?datset=trips", 400, "bad-parameter"),
        ("/v1/health?x=1", 400, "bad-parameter"),
        ("/v1/health/", 404, "no-such-page"),
        ("/v1", 404, "no-such-page"),
        ("/", 404, "no-such-page"),
        ("/docs", 404, "no-such-page"),
    ],
)
def test_what_cannot_be_answered_says_what_why_and_how_to_mend_it(
    path: str, status: int, code: str, service: Service
) -> None:
    answer = service.get(path)
    assert (answer.status, answer.document["code"]) == (status, code)
    assert answer.document["schema"] == "credenza.error/1"
    assert all(answer.document[word] for word in ("what", "why", "fix"))


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (UsageError, 400),
        (ForbiddenError, 403),
        (NotFoundError, 404),
        (ConflictError, 409),
        (UntrustedError, 422),
        (InternalError, 500),
    ],
)
def test_every_kind_of_error_has_its_status(
    kind: type[CredenzaError], status: int, request_: Request
) -> None:
    answer = failed(request_, kind("a-code", "what", why="why", fix="fix"))
    told = {"schema": "credenza.error/1", "code": "a-code", "what": "what"}
    assert answer.status_code == status
    assert json.loads(bytes(answer.body)) == {**told, "why": "why", "fix": "fix"}


@pytest.fixture
def request_() -> Request:
    from starlette.requests import Request  # noqa: PLC0415

    return Request({"type": "http", "headers": []})


def test_a_defect_is_told_without_what_it_was_and_logged_with_it(
    gate: Gate, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("secret \x1b[31m of the machine")

    monkeypatch.setattr(Workspace, "monitor", breaks)
    service = serve(gate.home)
    answer = service.get("/v1/monitor?dataset=trips")
    assert (answer.status, answer.document["code"]) == (500, "defect")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert b"secret" not in answer.body
    assert b"Traceback" not in answer.body
    assert service.has_logged("RuntimeError: secret \\x1b[31m")
    assert not any("\x1b" in line for line in service.log)
    assert service.get("/v1/health").status == 200


def test_what_it_says_of_itself_is_valid_and_names_exactly_its_pages(
    gate: Gate, openapi: dict[str, Any]
) -> None:
    validate(openapi)
    routes = {route.path.replace(":path", "") for route in pages(gate.home).routes}  # type: ignore[attr-defined]  # all are Routes
    assert set(openapi["paths"]) == routes
    assert {method for page in openapi["paths"].values() for method in page} == {"get"}


def test_what_it_says_of_itself_has_every_field_of_what_it_tells(openapi: dict[str, Any]) -> None:
    nouns = (Campaign, CampaignRecord, Standing, SourceState, WindowDrift, ColumnDistance)
    for noun in nouns:
        schema = openapi["components"]["schemas"][noun.__name__]
        names = {one.name for one in dataclasses.fields(noun)}
        assert set(schema["properties"]) == set(schema["required"]) == names


@pytest.mark.parametrize(
    ("page", "path"),
    [
        ("/v1/health", "/v1/health"),
        ("/v1/campaigns", "/v1/campaigns"),
        ("/v1/campaigns/{campaign}", f"/v1/campaigns/{ID}"),
        ("/v1/campaigns/{campaign}", f"/v1/campaigns/{HOSTILE_ID}"),
        ("/v1/campaigns/{campaign}", "/v1/campaigns/nothing"),
        ("/v1/monitor", "/v1/monitor?dataset=trips"),
        ("/v1/monitor", "/v1/monitor?x=1"),
        ("/v1/drift", DRIFT),
        ("/v1/drift", "/v1/drift?dataset=another"),
    ],
)
def test_every_answer_is_as_it_says_of_itself(
    page: str, path: str, service: Service, openapi: dict[str, Any]
) -> None:
    answer = service.get(path)
    told = openapi["paths"][page]["get"]["responses"][str(answer.status)]
    if "$ref" in told:
        told = openapi["components"]["responses"][told["$ref"].rsplit("/", 1)[1]]
    schema = told["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": openapi["components"]}).validate(answer.document)


def test_nothing_that_is_asked_changes_the_ledger(gate: Gate, service: Service) -> None:
    with Workspace.open(gate.home) as workspace:
        before = (workspace.log.ledger.checkpoint(), workspace.log.catalog_dump())
    for page in ("/v1/health", "/v1/campaigns", f"/v1/campaigns/{ID}", "/v1/monitor", DRIFT):
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            reads = method in {"GET", "HEAD"}
            assert (service.get(page, method).status == 405) != reads
    with Workspace.open(gate.home) as workspace:
        assert before == (workspace.log.ledger.checkpoint(), workspace.log.catalog_dump())


def test_a_refused_method_says_which_are_taken(service: Service) -> None:
    answer = service.get("/v1/campaigns", "DELETE")
    assert answer.document["code"] == "read-only"
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_answers_are_whole_and_current_while_a_gate_submits_and_settles(
    gate: Gate, serve: Serve, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(gate.home, home)
    service = serve(home)
    before = service.get("/v1/monitor?dataset=trips").document["monitor"]
    weeks, sizes = [9, 10], []

    def work() -> None:
        with Workspace.open(home) as workspace:
            for week in weeks:
                gate.week(workspace, week)
                sizes.append(workspace.log.ledger.size)

    writer = threading.Thread(target=work)
    writer.start()
    seen = []
    while writer.is_alive():
        standing = service.get("/v1/monitor?dataset=trips")
        assert standing.status == 200
        seen.append(standing.document["monitor"])
    writer.join()
    assert len(sizes) == len(weeks)
    now = service.get("/v1/monitor?dataset=trips").document["monitor"]
    assert now["judged"] == before["judged"] + len(weeks) - 1  # the ninth was recorded already
    assert service.get("/v1/health").document["health"]["entries"] == sizes[-1]
    judged = [one["judged"] for one in seen]
    assert judged == sorted(judged)
    assert all(sum(one["campaigns"].values()) >= 2 for one in seen)


def test_an_answer_is_of_one_moment_and_the_next_one_is_newer(
    gate: Gate, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(gate.home, home)
    service, monitor, twice = serve(home), Workspace.monitor, []

    def while_a_week_is_settled(workspace: Workspace, dataset: str) -> Standing:
        first = monitor(workspace, dataset)
        with Workspace.open(home) as writer:
            gate.week(writer, 9)
        twice.extend([first, monitor(workspace, dataset)])
        return first

    with monkeypatch.context() as patched:
        patched.setattr(Workspace, "monitor", while_a_week_is_settled)
        during = service.get("/v1/monitor?dataset=trips").document
    assert jsonable(twice[0]) == jsonable(twice[1]) == during["monitor"]
    assert service.get("/v1/monitor?dataset=trips").document != during


def test_a_workspace_that_is_gone_or_broken_is_told_of_and_comes_back(
    gate: Gate, serve: Serve, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(gate.home, home)
    service = serve(home)
    home.rename(tmp_path / "away")
    answer = service.get("/v1/health")
    assert (answer.status, answer.document["code"]) == (404, "no-workspace")
    (tmp_path / "away").rename(home)
    checkpoint = home / "ledger" / "checkpoint"
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole.replace(whole.splitlines()[1], b"999999"))
    answer = service.get("/v1/campaigns")
    assert answer.status == 422
    assert answer.document["fix"]
    checkpoint.write_bytes(whole)
    (home / "policy.toml").write_text("schema = 1")
    assert service.get("/v1/monitor?dataset=trips").status == 400
    catalog = home / "catalog.sqlite"
    index = catalog.read_bytes()
    catalog.write_bytes(b"no database at all" * 300)
    answer = service.get("/v1/health")
    assert (answer.status, answer.document["code"]) == (409, "catalog-unusable")
    catalog.write_bytes(index)
    assert service.get("/v1/health").status == 200


def test_a_workspace_that_another_process_holds_for_writing_is_read_all_the_same(
    gate: Gate, serve: Serve, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(gate.home, home)
    service = serve(home)
    with Workspace.open(home) as writer:
        writer.freeze_source("fox", "why")
        assert service.get("/v1/campaigns").status == 200
        assert service.get("/v1/health").document["health"]["entries"] == writer.log.ledger.size
