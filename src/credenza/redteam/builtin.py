"""The attacks that credenza ships."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.catalog import Catalog
from credenza.redteam.attacks.flood import Flood
from credenza.redteam.attacks.inserted import Inserted
from credenza.redteam.attacks.label_flip import LabelFlip
from credenza.redteam.attacks.pasted import Pasted
from credenza.redteam.attacks.skew import Skew
from credenza.redteam.attacks.trigger import Trigger
from credenza.redteam.attacks.warped import Warped
from credenza.redteam.updates.alie import LittleIsEnough
from credenza.redteam.updates.gaussian import Gaussian
from credenza.redteam.updates.ipm import InnerProduct
from credenza.redteam.updates.mimic import Mimic
from credenza.redteam.updates.min_max import MinMax
from credenza.redteam.updates.not_finite import NotFinite
from credenza.redteam.updates.replacement import Replacement
from credenza.redteam.updates.sign_flip import SignFlip

if TYPE_CHECKING:
    from credenza.core.protocols import Attack
    from credenza.redteam.probe import ProbedAttack
    from credenza.redteam.updates.protocol import UpdateAttack

ATTACKS: Catalog[ProbedAttack] = Catalog(
    "attack",
    {
        "flood": Flood,
        "label-flip": LabelFlip,
        "skew": Skew,
        "trigger": Trigger,
    },
)

UPDATE_ATTACKS: Catalog[UpdateAttack] = Catalog(
    "update-attack",
    {
        "alie": LittleIsEnough,
        "gaussian": Gaussian,
        "ipm": InnerProduct,
        "mimic": Mimic,
        "min-max": MinMax,
        "not-finite": NotFinite,
        "replacement": Replacement,
        "sign-flip": SignFlip,
    },
)

# On pictures and texts, which the feeds of the drill do not have.
CONTENT_ATTACKS: Catalog[Attack] = Catalog(
    "content-attack",
    {
        "inserted": Inserted,
        "pasted": Pasted,
        "warped": Warped,
    },
)
