"""What the scan remembers between windows, and its bytes."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from credenza.campaigns.common_cause import Loadings, new_loadings
from credenza.campaigns.seasons import Season, new_seasons
from credenza.campaigns.standardise import Levels, new_levels
from credenza.core.errors import UntrustedError

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats

FORMAT = 1
SCALE_COUNT = 3


@dataclass(frozen=True, slots=True)
class Pending:
    """A window that was judged and waits for acceptance; arrays as in ``step``.

    Attributes:
        reach: ``(S, P)`` largest step that may be learnt.
        z: ``(S, P)`` standard units, common cause included.
        shift: ``(P,)`` common shift.
        averages: ``(3, S, P)`` averages with this window.
        u: ``(3, S, P)`` the same in standard units; NaN = absent.
        scores: ``(P,)``.
    """

    values: Floats
    sd: Floats
    seen: Bools
    reach: Floats
    z: Floats
    shift: Floats
    averages: Floats
    u: Floats
    scores: Floats


@dataclass(frozen=True, slots=True)
class PanelState:
    """About 10 floats per source and statistic, and the scores of past windows."""

    sources: tuple[str, ...]
    statistics: tuple[str, ...]
    families: tuple[str, ...]
    groups: tuple[str, ...]
    rate: float
    windows: int
    judged: int
    alarms: int
    levels: Levels
    loadings: Loadings
    seasons: tuple[Season, ...]
    wander: Floats
    averages: Floats
    recent: Floats
    history: Floats
    pending: Pending | None = None

    def with_pending(self, pending: Pending, *, judged: bool, alarm: bool) -> PanelState:
        """After a window was judged."""
        return replace(
            self,
            pending=pending,
            windows=self.windows + 1,
            judged=self.judged + judged,
            alarms=self.alarms + alarm,
        )


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
        0,
        0,
        0,
        new_levels(*shape),
        new_loadings(*shape),
        new_seasons(periods, *shape),
        np.zeros((SCALE_COUNT, *shape)),
        np.zeros((SCALE_COUNT, *shape)),
        np.zeros((2, shape[1])),
        np.zeros((0, shape[1]), dtype=np.float32),
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
_PENDING = ("values", "sd", "seen", "reach", "z", "shift", "averages", "u", "scores")


def pack(state: PanelState) -> bytes:
    """The state as a NumPy archive: no pickle, the same bytes for the same state."""
    arrays = {name: np.asarray(_parts(state)[home][name]) for name, home in _ARRAYS.items()}
    arrays |= {
        "wander": state.wander,
        "averages": state.averages,
        "recent": state.recent,
        "history": state.history,
    }
    for n, season in enumerate(state.seasons):
        arrays |= {f"offset_{n}": season.offset, f"seen_{n}": season.seen}
    head = {
        "format": FORMAT,
        "sources": state.sources,
        "statistics": state.statistics,
        "families": state.families,
        "groups": state.groups,
        "rate": state.rate,
        "windows": state.windows,
        "judged": state.judged,
        "alarms": state.alarms,
        "seasons": len(state.seasons),
        "kin_windows": state.loadings.windows,
        "pending": state.pending is not None,
    }
    if state.pending is not None:
        found = _fields(state.pending)
        arrays |= {f"pending_{name}": np.asarray(found[name]) for name in _PENDING}
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


def unpack(data: bytes) -> PanelState:
    """The state that ``pack`` wrote.

    Raises:
        UntrustedError: the bytes are not such a state.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        head = json.loads(arrays.pop("head").tobytes())
        if head["format"] != FORMAT:
            raise KeyError("format")  # noqa: TRY301 - one exit for every bad archive
        parts = {
            home: {n: arrays[n] for n, h in _ARRAYS.items() if h == home}
            for home in ("levels", "loadings")
        }
        pending = None
        if head["pending"]:
            pending = Pending(**{name: arrays[f"pending_{name}"] for name in _PENDING})
        return PanelState(
            tuple(head["sources"]),
            tuple(head["statistics"]),
            tuple(head["families"]),
            tuple(head["groups"]),
            float(head["rate"]),
            int(head["windows"]),
            int(head["judged"]),
            int(head["alarms"]),
            Levels(**parts["levels"]),
            Loadings(**parts["loadings"], windows=head["kin_windows"]),
            tuple(
                Season(arrays[f"offset_{n}"], arrays[f"seen_{n}"]) for n in range(head["seasons"])
            ),
            arrays["wander"],
            arrays["averages"],
            arrays["recent"],
            arrays["history"],
            pending,
        )
    except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as wrong:
        raise UntrustedError(
            "bad-panel-state",
            "the campaign scan's state cannot be read",
            why=str(wrong),
            fix="rebuild it from the ledger",
        ) from wrong


def _fields(value: object) -> dict[str, object]:
    return {name: getattr(value, name) for name in type(value).__slots__}  # type: ignore[attr-defined]  # every part here is a slotted dataclass


def _parts(state: PanelState) -> dict[str, dict[str, object]]:
    return {
        "levels": _fields(state.levels),
        "loadings": _fields(state.loadings),
    }
