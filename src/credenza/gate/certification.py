"""The certificate that a policy demands of a version before it is released."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from credenza.core.errors import ConflictError
from credenza.datasets.lineage_columns import BATCH, ROW, SOURCE
from credenza.gate.registry import roster
from credenza.store.rows import BatchRow, HeadRow

if TYPE_CHECKING:
    from credenza.core.types import Version
    from credenza.gate.policy import ReleaseRule
    from credenza.gate.stores import Stores
    from credenza.training.assignment import Assignment


def refuse_uncertified(
    stores: Stores, version: Version, rule: ReleaseRule, verified: pa.Table | None = None
) -> str:
    """What the certificate says, if the rule demands one and the version meets it.

    The gate computes it from the very rows that would be released, with the sources that
    the ledger names and the groups they were registered with, so nobody can bring the
    certificate of something else. It speaks of an ensemble of boosted trees with one
    member per source; a release that passes can carry such a model, another model of the
    same rows is not covered. Without verified rows it counts on labels that the sources
    gave themselves, and says so.

    Args:
        stores: the workspace.
        version: what would be released.
        rule: the policy's demand.
        verified: rows that somebody vouches for, with the dataset's columns.

    Returns:
        A sentence; "" when nothing is demanded.

    Raises:
        ConflictError: the demand is not met.

    Complexity:
        Holds the version in memory, and trains a model of as many members as sources.
    """
    if not rule.certified_against:
        return ""
    from credenza.training.certified import demand  # noqa: PLC0415 - where it is demanded
    from credenza.training.certify_table import certify_table  # noqa: PLC0415 - scikit-learn

    rows = pa.Table.from_batches(stores.datasets.read(version.dataset, version.number))
    found = certify_table(
        rows.drop_columns([BATCH, ROW]),
        label=_label(stores, version.dataset),
        source=SOURCE,
        assignment=_one_unit_per_group(stores),
        trusted=verified,
        hostile=(rule.certified_against,),
    )
    reason = demand(found.curve, rule.certified_against, rule.certified_accuracy)
    sentence = reason.sentence + ("" if found.verified else "; counted on unverified labels")
    if reason.outcome > 0:
        raise ConflictError(
            "not-certified",
            f"version {version.number} of {version.dataset!r} lacks the certificate it needs",
            why=sentence,
            fix="give verified rows with --verified, have more sources, or change [release]",
        )
    return sentence


def _one_unit_per_group(stores: Stores) -> Assignment:
    from credenza.training.assignment import Assignment  # noqa: PLC0415 - where it is demanded

    known = roster(stores).sources
    declared = {name: source.group for name, source in known.items() if source.group}
    return Assignment(0, tuple(sorted(known)), declared)


def _label(stores: Stores, dataset: str) -> str:
    with stores.journal.catalog.snapshot() as index:
        head = index.newest(HeadRow, dataset=dataset)
        row = None if head is None else index.get(BatchRow, head.digest)
    # A version without a batch does not exist, and one without a label has nothing to learn.
    return "" if row is None else str(stores.submission(row)["label"])
