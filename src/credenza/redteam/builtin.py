"""The attacks that credenza ships."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.catalog import Catalog
from credenza.redteam.attacks.flood import Flood
from credenza.redteam.attacks.label_flip import LabelFlip
from credenza.redteam.attacks.skew import Skew
from credenza.redteam.attacks.trigger import Trigger

if TYPE_CHECKING:
    from credenza.redteam.probe import ProbedAttack

ATTACKS: Catalog[ProbedAttack] = Catalog(
    "attack",
    {
        "flood": Flood,
        "label-flip": LabelFlip,
        "skew": Skew,
        "trigger": Trigger,
    },
)
