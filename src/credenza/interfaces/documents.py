"""What is told of a workspace, as JSON objects: the same under ``--json`` and over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from credenza.core.jsonable import jsonable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from credenza.core.errors import CredenzaError
    from credenza.gate.drift import WindowDrift
    from credenza.gate.monitor import CampaignRecord, Standing


class Document(NamedTuple):
    """One JSON object.

    Attributes:
        schema: "credenza.NAME/1"; the number grows when a reader would break.
        body: everything in it but the schema.
    """

    schema: str
    body: Mapping[str, object]

    def whole(self) -> dict[str, object]:
        """The object as it is written, its schema first."""
        return {"schema": self.schema, **self.body}


def campaigns_document(found: Sequence[CampaignRecord]) -> Document:
    """Campaigns, in the order given."""
    return Document("credenza.campaigns/1", {"campaigns": [jsonable(one) for one in found]})


def campaign_document(found: CampaignRecord, svg: Path | None = None) -> Document:
    """One campaign; ``svg`` is the file that its chart was written to, if it was."""
    body = {"campaign": jsonable(found), "svg": None if svg is None else str(svg)}
    return Document("credenza.campaign/1", body)


def monitor_document(found: Standing) -> Document:
    """How a dataset stands."""
    return Document("credenza.monitor/1", {"monitor": jsonable(found)})


def drift_document(found: WindowDrift) -> Document:
    """How far columns moved in one window."""
    return Document("credenza.drift/1", {"drift": jsonable(found)})


def health_document(entries: int) -> Document:
    """A workspace that opens, and how many entries its ledger has."""
    return Document("credenza.health/1", {"health": {"entries": entries}})


def error_document(error: CredenzaError) -> Document:
    """What went wrong, why, and what mends it."""
    body = {"code": error.code, "what": error.what, "why": error.why, "fix": error.fix}
    return Document("credenza.error/1", body)
