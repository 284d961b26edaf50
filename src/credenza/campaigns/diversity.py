"""How much of a dataset rests on each source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.campaigns.columns import by_value, numbers
from credenza.campaigns.payload import unit_of
from credenza.core.text import quote, tick
from credenza.core.types import Finding, Role, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from credenza.core.types import Floats, Ints, Strings

LEVELS = 16
CUT_SD = 5.0
RIDGE = 1.0
LEAST_SLICE_ROWS = 50
DETECTOR = "source-diversity"


@dataclass(frozen=True, slots=True)
class Influence:
    """What a source contributes.

    Attributes:
        rows: its share of the rows, 0 to 1.
        leverage: its share of what a linear model of all columns can learn: the sum of its
            rows' leverages over that of all. More than ``rows`` where its rows are unusual.
        labels: its share of the rows of each label value; empty for more than 16 values.
        subgroup: the value of a category, of at least 50 rows, of which it sends the largest
            share, in words; "" where there is none.
        of_subgroup: that share.
    """

    source: str
    rows: float
    leverage: float
    labels: Mapping[str, float]
    subgroup: str = ""
    of_subgroup: float = 0.0


@dataclass(frozen=True, slots=True)
class Party:
    """Sources that count as one: those of a declared group, or one by itself.

    Blind to who belongs together and does not say so: two names without a common group are
    two parties, whoever holds their keys.

    Attributes:
        group: its name; "" for a source that declared none.
        sources: those of it that sent something.
    """

    group: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows with one value of one column, and the party that sends most of them."""

    column: str
    value: str
    rows: int
    party: Party
    share: float


def influence(
    window: pa.Table, source: Strings, *, facets: Mapping[str, Role], label: str
) -> tuple[Influence, ...]:
    """Each source's share of the rows, of labels, subgroups and leverage, largest first.

    Leverage is x (XᵀX + λI)⁻¹ xᵀ over the columns of the reference model: standardised
    numbers, cut at 5 standard deviations, and the 16 most frequent values of each category.
    It says how far a row could bend a fit before anything is known of its label.

    Blind to the influence of texts and images, and to what a model makes of interactions.

    Args:
        window: rows.
        source: ``(n,)`` source id of each row.
        facets: role of each column.
        label: the label's column, or "".

    Complexity:
        O(n d²) for d columns of the design, at most 16 per category.
    """
    names, of = np.unique(source.astype(str), return_inverse=True)
    n = max(1, window.num_rows)
    rows = np.bincount(of, minlength=len(names)) / n
    leverage = _leverage(_design(window, facets, label))
    pull = np.bincount(of, weights=leverage, minlength=len(names)) / max(leverage.sum(), 1e-12)
    subgroups = _subgroups(window, of, len(names), facets, label)
    by_label: dict[str, Floats] = {}
    if label:
        own = np.array([str(value) for value in window.column(label).to_pylist()])
        values = sorted(set(own.tolist()))
        for value in values if len(values) <= LEVELS else []:
            held = np.bincount(of[own == value], minlength=len(names))
            by_label[value] = held / held.sum()
    found = [
        Influence(
            str(name),
            float(rows[place]),
            float(pull[place]),
            {value: float(share[place]) for value, share in by_label.items()},
            *_largest(subgroups, place),
        )
        for place, name in enumerate(names)
    ]
    return tuple(sorted(found, key=lambda one: (-one.rows, one.source)))


def _subgroups(
    window: pa.Table, of: Ints, sources: int, facets: Mapping[str, Role], label: str
) -> dict[str, Floats]:
    """``(S,)`` each source's share of each frequent value of each category, by its name."""
    found: dict[str, Floats] = {}
    for name in window.column_names:
        if name == label or facets.get(name, Role.IGNORED) is not Role.CATEGORY:
            continue
        column = by_value(window, name)
        known = np.flatnonzero(column.codes >= 0)
        joint = column.codes[known] * sources + of[known]
        sent = np.bincount(joint, minlength=column.size * sources).reshape(column.size, sources)
        counts = sent.sum(axis=1)
        for code in np.argsort(-counts, kind="stable")[:LEVELS]:
            if counts[code] >= LEAST_SLICE_ROWS:
                value = window.column(name)[int(np.argmax(column.codes == code))].as_py()
                found[f"{tick(name)} = {quote(value)}"] = sent[code] / counts[code]
    return found


