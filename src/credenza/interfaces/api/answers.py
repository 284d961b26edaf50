"""Answers of the service: documents, pictures, and errors with their statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response

from credenza.core.errors import CredenzaError, InternalError, NotFoundError, UsageError
from credenza.interfaces.cli.answer import ascii_json
from credenza.interfaces.documents import error_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from credenza.interfaces.documents import Document

NOT_FOUND = 404


def said(
    document: Document, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A document, byte for byte what the command prints under ``--json``."""
    body = ascii_json(document.whole()) + "\n"
    return Response(body, status, headers, media_type="application/json")


def picture(svg: str) -> Response:
    """A chart."""
    return Response(svg, media_type="image/svg+xml; charset=utf-8")


def failed(_request: Request, wrong: Exception) -> Response:
    """What went wrong, with the status that its kind has (DESIGN, section 4).

    Of a defect of ours the caller learns that it is one; what it was is for the log.
    """
    if isinstance(wrong, CredenzaError):
        return said(error_document(wrong), status=wrong.http_status)
    if isinstance(wrong, HTTPException):
        document = error_document(_unroutable(wrong))
        return said(document, status=wrong.status_code, headers=wrong.headers)
    defect = InternalError(
        "defect",
        "credenza met a case it does not know",
        why="what it was stands in the log of the service",
        fix="look there, and report it; nothing was changed",
    )
    return said(error_document(defect), status=defect.http_status)


def _unroutable(wrong: HTTPException) -> CredenzaError:
    """The framework's refusals in our words: there are two, no such page and no such method."""
    if wrong.status_code == NOT_FOUND:
        return NotFoundError(
            "no-such-page",
            "the service has no such page",
            why="the path is none of those that /openapi.json lists",
            fix="ask for one of those",
        )
    return UsageError(
        "read-only",
        "the service only reads",
        why="everything it has is asked for with GET",
        fix="do it with the command, `credenza --help`, where the workspace is",
    )
