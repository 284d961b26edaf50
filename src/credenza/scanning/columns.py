"""Which column is what: as the caller says, as the format says, as names and types suggest."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.errors import NotFoundError, UsageError
from credenza.core.text import quote, tick
from credenza.core.types import Role
from credenza.scanning.images import innermost, levels, looks_like_images
from credenza.screening.view import LEAST_DIMENSIONS, infer_roles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# What columns are called that have a role. A guess needs exactly one column of these names.
NAMES: Mapping[Role, re.Pattern[str]] = {
    Role.LABEL: re.compile(
        r"y|labels?|targets?|class|category|sentiment|outcome|ground_truth"
        r"|(y|labels?|targets?)_train|train_(labels?|targets?)"
    ),
    Role.SOURCE: re.compile(
        r"(source|vendor|annotator|worker|provider|supplier|contributor|uploader|feed|labell?er)"
        r"(_?id)?s?"
    ),
    Role.USER: re.compile(r"(user|reviewer|customer)(_?id)?"),
    Role.ITEM: re.compile(r"(item|movie|product)(_?id)?|asin"),
}
MAX_GUESSED_CLASSES = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller says of the columns.

    Attributes:
        label: None lets the name decide, "" says that there is none.
        source: as ``label``.
        interactions: user, item, and perhaps rating.
    """

    label: str | None = None
    source: str | None = None
    time: str = ""
    id: str = ""
    text: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    embedding: tuple[str, ...] = ()
    interactions: tuple[str, ...] = ()

    def roles(self) -> Iterator[tuple[str, Role]]:
        """Each named column with its role."""
        single = (
            (self.label, Role.LABEL),
            (self.source, Role.SOURCE),
            (self.time, Role.TIME),
            (self.id, Role.ID),
        )
        yield from ((name, role) for name, role in single if name)
        yield from ((name, Role.TEXT) for name in self.text)
        yield from ((name, Role.IMAGE) for name in self.image)
        yield from ((name, Role.EMBEDDING) for name in self.embedding)
        if self.interactions and len(self.interactions) not in (2, 3):
            raise UsageError(
                "bad-interactions",
                "interactions are a user's and an item's column, and perhaps a rating's",
                why=f"{len(self.interactions)} columns were named",
                fix="write USER,ITEM or USER,ITEM,RATING",
            )
        yield from zip(self.interactions, (Role.USER, Role.ITEM, Role.RATING), strict=False)


@dataclass(frozen=True, slots=True)
class Columns:
    """The role of every column, and which were guessed.

    Attributes:
        roles: by column, in the table's order.
        guessed: columns whose name alone gave them their role.
        notices: what was guessed or left, in sentences.
    """

    roles: Mapping[str, Role]
    guessed: tuple[str, ...]
    notices: tuple[str, ...]

    def named(self, role: Role) -> str:
        """The first column of ``role``; "" when there is none."""
        return next((name for name, one in self.roles.items() if one is role), "")


def resolve(table: pa.Table, asked: Asked, hints: Mapping[str, Role]) -> Columns:
    """A role for every column.

    Args:
        table: the rows.
        asked: what the caller says; it is obeyed or refused.
        hints: what the format says; weaker than ``asked``, stronger than types.

    Raises:
        NotFoundError: ``no-such-column``.
        UsageError: ``two-roles``, ``bad-interactions``, or ``empty-column``.
    """
    said = _said(table, asked)
    roles = dict(infer_roles(table))
    for name in table.column_names:
        roles[name] = _of_nested(table.column(name)) or roles[name]
    # A role that stands once is the caller's to give: the format's guess yields.
    single = {role for role in said.values() if role in (Role.LABEL, Role.SOURCE, Role.ID)}
    refused = _declined(asked)
    roles |= {name: role for name, role in hints.items() if role not in single | refused}
    roles |= said
    notices = []
    for name in table.column_names:
        if table.column(name).null_count == table.num_rows:
            if said.get(name) is Role.LABEL or said.get(name) is Role.SOURCE:
                raise UsageError(
                    "empty-column",
                    f"the column {tick(name)} is empty",
                    why=f"all {table.num_rows} values are missing",
                    fix=f"name another column, or leave the {said[name]} out",
                )
            roles[name] = Role.IGNORED
            notices.append(f"{tick(name)} is empty and was not assessed")
    guessed = _guesses(table, roles, said, refused, notices)
    return Columns(roles, guessed, tuple(notices))


