"""The detectors that come with the house."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.catalog import Catalog
from credenza.screening.detectors.association import Association
from credenza.screening.detectors.column_drift import ColumnDrift
from credenza.screening.detectors.confident_disagreement import ConfidentDisagreement
from credenza.screening.detectors.duplicates import Duplicates
from credenza.screening.detectors.interactions import ShillingCohorts
from credenza.screening.detectors.knn_disagreement import KnnDisagreement
from credenza.screening.detectors.subgroup_labels import SubgroupLabels

if TYPE_CHECKING:
    from credenza.core.protocols import Detector

DETECTORS: Catalog[Detector] = Catalog(
    "detector",
    {
        "association": Association,
        "column-drift": ColumnDrift,
        "confident-disagreement": ConfidentDisagreement,
        "duplicates": Duplicates,
        "interactions": ShillingCohorts,
        "knn-disagreement": KnnDisagreement,
        "subgroup-labels": SubgroupLabels,
    },
)

# What a scan asks when nobody names detectors; those for data it lacks are passed over.
SCAN_DETECTORS: tuple[str, ...] = (
    "association",
    "column-drift",
    "duplicates",
    "interactions",
    "knn-disagreement",
    "subgroup-labels",
)
