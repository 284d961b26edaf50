"""The checks of this package; only inversion needs torch, when it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.catalog import Catalog
from credenza.training.audit.clustering import ActivationClustering
from credenza.training.audit.deviation import Deviation
from credenza.training.audit.inversion import TriggerInversion
from credenza.training.audit.spectral import SpectralSignature
from credenza.training.audit.strip import Strip
from credenza.training.audit.transplant import Transplant
from credenza.training.audit.triggers import Triggers

if TYPE_CHECKING:
    from credenza.training.audit.case import Auditor

CHECKS: Catalog[Auditor] = Catalog(
    "check",
    {
        "clustering": ActivationClustering,
        "deviation": Deviation,
        "inversion": TriggerInversion,
        "spectral": SpectralSignature,
        "strip": Strip,
        "transplant": Transplant,
        "triggers": Triggers,
    },
)
