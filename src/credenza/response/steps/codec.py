"""Steps and suspicions to JSON and back: a field's annotation says how it is written."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from credenza.core.errors import UsageError
from credenza.core.spans import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.core.canonical import Json

T = TypeVar("T")


class _Codec(NamedTuple):
    write: Callable[[Any], Json]
    read: Callable[[Json], object]


def encoded(value: object) -> dict[str, Json]:
    """A dataclass as a JSON object, field by field."""
    return {
        each.name: _CODECS[str(each.type)].write(getattr(value, each.name))
        for each in fields(cast("Any", value))
    }


def decoded(kind: type[T], found: Mapping[str, Json], where: str) -> T:
    """The dataclass that ``encoded`` wrote.

    Raises:
        UsageError: a field is missing, unknown or of another type.
    """
    known = {each.name: _CODECS[str(each.type)] for each in fields(cast("Any", kind))}
    odd = sorted(set(known) ^ set(found))
    if odd:
        raise UsageError(
            "bad-plan",
            f"{where} {'lacks' if odd[0] in known else 'has no field'} {odd[0][:60]!r}",
            why=f"its fields are: {', '.join(known) or 'none'}",
            fix="draw the plan up again, or write the step with these fields",
        )
    values = {}
    for name, codec in known.items():
        try:
            values[name] = codec.read(found[name])
        except TypeError as wrong:
            raise UsageError(
                "bad-plan",
                f"{name!r} of {where} is unfit",
                why=str(wrong)[:200],
                fix="draw the plan up again, or mend that value",
            ) from wrong
    return kind(**values)


def _plain(kind: type) -> _Codec:
    def read(value: Json) -> object:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise TypeError(f"{str(value)[:60]!r} is no {kind.__name__}")
        return value

    return _Codec(lambda value: cast("Json", value), read)


_TEXT, _NUMBER = _plain(str), _plain(int)


def _words(value: Json) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{str(value)[:60]!r} is no list")
    return tuple(map(_TEXT.read, value))


def _mapped(read: Callable[[Json], object]) -> Callable[[Json], object]:
    def mapped(value: Json) -> dict[str, object]:
        if not isinstance(value, dict):
            raise TypeError(f"{str(value)[:60]!r} is no table")
        return {name: read(item) for name, item in value.items()}

    return mapped


def _place(value: Json) -> object:
    return None if value is None else _NUMBER.read(value)


_CODECS: Mapping[str, _Codec] = {
    "str": _TEXT,
    "int": _NUMBER,
    "tuple[str, ...]": _Codec(list, _words),
    "Mapping[str, str]": _Codec(dict, _mapped(_TEXT.read)),
    "Mapping[str, int | None]": _Codec(dict, _mapped(_place)),
    "Mapping[str, Spans]": _Codec(
        lambda value: {name: to_json(spans) for name, spans in value.items()}, _mapped(from_json)
    ),
}
