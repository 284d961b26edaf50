"""What the scan remembers between windows, and its bytes."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from credenza.campaigns import normal_scores
from credenza.campaigns.claim import CELLS, SCALES
from credenza.campaigns.common_cause import Loadings, new_loadings
from credenza.campaigns.seasons import Season, new_seasons
from credenza.campaigns.standardise import Levels, new_levels
from credenza.core.errors import UntrustedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Bools, Floats

    Given = tuple[Floats, Floats, Bools]

FORMAT = 5


@dataclass(frozen=True, slots=True)
class PanelState:
    """About 10 floats per source and statistic, and the scores of past windows.

    Attributes:
        windows: judged and learnt from, or not; the position of the next one.
        judged: those in which a campaign could have been claimed.
        alarms: those in which one was.
        alarming: the last one was.
        wander: ``(K, S, P)`` mean square of ``averages``.
        averages: ``(K, S, P)`` of the residuals, by scale.
        shifts: ``(K, 1, P)`` of the shift that most sources shared, damped.
        recent: ``(2, C)`` scores of the last two windows, by scale, direction, statistic.
        history: ``(T, C)`` scores of ordinary windows, in half precision.
        chances: ``(T,)`` of ordinary windows, as minus their logarithms.
        shapes: ``(P, CELLS)`` how often deviations were how large, for ``normal_scores``.
    """

    sources: tuple[str, ...]
    statistics: tuple[str, ...]
    families: tuple[str, ...]
    groups: tuple[str, ...]
    rate: float
    windows: int
    judged: int
    alarms: int
    alarming: bool
    levels: Levels
    loadings: Loadings
    seasons: tuple[Season, ...]
    wander: Floats
    averages: Floats
    shifts: Floats
    recent: Floats
    history: Floats
    chances: Floats
    shapes: Floats


def new_state(  # noqa: PLR0917 - the panel's six fixed facts, in order
    sources: tuple[str, ...],
    statistics: tuple[str, ...],
    families: tuple[str, ...],
    groups: tuple[str, ...],
    periods: tuple[int, ...],
    rate: float,
) -> PanelState:
    """A panel that has seen no window."""
    shape = (len(sources), len(statistics))
    return PanelState(
        sources,
        statistics,
        families,
        groups,
        rate,
        windows=0,
        judged=0,
        alarms=0,
        alarming=False,
        levels=new_levels(*shape),
        loadings=new_loadings(*shape),
        seasons=new_seasons(periods, *shape),
        wander=np.zeros((len(SCALES), *shape), dtype=np.float32),
        averages=np.zeros((len(SCALES), *shape), dtype=np.float32),
        shifts=np.zeros((len(SCALES), 1, shape[1])),
        recent=np.zeros((2, CELLS * shape[1])),
        history=np.zeros((0, CELLS * shape[1]), dtype=np.float16),
        chances=np.zeros(0, dtype=np.float32),
        shapes=normal_scores.new_counts(shape[1]),
    )


def with_sources(state: PanelState, names: tuple[str, ...], groups: tuple[str, ...]) -> PanelState:
    """The state with sources that it knows nothing of, behind the others.

    Raises:
        UsageError: a name is known already.
    """
    known = sorted(set(names) & set(state.sources))
    if known or len(set(names)) < len(names):
        raise UsageError("source-known", f"the panel has the source {known or names} already")
    more = len(names)
    levels, loadings = state.levels, state.loadings
    return replace(
        state,
        sources=state.sources + names,
        groups=state.groups + groups,
        levels=Levels(*(_grown(part, more) for part in _fields(levels).values())),
        # A new source has followed every common shift of the past as the others did.
        loadings=replace(
            loadings,
            cross=np.vstack([loadings.cross, np.tile(loadings.power, (more, 1))]),
            kin=_grown(_grown(loadings.kin, more), more, axis=1),
        ),
        seasons=tuple(
            Season(_grown(own.offset, more, axis=1), _grown(own.seen, more, axis=1))
            for own in state.seasons
        ),
        wander=_grown(state.wander, more, axis=1),
        averages=_grown(state.averages, more, axis=1),
    )


def with_periods(state: PanelState, periods: tuple[int, ...]) -> PanelState:
    """The state with cycles of these lengths: those it had go on, others begin unknown."""
    known = {len(own.offset): own for own in state.seasons}
    fresh = new_seasons(periods, len(state.sources), len(state.statistics))
    return replace(state, seasons=tuple(known.get(len(own.offset), own) for own in fresh))


def compact(state: PanelState) -> PanelState:
    """The state as it is kept, in memory as on disk, so that a restart changes nothing."""
    levels, loadings = state.levels, state.loadings
    return replace(
        state,
        levels=Levels(
            _single(levels.count), levels.mean, _single(levels.spread), _single(levels.sampling)
        ),
        loadings=replace(loadings, cross=_single(loadings.cross), kin=_single(loadings.kin)),
        seasons=tuple(
            Season(_single(own.offset), cast("Floats", own.seen.astype(np.uint8)))
            for own in state.seasons
        ),
        wander=_single(state.wander),
        averages=_single(state.averages),
    )


_ARRAYS = {
    "count": "levels",
    "mean": "levels",
    "spread": "levels",
    "sampling": "levels",
    "power": "loadings",
    "cross": "loadings",
    "kin": "loadings",
}
_OWN = ("wander", "averages", "shifts", "recent", "history", "chances", "shapes")
_FACTS = (
    "sources",
    "statistics",
    "families",
    "groups",
    "rate",
    "windows",
    "judged",
    "alarms",
    "alarming",
)
_GIVEN = ("values", "sd", "seen")


def pack(state: PanelState, given: Given | None) -> bytes:
    """State and waiting window as a NumPy archive: no pickle, the same bytes for the same."""
    homes: dict[str, dict[str, Floats]] = {
        "levels": _fields(state.levels),
        "loadings": _fields(state.loadings),
    }
    arrays: dict[str, Any] = {name: np.asarray(homes[home][name]) for name, home in _ARRAYS.items()}
    arrays |= {name: getattr(state, name) for name in _OWN}
    for n, season in enumerate(state.seasons):
        arrays |= {f"offset_{n}": season.offset, f"seen_{n}": season.seen}
    for name, array in zip(_GIVEN, given or (), strict=False):
        arrays[f"given_{name}"] = np.asarray(array)
    head = {name: getattr(state, name) for name in _FACTS} | {
        "format": FORMAT,
        "seasons": len(state.seasons),
        "kin_windows": state.loadings.windows,
        "given": given is not None,
    }
    text = json.dumps(head, sort_keys=True).encode()
    arrays["head"] = np.frombuffer(text, dtype=np.uint8)
    out = io.BytesIO()
    # np.savez would stamp the clock into the archive.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            body = io.BytesIO()
            np.save(body, arrays[name], allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), body.getvalue())
    return out.getvalue()


def unpack(data: bytes) -> tuple[PanelState, Given | None]:
    """The state that ``pack`` wrote, and the window that waits.

    Raises:
        UntrustedError: the bytes are not such a state.
    """
    with _readable(data) as archive:
        arrays = {name: archive[name] for name in archive.files}
        head = _head(arrays.pop("head"))
        parts = {
            home: {n: arrays[n] for n, h in _ARRAYS.items() if h == home}
            for home in ("levels", "loadings")
        }
        given = None
        if head["given"]:
            given = (arrays["given_values"], arrays["given_sd"], arrays["given_seen"])
        facts = {name: head[name] for name in _FACTS}
        lists = ("sources", "statistics", "families", "groups")
        state = PanelState(
            **facts | {name: tuple(facts[name]) for name in lists},
            levels=Levels(**parts["levels"]),
            loadings=Loadings(**parts["loadings"], windows=head["kin_windows"]),
            seasons=tuple(
                Season(arrays[f"offset_{n}"], arrays[f"seen_{n}"]) for n in range(head["seasons"])
            ),
            **{name: arrays[name] for name in _OWN},
        )
    return state, given


@dataclass(frozen=True, slots=True)
class Deviations:
    """How far each source was from its own past in the window a state ends with.

    Attributes:
        values: ``(S, P)`` in standard units, common cause removed, as the scan clips them;
            a source that sent nothing keeps those of the window before.
    """

    sources: tuple[str, ...]
    statistics: tuple[str, ...]
    values: Floats


def newest_deviations(data: bytes) -> Deviations:
    """Of the state that ``pack`` wrote, without reading the rest of it.

    Raises:
        UntrustedError: the bytes are not such a state.
    """
    with _readable(data) as archive:
        head = _head(archive["head"])
        # The average whose newest window weighs all is that window's own.
        values = archive["averages"][SCALES.index(1.0)]
        return Deviations(tuple(head["sources"]), tuple(head["statistics"]), values)


def _head(part: Floats) -> dict[str, Any]:
    head: dict[str, Any] = json.loads(part.tobytes())
    if head["format"] != FORMAT:
        raise KeyError("format")
    return head


@contextmanager
def _readable(data: bytes) -> Iterator[Any]:
    """The archive; whatever is wrong with it while it is read is told in one way."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            yield archive
    except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as wrong:
        raise UntrustedError(
            "bad-panel-state",
            "the campaign scan's state cannot be read",
            why=str(wrong),
            fix="rebuild it from the ledger",
        ) from wrong


def _grown(part: Floats, more: int, axis: int = 0) -> Floats:
    shape = list(part.shape)
    shape[axis] = more
    return np.concatenate([part, np.zeros(shape, dtype=part.dtype)], axis=axis)


def _single(part: Floats) -> Floats:
    """In single precision, which is more than the estimates have."""
    return cast("Floats", part.astype(np.float32))


def _fields(value: object) -> dict[str, Floats]:
    return {name: getattr(value, name) for name in type(value).__slots__}  # type: ignore[attr-defined]  # every part here is a slotted dataclass
