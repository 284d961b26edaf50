"""The defences of this package. Importing it loads torch, or says that it is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.catalog import Catalog
from credenza.training.robust.adversarial import PoisonAdversary
from credenza.training.robust.augmentation import StrongAugmentation
from credenza.training.robust.filtering import SpectralFilter
from credenza.training.robust.light_noise import ClippedNoise
from credenza.training.robust.trimming import TrimmedLoss

if TYPE_CHECKING:
    from credenza.training.robust.defence import Defence

DEFENCES: Catalog[Defence] = Catalog(
    "defence",
    {
        "augmentation": StrongAugmentation,
        "clipped-noise": ClippedNoise,
        "poison-adversary": PoisonAdversary,
        "spectral-filter": SpectralFilter,
        "trimmed-loss": TrimmedLoss,
    },
)