def _declined(asked: Asked) -> set[Role]:
    pairs = ((asked.label, Role.LABEL), (asked.source, Role.SOURCE))
    return {role for name, role in pairs if name == ""}


def _said(table: pa.Table, asked: Asked) -> dict[str, Role]:
    said: dict[str, Role] = {}
    for name, role in asked.roles():
        if name not in table.column_names:
            near = difflib.get_close_matches(name, table.column_names, n=1)
            known = ", ".join(quote(one) for one in table.column_names[:20])
            raise NotFoundError(
                "no-such-column",
                f"there is no column {quote(name)}",
                why=f"the columns are: {known}",
                fix=f"did you mean {quote(near[0])}?" if near else "check the spelling",
            )
        if said.get(name, role) is not role:
            raise UsageError(
                "two-roles",
                f"the column {tick(name)} cannot be both {said[name]} and {role}",
                why="what labels a row cannot also say who sent it, or what it is made of",
                fix="name two columns, or leave one of the options out",
            )
        said[name] = role
    return said


def _of_nested(column: pa.ChunkedArray) -> Role | None:
    """Image or embedding, by type and first values."""
    if looks_like_images(column):
        return Role.IMAGE
    kind = column.type
    if levels(kind) == 1 and pa.types.is_floating(innermost(kind)):
        first = next((value for value in column if value.is_valid), None)
        return Role.EMBEDDING if first is not None and len(first) >= LEAST_DIMENSIONS else None
    return None


def _guesses(
    table: pa.Table,
    roles: dict[str, Role],
    said: Mapping[str, Role],
    refused: set[Role],
    notices: list[str],
) -> tuple[str, ...]:
    """Give roles by name where exactly one column fits; say so, and say what was open."""
    guessed = []
    for role, names in NAMES.items():
        if role in roles.values() or role in refused:
            continue
        fitting = [
            name
            for name in table.column_names
            if names.fullmatch(name.lower())
            and name not in said
            and _may_be(table.column(name), role)
        ]
        if len(fitting) == 1:
            roles[fitting[0]] = role
            guessed.append(fitting[0])
            notices.append(f"{tick(fitting[0])} was taken for the {role} because of its name")
        elif fitting:
            several = ", ".join(tick(name) for name in fitting)
            notices.append(f"no {role} was chosen: {several} all look like one; name it")
        elif role is Role.LABEL and not {Role.USER, Role.ITEM} & set(roles.values()):
            notices.append(
                "no column was taken for the label, and most attacks bend labels; name it"
            )
    lone = {Role.USER, Role.ITEM} & set(roles.values())
    if len(lone) == 1:
        # A user without items is no interaction; types decide about that column again.
        for name in [one for one in guessed if roles[one] in lone]:
            roles[name] = infer_roles(table.select([name]))[name]
            guessed.remove(name)
            notices.remove(f"{tick(name)} was taken for the {next(iter(lone))} because of its name")
    return tuple(guessed)


def _may_be(column: pa.ChunkedArray, role: Role) -> bool:
    """Whether a column has values such as its name promises."""
    if column.null_count == len(column) or levels(column.type) or pa.types.is_struct(column.type):
        return False
    if role is not Role.LABEL and role is not Role.SOURCE:
        return True
    if pa.types.is_floating(column.type):
        return role is Role.LABEL
    distinct = int(pc.count_distinct(column).as_py())
    return 2 * distinct <= len(column) and (
        role is Role.SOURCE or distinct <= MAX_GUESSED_CLASSES or pa.types.is_integer(column.type)
    )
