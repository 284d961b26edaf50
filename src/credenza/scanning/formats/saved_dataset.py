"""A Hugging Face dataset as ``save_to_disk`` leaves it: Arrow files and two small JSONs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from credenza.core.errors import UsageError
from credenza.core.text import quote, tick
from credenza.core.types import Role
from credenza.provenance.intake.limits import check_decoded, check_rows, refused
from credenza.scanning.formats.arrow import read_arrow
from credenza.scanning.reading import Reading

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.core.types import Limits

_JSON_BYTES = 16 * 2**20
_PREFERRED = "train"


class SavedDataset:
    """Reads the Arrow files that ``state.json`` lists, without the ``datasets`` package.

    Class labels get their names back. A folder of several splits is read at its
    ``train`` split, and that is said. Only plain file names inside the folder are
    opened, whatever the JSON asks for.
    """

    reads = "a Hugging Face dataset saved on disk"

    def fits(self, path: Path) -> bool:
        """A folder with ``state.json`` or ``dataset_dict.json``."""
        return (path / "state.json").is_file() or (path / "dataset_dict.json").is_file()

    def read(self, path: Path, limits: Limits) -> Reading:
        """Parse, or refuse.

        Raises:
            UntrustedError: ``bad-dataset`` when the JSON is not what it should be, and
                what the Arrow files may raise.
            UsageError: several splits and none is called train.
        """
        notices: tuple[str, ...] = ()
        if not (path / "state.json").is_file():
            path, notices = _split_of(path)
        state = _json(path / "state.json")
        files = [_plain_name(one.get("filename")) for one in _dicts(state.get("_data_files"))]
        if not files or state.get("_indices_data_files"):
            raise _bad("it lists no data files, or rows in an order that is kept elsewhere")
        tables = []
        for name in files:
            tables.append(read_arrow(path / name, limits))
            check_rows(sum(len(table) for table in tables), limits)
            check_decoded(sum(table.nbytes for table in tables), limits)
        table = pa.concat_tables(tables, promote_options="default")
        return _named(table, path, notices)


def _split_of(path: Path) -> tuple[Path, tuple[str, ...]]:
    listed = _json(path / "dataset_dict.json").get("splits")
    splits = [_plain_name(name) for name in listed] if isinstance(listed, list) else []
    if not splits:
        raise _bad("it lists no splits")
    chosen = splits[0] if len(splits) == 1 else _PREFERRED
    if chosen not in splits:
        raise UsageError(
            "which-split",
            "the folder holds several splits, and none is called train",
            why=f"there are: {', '.join(quote(name) for name in splits[:20])}",
            fix="name the folder of one split",
        )
    others = [quote(name) for name in splits if name != chosen]
    said = f"the split {quote(chosen)} was read"
    return path / chosen, (said + (f", not {', '.join(others[:20])}" if others else ""),)


def _named(table: pa.Table, path: Path, notices: tuple[str, ...]) -> Reading:
    """Class labels by name, and roles where the features say them."""
    info = path / "dataset_info.json"
    features = _json(info).get("features") if info.is_file() else {}
    hints: dict[str, Role] = {}
    classes = []
    for name, feature in (features if isinstance(features, dict) else {}).items():
        kind = feature.get("_type") if isinstance(feature, dict) else None
        if name not in table.column_names:
            continue
        if kind == "Image":
            hints[name] = Role.IMAGE
        names = feature.get("names") if kind == "ClassLabel" else None
        if isinstance(names, list) and all(isinstance(one, str) for one in names):
            classes.append(name)
            place = table.column_names.index(name)
            table = table.set_column(place, name, _words(table.column(name), names))
    if len(classes) == 1:
        hints[classes[0]] = Role.LABEL
    said = tuple(f"{tick(name)} shows the names of its classes" for name in classes)
    return Reading(table, hints, notices + said)


def _words(column: Any, names: list[str]) -> pa.Array:  # noqa: ANN401 - pyarrow is untyped
    codes = np.nan_to_num(column.cast(pa.float64()).to_numpy(), nan=-1).astype(np.int64)
    known = (codes >= 0) & (codes < len(names))
    # A code without a name stays a number: it is for the detectors to find it odd.
    words = [
        names[code] if is_known else (str(code) if code >= 0 else None)
        for code, is_known in zip(codes.tolist(), known.tolist(), strict=True)
    ]
    return pa.array(words, pa.string())


def _json(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_JSON_BYTES))
    except (OSError, ValueError, RecursionError) as wrong:
        raise _bad(f"{path.name}: {wrong}") from wrong
    if not isinstance(found, dict):
        raise _bad(f"{path.name} is no object")
    return found


def _dicts(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _plain_name(name: object) -> str:
    if not isinstance(name, str) or not name or "/" in name or "\\" in name or name[0] == ".":
        raise _bad(f"it names {name!r}, which is no file of this folder")
    return name


def _bad(why: str) -> Exception:
    return refused(
        "bad-dataset",
        "a folder looks like a saved dataset and is none",
        why=why,
        fix="save it again with `dataset.save_to_disk`",
    )
