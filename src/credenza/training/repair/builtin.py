"""The repairs of this package. Importing it loads torch, or says that it is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.catalog import Catalog
from credenza.training.repair.anp import AdversarialNeuronPruning
from credenza.training.repair.finetune import FineTune
from credenza.training.repair.prune import ActivationDifference, FinePruning
from credenza.training.repair.retain import RetainNotTarget
from credenza.training.repair.transplant import TransplantUnlearning
from credenza.training.repair.tuning import STEPS
from credenza.training.repair.unlearn import InversionUnlearning

if TYPE_CHECKING:
    from credenza.training.repair.evidence import Repair

SHARPNESS = 0.5


def _sharpness_aware(radius: float = SHARPNESS, steps: int = 2 * STEPS) -> FineTune:
    return FineTune(radius, steps)


REPAIRS: Catalog[Repair] = Catalog(
    "repair",
    {
        "activation-pruning": ActivationDifference,
        "anp": AdversarialNeuronPruning,
        "fine-pruning": FinePruning,
        "fine-tune": FineTune,
        "ft-sam": _sharpness_aware,
        "retain-not-target": RetainNotTarget,
        "transplant": TransplantUnlearning,
        "unlearn": InversionUnlearning,
    },
)
