"""The formats a scan reads, in the order in which they are tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.catalog import Catalog
from credenza.scanning.formats.arrow import ArrowFile
from credenza.scanning.formats.image_folder import ImageFolder
from credenza.scanning.formats.npz import NpzFile
from credenza.scanning.formats.saved_dataset import SavedDataset
from credenza.scanning.formats.tables import TableFiles

if TYPE_CHECKING:
    from credenza.scanning.reading import Reader

READERS: Catalog[Reader] = Catalog(
    "reader",
    {
        "arrow": ArrowFile,
        "npz": NpzFile,
        "saved-dataset": SavedDataset,
        "tables": TableFiles,
        "images": ImageFolder,
    },
)
