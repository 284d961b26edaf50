"""The detectors that come with the house."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.catalog import Catalog
from credenza.screening.detectors.activation_clusters import ActivationClusters
from credenza.screening.detectors.association import Association
from credenza.screening.detectors.autoencoder import Autoencoder
from credenza.screening.detectors.column_drift import ColumnDrift
from credenza.screening.detectors.common_shift import CommonShift
from credenza.screening.detectors.confident_disagreement import ConfidentDisagreement
from credenza.screening.detectors.confident_learning import ConfidentLearning
from credenza.screening.detectors.density_clusters import DensityClusters
from credenza.screening.detectors.disagreeing_carriers import DisagreeingCarriers
from credenza.screening.detectors.duplicates import Duplicates
from credenza.screening.detectors.image_manner import ImageManner
from credenza.screening.detectors.image_overlay import ImageOverlay
from credenza.screening.detectors.image_patches import ImagePatches
from credenza.screening.detectors.image_stamps import ImageStamps
from credenza.screening.detectors.image_texture import ImageTexture
from credenza.screening.detectors.inserted_words import InsertedWords
from credenza.screening.detectors.interactions import ShillingCohorts
from credenza.screening.detectors.isolation import Isolation
from credenza.screening.detectors.knn_disagreement import KnnDisagreement
from credenza.screening.detectors.lof import LocalOutlierFactor
from credenza.screening.detectors.near_copies import NearCopies
from credenza.screening.detectors.near_pictures import NearPictures
from credenza.screening.detectors.neighbour_labels import NeighbourLabels
from credenza.screening.detectors.number_habits import NumberHabits
from credenza.screening.detectors.odd_characters import OddCharacters
from credenza.screening.detectors.pixel_neighbours import PixelNeighbours
from credenza.screening.detectors.quantum_entropy import QuantumEntropy
from credenza.screening.detectors.robust_pca import RobustPca
from credenza.screening.detectors.spectral import SpectralSignature
from credenza.screening.detectors.subgroup_ceiling import SubgroupCeiling
from credenza.screening.detectors.subgroup_labels import SubgroupLabels

if TYPE_CHECKING:
    from credenza.core.protocols import Detector

DETECTORS: Catalog[Detector] = Catalog(
    "detector",
    {
        "activation-clusters": ActivationClusters,
        "association": Association,
        "autoencoder": Autoencoder,
        "column-drift": ColumnDrift,
        "common-shift": CommonShift,
        "confident-disagreement": ConfidentDisagreement,
        "confident-learning": ConfidentLearning,
        "density-clusters": DensityClusters,
        "disagreeing-carriers": DisagreeingCarriers,
        "duplicates": Duplicates,
        "image-manner": ImageManner,
        "image-overlay": ImageOverlay,
        "image-patches": ImagePatches,
        "image-stamps": ImageStamps,
        "image-texture": ImageTexture,
        "inserted-words": InsertedWords,
        "interactions": ShillingCohorts,
        "isolation": Isolation,
        "knn-disagreement": KnnDisagreement,
        "lof": LocalOutlierFactor,
        "near-copies": NearCopies,
        "near-pictures": NearPictures,
        "neighbour-labels": NeighbourLabels,
        "number-habits": NumberHabits,
        "odd-characters": OddCharacters,
        "pixel-neighbours": PixelNeighbours,
        "quantum-entropy": QuantumEntropy,
        "robust-pca": RobustPca,
        "spectral": SpectralSignature,
        "subgroup-ceiling": SubgroupCeiling,
        "subgroup-labels": SubgroupLabels,
    },
)

# What a scan asks when nobody names detectors; those for data it lacks are passed over.
SCAN_DETECTORS: tuple[str, ...] = (
    "association",
    "column-drift",
    "common-shift",
    "confident-disagreement",
    "density-clusters",
    "disagreeing-carriers",
    "duplicates",
    "image-manner",
    "image-overlay",
    "image-patches",
    "image-stamps",
    "inserted-words",
    "interactions",
    "knn-disagreement",
    "near-copies",
    "neighbour-labels",
    "odd-characters",
    "subgroup-ceiling",
    "subgroup-labels",
)
