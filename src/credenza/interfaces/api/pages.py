"""The pages of the service: each reads the workspace as it stands at that moment."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from credenza.core.errors import CredenzaError, UsageError
from credenza.core.text import quote
from credenza.interfaces.api.answers import failed, picture, said
from credenza.interfaces.charts import chart_in
from credenza.interfaces.documents import (
    campaign_document,
    campaigns_document,
    drift_document,
    health_document,
    monitor_document,
)
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.requests import Request

OPENAPI = "openapi.json"


def pages(home: Path) -> Starlette:
    """The pages of the workspace at ``home``; put a ``Guard`` before them.

    The workspace is opened for each request: nothing is kept between two, a gate that writes
    meanwhile waits for nobody, and an answer is as current as the command's. That costs what
    opening costs; reading hundreds of times a second is not what it is for.
    """

    def page(path: str, read: Callable[[Workspace, Request], Response], *takes: str) -> Route:
        def answer(request: Request) -> Response:
            _check(request, takes)
            with Workspace.open(home) as workspace, workspace.at_one_moment():
                return read(workspace, request)

        return Route(path, answer, methods=["GET"])

    app = Starlette(
        routes=[
            page("/v1/health", _health),
            page("/v1/campaigns", _campaigns, "dataset"),
            page("/v1/campaigns/{campaign:path}/chart.svg", _chart),
            page("/v1/campaigns/{campaign:path}", _campaign),
            page("/v1/monitor", _monitor, "dataset"),
            page("/v1/drift", _drift, "dataset", "window", "source"),
            Route(f"/{OPENAPI}", _openapi, methods=["GET"]),
        ],
        exception_handlers={CredenzaError: failed, HTTPException: failed, Exception: failed},
    )
    app.router.redirect_slashes = False  # another path is another page: there is one way to ask
    return app


def _health(workspace: Workspace, _request: Request) -> Response:
    return said(health_document(workspace.log.ledger.size))


def _campaigns(workspace: Workspace, request: Request) -> Response:
    return said(campaigns_document(workspace.campaigns(request.query_params.get("dataset"))))


def _campaign(workspace: Workspace, request: Request) -> Response:
    return said(campaign_document(workspace.campaign(request.path_params["campaign"])))


def _chart(workspace: Workspace, request: Request) -> Response:
    return picture(chart_in(workspace, workspace.campaign(request.path_params["campaign"])))


def _monitor(workspace: Workspace, request: Request) -> Response:
    return said(monitor_document(workspace.monitor(_dataset(request))))


def _drift(workspace: Workspace, request: Request) -> Response:
    asked = request.query_params
    found = workspace.drift(_dataset(request), asked.get("window", ""), asked.get("source", ""))
    return said(drift_document(found))


def _dataset(request: Request) -> str:
    """Which dataset a page is asked about."""
    dataset = request.query_params.get("dataset")
    if dataset is None:
        raise UsageError(
            "no-dataset",
            "no dataset is named",
            why="a workspace has several, and each stands for itself",
            fix=f"ask for {request.url.path}?dataset=NAME",
        )
    return dataset


def _openapi(_request: Request) -> Response:
    text = resources.files(__package__).joinpath(OPENAPI).read_bytes()
    return Response(text, media_type="application/json")


def _check(request: Request, takes: tuple[str, ...]) -> None:
    """Refuse parameters that nobody reads: a mistyped one would change what is meant."""
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in takes or given.count(name) > 1:
            raise UsageError(
                "bad-parameter",
                f"the parameter {quote(name)} is not understood",
                why=f"this page takes {', '.join(takes) or 'none'}, each once",
                fix="leave it out, or see /openapi.json",
            )
