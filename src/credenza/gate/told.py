"""What happened in the gate, told to lineage tools: one OpenLineage event for each entry.

Derived from the ledger whenever it is asked for, so nothing is lost that was not sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from credenza.gate.governance.statements import instant
from credenza.provenance.exports.openlineage import (
    ENTRY_FACET,
    STATISTICS_FACET,
    assertions,
    facet,
    run_event,
    versioned,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from credenza.core.canonical import Json
    from credenza.core.types import Entry
    from credenza.gate.stores import Stores

    Document = Mapping[str, Json]
    Datasets = list[dict[str, Json]]


def told(stores: Stores, since: int) -> Iterator[tuple[int, bytes]]:
    """Index and event of every submission, verdict and version from entry ``since`` on."""
    ledger = stores.journal.ledger
    for entry in ledger.entries(since):
        tell = _TELL.get(entry.kind)
        if tell is None:
            continue
        document = stores.journal.document(entry.digest)
        job, inputs, outputs = tell(stores, document)
        yield (
            entry.index,
            run_event(
                f"urn:credenza:{entry.kind}:{entry.digest}",
                job,
                time=instant(entry.time_s),
                origin=ledger.origin,
                inputs=inputs,
                outputs=outputs,
                facets={"credenza_ledger": _entry(entry)},
            ),
        )


def _entry(entry: Entry) -> Json:
    return facet(ENTRY_FACET, entry=entry.index, digest=entry.digest)


def _submission(stores: Stores, document: Document) -> tuple[str, Datasets, Datasets]:
    """Files in, a batch out."""
    digest = str(document["batch"])
    manifest = stores.manifest(digest)
    files = [versioned(_sent_by(stores, digest), one.name, one.sha256) for one in manifest.files]
    batch = _batch(stores, digest)
    counted = facet(STATISTICS_FACET, rowCount=manifest.records)
    return (
        f"submit.{manifest.dataset}",
        files,
        [{**batch, "outputFacets": {"outputStatistics": counted}}],
    )


def _verdict(stores: Stores, document: Document) -> tuple[str, Datasets, Datasets]:
    """A batch in; each rule that spoke, and whether it let the batch pass."""
    digest = str(document["batch"])
    reasons = cast("list[dict[str, Json]]", document["reasons"])
    spoke = [(str(one["rule"]), one["outcome"] == "admit") for one in reasons]
    spoke.append((f"verdict {document['outcome']}", document["outcome"] == "admit"))
    judged = {"inputFacets": {"dataQualityAssertions": assertions(spoke)}}
    job = f"judge.{stores.manifest(digest).dataset}"
    return job, [{**_batch(stores, digest), **judged}], []


def _version(stores: Stores, document: Document) -> tuple[str, Datasets, Datasets]:
    """Batches and the version before in, a version out."""
    dataset, origin = str(document["dataset"]), stores.journal.ledger.origin
    batches = cast("list[Json]", document["batches"])
    came = [_batch(stores, str(digest)) for digest in batches]
    if document["parent"] is not None:
        came.append(versioned(origin, dataset, str(document["parent"])))
    made = versioned(origin, dataset, str(document["number"]))
    counted = facet(STATISTICS_FACET, rowCount=document["rows"])
    return f"publish.{dataset}", came, [{**made, "outputFacets": {"outputStatistics": counted}}]


def _batch(stores: Stores, digest: str) -> dict[str, Json]:
    return versioned(_sent_by(stores, digest), stores.manifest(digest).dataset, digest)


def _sent_by(stores: Stores, digest: str) -> str:
    return f"{stores.journal.ledger.origin}/{stores.manifest(digest).source}"


_TELL: Mapping[str, Callable[[Stores, Document], tuple[str, Datasets, Datasets]]] = {
    "submission": _submission,
    "verdict": _verdict,
    "version": _version,
}
