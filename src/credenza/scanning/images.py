"""Columns of pictures, in any encoding, as one column of equal tensors."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.errors import UsageError
from credenza.core.extras import needs_extra
from credenza.core.text import quote, tick
from credenza.scanning.arrays import as_pixels, tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from credenza.core.types import Bools

    Picture = npt.NDArray[np.uint8]

MAX_PIXELS = 64 * 2**20
MAX_SIDE = 512
MAX_DECODED_BYTES = 4 * 2**30
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff")
_MODES = {2: "L", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """A column of images, normalised.

    Attributes:
        column: tensors of uint8, ``(h, w)`` or ``(h, w, c)``; black where unreadable.
        unreadable: ``(n,)`` rows whose image could not be decoded.
        why: what was wrong with each of those, by row.
        notices: sizes and colours that were made equal.
    """

    column: pa.Array
    unreadable: Bools
    why: dict[int, str]
    notices: tuple[str, ...]


def looks_like_images(column: Any) -> bool:  # noqa: ANN401 - pyarrow is untyped
    """Whether a column's type, or its first values, are those of pictures."""
    kind = column.type
    if isinstance(kind, pa.FixedShapeTensorType):
        return len(kind.shape) in (2, 3) and kind.value_type == pa.uint8()
    if _is_bytes_struct(kind):
        return True
    if _is_binary(kind):
        first = next((chunk[0].as_py() for chunk in column.drop_null().chunks if len(chunk)), b"")
        return bytes(first).startswith(_MAGIC)
    return levels(kind) in (2, 3) and pa.types.is_integer(innermost(kind))


def normalise(name: str, column: Any) -> Pictures:  # noqa: ANN401 - pyarrow is untyped
    """One tensor column of a column of pictures.

    The most frequent size and number of channels win; other images are resized, which
    a notice says. PNG and JPEG are the only decoders that run, on at most 64 megapixels
    an image and 4 GiB in all; larger pictures than 512 pixels a side are reduced.

    Args:
        name: of the column, for messages.
        column: encoded bytes, structs with ``bytes``, nested lists, or tensors.

    Raises:
        UsageError: ``not-images`` when no row holds a picture, ``images-not-installed``.
    """
    if isinstance(column.type, pa.FixedShapeTensorType):
        return _of_tensors(column)
    whole = _rectangular(column)
    if whole is not None:
        return Pictures(tensor(as_pixels(whole)), np.zeros(len(whole), dtype=bool), {}, ())
    decode = _decoder(name, column.type)
    pictures: list[Picture | None] = []
    why: dict[int, str] = {}
    decoded = 0
    for row, value in enumerate(_values(column)):
        picture, wrong = _decoded(decode, value)
        decoded += picture.nbytes if picture is not None else 0
        if decoded > MAX_DECODED_BYTES:
            raise UsageError(
                "too-many-pixels",
                f"the images of {tick(name)} do not fit into memory",
                why=f"more than {MAX_DECODED_BYTES} bytes once decoded, at row {row}",
                fix="scan fewer rows at a time, or smaller images",
            )
        if wrong:
            why[row] = wrong
        pictures.append(picture)
    shapes = Counter(picture.shape for picture in pictures if picture is not None)
    if not shapes:
        raise UsageError(
            "not-images",
            f"no row of {tick(name)} holds an image",
            why=f"row 0: {why.get(0, 'missing')}",
            fix="give PNG or JPEG bytes, or arrays of pixels",
        )
    shape = max(shapes, key=lambda one: (shapes[one], one))
    made = np.zeros((len(pictures), *shape), np.uint8)
    for row, picture in enumerate(pictures):
        if picture is not None:
            made[row] = _fitted(picture, shape)
    unreadable = np.array([picture is None for picture in pictures])
    return Pictures(tensor(made), unreadable, why, _said(name, shapes, shape))


def _said(name: str, shapes: Counter[tuple[int, ...]], shape: tuple[int, ...]) -> tuple[str, ...]:
    others = sum(shapes.values()) - shapes[shape]
    if not others:
        return ()
    said = (
        f"{others} of {sum(shapes.values())} images of {tick(name)} had another size than the "
        f"most frequent one, {' x '.join(map(str, shape))}, and were resized to it"
    )
    return (said,)


def _of_tensors(column: Any) -> Pictures:  # noqa: ANN401 - pyarrow is untyped
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks)
    missing = np.asarray(whole.is_null())
    if whole.type.value_type == pa.uint8() and not missing.any():
        return Pictures(whole, missing, {}, ())
    shape = tuple(whole.type.shape)
    flat = np.asarray(
        whole.storage.fill_null(0).flatten() if missing.any() else whole.storage.flatten()
    )
    made = as_pixels(flat.reshape(-1, *shape))
    why = {int(row): "missing" for row in np.flatnonzero(missing)}
    return Pictures(tensor(made), missing, why, ())


