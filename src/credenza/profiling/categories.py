"""Strings, truth values and labels to counts, counts by label, and hashes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from credenza.core.errors import UntrustedError
from credenza.profiling import sketches
from credenza.profiling.arrays import laid_open, logical_type
from credenza.profiling.state import CATEGORY_CAP, LABEL_CAP, VALUE_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from credenza.core.types import Ints

SLICE_ROWS = 1 << 16
WORD_HASHED_BYTES = 64


@dataclass(frozen=True, slots=True)
class Labels:
    """Each row's label.

    Attributes:
        codes: ``(n,)`` 1 + the label's place in ``names``; 0 for none.
        names: distinct labels.
    """

    codes: Ints
    names: list[str]


@dataclass(slots=True)
class Tally:
    """What one column has come to while its chunks go by.

    Attributes:
        counts: rows of each value; None once over the cap.
        by_label: rows of each (value, label); None once over the cap, or without labels.
        seen: arrays of values that cover every distinct one, for hashing.
    """

    counts: dict[str, int] | None = field(default_factory=dict)
    by_label: dict[tuple[str, str], int] | None = field(default_factory=dict)
    seen: list[pa.Array] = field(default_factory=list)
    nulls: int = 0

    def close(self) -> None:
        """Give up counting: the column is over its cap."""
        self.counts = self.by_label = None


def labels_of(column: pa.ChunkedArray) -> Labels | None:
    """The labels as integers; None when there are too many to count by."""
    places: dict[str, int] = {}
    parts = [np.empty(0, dtype=np.int64)]
    for codes, values in _encoded(column):
        if len(values) <= SLICE_ROWS:
            known = [1 + places.setdefault(text, len(places)) for text in texts_of(values)]
            parts.append(np.array([0, *known], dtype=np.int64)[codes])
        if len(values) > SLICE_ROWS or len(places) > CATEGORY_CAP:
            return None
    names = list(places)
    codes = np.concatenate(parts)
    used = np.bincount(codes, minlength=len(names) + 1)[1:] > 0
    return Labels(codes, names) if used.sum() <= LABEL_CAP else None


def tallied(column: pa.ChunkedArray, labels: Labels | None) -> Tally:
    """Count a column's categories, exactly up to the cap, and collect what to hash.

    Whether the cap is passed depends on the distinct values alone, never on their order,
    so a merge decides the same. Blind beyond it: only how many distinct remains.

    Args:
        column: strings, dictionaries, truth values; a label may be any scalar.
        labels: the label of each row, or None for no counts by label.
    """
    tally = Tally(by_label=None if labels is None else {})
    at = 0
    for chunk in column.chunks:
        for start in range(0, len(chunk), _step(chunk)):
            part = chunk.slice(start, _step(chunk))
            rows = slice(at, at + len(part))
            at = rows.stop
            if tally.counts is None and logical_type(part.type) == "text":
                tally.nulls += part.null_count
                tally.seen.append(_plain_text(part.drop_null()))
            else:
                near = None if labels is None else Labels(labels.codes[rows], labels.names)
                _add(tally, *_coded(part), near)
    return tally


def _add(tally: Tally, codes: Ints, values: pa.Array, labels: Labels | None) -> None:
    """Add rows: ``codes`` are 1 + a place in ``values``, 0 for null."""
    if tally.by_label is None:
        labels = None
    width = 1 if labels is None or len(values) > CATEGORY_CAP else len(labels.names) + 1
    table = np.zeros((len(values) + 1) * width, dtype=np.int64)
    for start in range(0, len(codes), SLICE_ROWS):
        cells = codes[start : start + SLICE_ROWS]
        if width > 1 and labels is not None:
            cells = cells * width + labels.codes[start : start + SLICE_ROWS]
        table += np.bincount(cells, minlength=len(table))
    by_value = table.reshape(-1, width)
    tally.nulls += int(by_value[0].sum())
    by_value = by_value[1:]
    used = np.flatnonzero(by_value.any(axis=1))
    if len(used) < len(values):
        values, by_value = values.take(pa.array(used)), by_value[used]
    tally.seen.append(values)
    if tally.counts is None:
        return
    texts = texts_of(values) if len(used) <= CATEGORY_CAP else []
    if len(used) > CATEGORY_CAP or max(map(len, texts), default=0) > VALUE_LENGTH:
        tally.close()
        return
    for text, rows in zip(texts, by_value.sum(axis=1).tolist(), strict=True):
        tally.counts[text] = tally.counts.get(text, 0) + rows
    if len(tally.counts) > CATEGORY_CAP:
        tally.close()
    elif labels is not None and tally.by_label is not None:
        _cross(tally.by_label, texts, by_value, labels.names)


def _cross(
    pairs: dict[tuple[str, str], int], texts: list[str], by_value: Ints, names: list[str]
) -> None:
    value, label = np.nonzero(by_value[:, 1:])
    rows = by_value[value, label + 1]
    for v, by, n in zip(value.tolist(), label.tolist(), rows.tolist(), strict=True):
        key = texts[v], names[by]
        pairs[key] = pairs.get(key, 0) + n


def _step(chunk: pa.Array) -> int:
    """Dictionaries go whole, lest each slice pay for all of their values."""
    return max(1, len(chunk)) if pa.types.is_dictionary(chunk.type) else SLICE_ROWS


def _encoded(column: pa.ChunkedArray) -> Iterator[tuple[Ints, pa.Array]]:
    for chunk in column.chunks:
        yield _coded(chunk)


def _coded(chunk: pa.Array) -> tuple[Ints, pa.Array]:
    """Codes (0 for null, else 1 + place) and distinct values as strings."""
    if pa.types.is_dictionary(chunk.type):
        # A dictionary may hold a value twice, or null: encode it too.
        inner = chunk.dictionary.dictionary_encode()
        places = _codes(inner.indices)
        codes = np.concatenate(([0], places))[_codes(chunk.indices)]
        return codes, _plain_text(inner.dictionary)
    encoded = chunk.dictionary_encode()
    return _codes(encoded.indices), _plain_text(encoded.dictionary)


def _codes(indices: pa.Array) -> Ints:
    found, present = laid_open(indices)
    codes: Ints = found.astype(np.int64)
    codes += 1
    if present is not None:
        codes[~present] = 0
    return codes


def _plain_text(values: pa.Array) -> pa.Array:
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return values
    wide = pa.types.is_string_view(values.type)
    return values.cast(pa.large_string() if wide else pa.string())


def texts_of(values: pa.Array) -> list[str]:
    """Python strings.

    Raises:
        UntrustedError: a value is not UTF-8.
    """
    try:
        found: list[str] = values.to_pylist()
    except UnicodeDecodeError as wrong:
        raise UntrustedError(
            "bad-text", "a text column holds bytes that are not UTF-8", why=str(wrong)
        ) from wrong
    return found


def hashed_texts(values: pa.Array) -> npt.NDArray[np.uint64]:
    """64-bit hashes of strings, by NumPy on their bytes, the same on every machine.

    Takes eight bytes a round from all strings at once; the few that are longer than 64
    bytes are hashed whole by BLAKE2b.

    Args:
        values: ``(n,)`` strings without nulls.
    """
    if not len(values):
        return np.empty(0, dtype=np.uint64)
    values = values.cast(pa.large_string())
    offsets = np.frombuffer(values.buffers()[1], dtype=np.int64)
    offsets = offsets[values.offset : values.offset + len(values) + 1]
    start, length = offsets[:-1], np.diff(offsets)
    data = values.buffers()[2]
    first, end = int(offsets[0]), int(offsets[-1])
    raw = (b"" if data is None else bytes(memoryview(data)[first:end])) + bytes(8)
    words = np.ndarray((len(raw) - 7,), dtype="<u8", buffer=raw, strides=(1,))
    start = start - first
    hashes = length.astype(np.uint64)
    short = np.flatnonzero(length <= WORD_HASHED_BYTES)
    at, left = start[short], length[short]
    while len(short):
        keep = np.minimum(left, 8).astype(np.uint64) * np.uint64(8)
        mask = np.where(left >= 8, ~np.uint64(0), (np.uint64(1) << (keep % 64)) - np.uint64(1))
        hashes[short] = sketches.mixed(hashes[short] ^ (words[at] & mask))
        more = left > 8
        short, at, left = short[more], at[more] + 8, left[more] - 8
    for i in np.flatnonzero(length > WORD_HASHED_BYTES):
        text = raw[start[i] : start[i] + length[i]]
        hashes[i] = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
    return hashes