def _largest(subgroups: Mapping[str, Floats], place: int) -> tuple[str, float]:
    """The subgroup of which a source sends the largest share, and the share."""
    if not subgroups:
        return "", 0.0
    name = max(subgroups, key=lambda one: (float(subgroups[one][place]), one))
    return name, float(subgroups[name][place])


def parties(source: Strings, groups: Mapping[str, str]) -> tuple[tuple[Party, ...], Ints]:
    """Who sent, each party once, and ``(n,)`` the place of each row's party among them.

    Args:
        source: ``(n,)`` source id of each row.
        groups: declared group by source, "" or missing for none.
    """
    names, of_row = np.unique(source.astype(str), return_inverse=True)
    of = unit_of(names, groups)
    members = [names[of == unit].tolist() for unit in range(int(of.max(initial=-1)) + 1)]
    found = tuple(Party(groups.get(own[0], ""), tuple(own)) for own in members)
    return found, of[of_row]


def slices(
    window: pa.Table,
    source: Strings,
    columns: Sequence[str],
    *,
    share: float,
    groups: Mapping[str, str],
) -> tuple[Slice, ...]:
    """Slices of at least 50 rows of which one party sends more than ``share``."""
    who, of = parties(source, groups)
    found = []
    for column in columns:
        values = np.array([str(value) for value in window.column(column).to_pylist()])
        for value, count in zip(*np.unique(values, return_counts=True), strict=True):
            if count < LEAST_SLICE_ROWS:
                continue
            sent = np.bincount(of[values == value], minlength=len(who)) / count
            most = int(np.argmax(sent))
            if sent[most] > share:
                found.append(Slice(column, str(value), int(count), who[most], float(sent[most])))
    return tuple(sorted(found, key=lambda one: (-one.share, one.column, one.value)))


def over_cap(party: Party, share: float, cap: float, of_what: str) -> Finding:
    """That a party has more than its cap of something; it is about each of its sources."""
    who: dict[str, object] = {"source": party.sources[0]}
    if party.group:
        who = {"group": party.group, "sources": list(party.sources)}
    sentence = f"{_named(party, quote)} sends {share:.0%} of {of_what}; the policy allows {cap:.0%}"
    exhibits = {**who, "share": share, "cap": cap, "of": of_what}
    return Finding(DETECTOR, Unit.SOURCE, party.sources, 1.0, sentence, exhibits)


def leaning(one: Slice) -> str:
    """The warning that a slice rests on one party."""
    return f"{_named(one.party, str)} sends {one.share:.0%} of {in_words(one)}"


def _named(party: Party, spell: Callable[[str], str]) -> str:
    members = ", ".join(map(spell, party.sources))
    return f"the group {spell(party.group)} (in this window {members})" if party.group else members


def in_words(one: Slice) -> str:
    """A slice as it stands in a sentence."""
    return f"the {one.rows} rows with {tick(one.column)} = {quote(one.value)}"


def _design(window: pa.Table, facets: Mapping[str, Role], label: str) -> Floats:
    """``(n, d)`` an intercept, numbers in standard units, frequent values as 0 and 1."""
    blocks = [np.ones((window.num_rows, 1))]
    for name in window.column_names:
        role = facets.get(name, Role.IGNORED)
        if name != label and role is Role.NUMBER:
            blocks.append(_in_units(numbers(window, name)))
        elif name != label and role is Role.CATEGORY:
            column = by_value(window, name)
            blocks.append(_one_hot(column.codes, column.size))
    return np.hstack(blocks)


def _in_units(x: Floats) -> Floats:
    known = np.isfinite(x)
    if not known.any():
        return np.zeros((len(x), 1))
    # Scaled first: the square of a hostile number need not be a number.
    x = np.where(known, x, 0.0) / (np.abs(x[known]).max() or 1.0)
    z = np.where(known, x - x[known].mean(), 0.0) / (x[known].std() or 1.0)
    return np.clip(z, -CUT_SD, CUT_SD)[:, None]


def _one_hot(codes: Ints, size: int) -> Floats:
    counts = np.bincount(codes[codes >= 0], minlength=max(size, 1))
    kept = np.sort(np.argsort(-counts, kind="stable")[:LEVELS])
    return np.asarray(codes[:, None] == kept[None, :], dtype=np.float64)


def _leverage(design: Floats) -> Floats:
    """``(n,)`` leverage of each row in a ridge regression."""
    gram = design.T @ design + RIDGE * np.eye(design.shape[1])
    return np.asarray(np.einsum("nd,nd->n", design, np.linalg.solve(gram, design.T).T))