def _rectangular(column: Any) -> np.ndarray[Any, Any] | None:  # noqa: ANN401 - pyarrow is untyped
    """``(n, h, w[, c])`` of nested lists without gaps and of one size; None for others."""
    shape: list[int] = []
    values = column.combine_chunks()
    values = pa.concat_arrays(values.chunks) if isinstance(values, pa.ChunkedArray) else values
    while levels(values.type) and values.null_count == 0:
        lengths = pc.unique(pc.list_value_length(values))
        if len(lengths) != 1 or not lengths[0].as_py():
            return None
        shape.append(int(lengths[0].as_py()))
        values = values.flatten()
    is_number = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    if len(shape) not in (2, 3) or not is_number or values.null_count:
        return None
    return np.asarray(values.to_numpy(zero_copy_only=False).reshape(-1, *shape))


def _values(column: Any) -> Any:  # noqa: ANN401 - an iterator over pyarrow scalars
    for chunk in column.chunks:
        for value in chunk:
            yield value.as_py()


def _decoded(
    decode: Callable[[Any], Picture],
    value: Any,  # noqa: ANN401 - a row's value of any type
) -> tuple[Picture | None, str]:
    """A picture, or why there is none."""
    if isinstance(value, dict):
        value = value.get("bytes")
    if value is None:
        return None, "missing"
    try:
        return decode(value), ""
    except (ValueError, OSError, SyntaxError, TypeError, EOFError, OverflowError) as wrong:
        return None, quote(str(wrong), limit=120)


def _decoder(name: str, kind: Any) -> Callable[[Any], Picture]:  # noqa: ANN401 - pyarrow is untyped
    if _is_binary(kind) or _is_bytes_struct(kind):
        return _from_bytes()
    if levels(kind) in (1, 2, 3):
        return _from_lists
    raise UsageError(
        "not-images",
        f"the column {tick(name)} holds no images",
        why=f"its type is {kind}",
        fix="give PNG or JPEG bytes, or arrays of pixels; paths are not followed",
    )


def _from_lists(value: Any) -> Picture:  # noqa: ANN401 - nested lists of numbers
    array = np.asarray(value)
    if array.dtype == object or array.size == 0:
        raise ValueError("its rows differ in length")
    if array.ndim == 1:
        side = int(np.sqrt(array.size))
        if side * side != array.size:
            raise ValueError(f"{array.size} pixels are no square")
        array = array.reshape(side, side)
    if array.dtype.kind != "u" and array.min() >= 0 and 1 < array.max() <= 255:
        array = array.astype(np.uint8)
    return np.asarray(as_pixels(array[None])[0])


def _from_bytes() -> Callable[[bytes], Picture]:
    with needs_extra("images", "decoding images"):
        from PIL import Image  # noqa: PLC0415 - an extra

    def decode(value: bytes) -> Picture:
        with warnings.catch_warnings():
            # A large picture is a warning to Pillow and an error here.
            warnings.simplefilter("error")
            try:
                with Image.open(io.BytesIO(value), formats=("PNG", "JPEG")) as opened:
                    if opened.width * opened.height > MAX_PIXELS:
                        raise ValueError(f"{opened.width} x {opened.height} pixels are too many")
                    opened.draft("RGB" if opened.mode == "RGB" else "L", (MAX_SIDE, MAX_SIDE))
                    opened.load()
                    plain = opened if opened.mode in ("L", "RGB", "RGBA") else _converted(opened)
                    if max(plain.size) > MAX_SIDE:
                        plain.thumbnail((MAX_SIDE, MAX_SIDE))
                    return np.asarray(plain, dtype=np.uint8)
            except (Image.DecompressionBombError, Image.DecompressionBombWarning) as wrong:
                raise ValueError(str(wrong)) from wrong
            except Image.UnidentifiedImageError as wrong:
                raise ValueError("it is no PNG or JPEG") from wrong

    return decode


def _converted(opened: Any) -> Any:  # noqa: ANN401 - Pillow is untyped here
    grey = opened.mode in ("1", "I", "I;16", "F", "LA")
    return opened.convert("L" if grey else "RGB")


def _fitted(picture: Picture, shape: Sequence[int]) -> Picture:
    if picture.shape == tuple(shape):
        return picture
    from PIL import Image  # noqa: PLC0415 - an extra

    mode = _MODES[2 if len(shape) == 2 else shape[2]]
    resized = Image.fromarray(picture).convert(mode).resize((shape[1], shape[0]))
    return np.asarray(resized, dtype=np.uint8)


def _is_binary(kind: Any) -> bool:  # noqa: ANN401 - pyarrow is untyped
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    )


def _is_bytes_struct(kind: Any) -> bool:  # noqa: ANN401 - pyarrow is untyped
    return bool(
        pa.types.is_struct(kind)
        and "bytes" in [kind.field(place).name for place in range(kind.num_fields)]
        and _is_binary(kind.field("bytes").type)
    )


def levels(kind: Any) -> int:  # noqa: ANN401 - pyarrow is untyped
    """How many lists a value is nested in."""
    depth = 0
    while (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    ):
        kind, depth = kind.value_type, depth + 1
    return depth


def innermost(kind: Any) -> Any:  # noqa: ANN401 - pyarrow is untyped
    """The type of the values in nested lists."""
    while levels(kind):
        kind = kind.value_type
    return kind
