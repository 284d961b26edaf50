"""The validators that credenza ships."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.catalog import Catalog
from credenza.response.validators.recompute import Recompute
from credenza.response.validators.reconcile import Reconcile
from credenza.response.validators.rederive import Rederive
from credenza.response.validators.relabel import Relabel
from credenza.response.validators.rescreen import Rescreen
from credenza.response.validators.with_and_without import WithAndWithout

if TYPE_CHECKING:
    from credenza.response.case import Validator

VALIDATORS: Catalog[Validator] = Catalog(
    "validator",
    {
        "recompute": Recompute,
        "reconcile": Reconcile,
        "rederive": Rederive,
        "relabel": Relabel,
        "rescreen": Rescreen,
        "with-and-without": WithAndWithout,
    },
)
