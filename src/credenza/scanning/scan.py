"""``credenza.scan``: one training set in, rows, groups and sources out."""

from __future__ import annotations

import dataclasses
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from credenza.core.errors import UsageError
from credenza.core.guest import detector_flaw
from credenza.core.text import quote, tick
from credenza.scanning.columns import Asked
from credenza.scanning.inputs import read
from credenza.scanning.prepare import prepare
from credenza.scanning.remembered import Remembered
from credenza.scanning.tell import told
from credenza.scanning.together import SharedPayload
from credenza.screening.builtin import DETECTORS, SCAN_DETECTORS
from credenza.screening.run import lacking, screen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from credenza.core.protocols import Detector
    from credenza.scanning.prepare import Prepared
    from credenza.scanning.result import ScanResult


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """Where a scan stands.

    Attributes:
        doing: what begins now: "reading", a detector's name, "done".
        done: steps that are behind it.
        total: steps there are; parts that lack their columns are none.
    """

    doing: str
    done: int
    total: int


def scan(
    data: object,
    *,
    label: str | None = None,
    source: str | None = None,
    time: str = "",
    id: str = "",  # noqa: A002 - the column's name in every table
    text: str | Sequence[str] = (),
    image: str | Sequence[str] = (),
    embedding: str | Sequence[str] = (),
    interactions: Sequence[str] = (),
    encoders: str | Sequence[str] = (),
    trusted: object = None,
    fdr: float = 0.05,
    detectors: Sequence[str | Detector] | None = None,
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
    resume: str | Path | None = None,
    name: str = "",
) -> ScanResult:
    """Find poisoned rows, groups and sources in one training set.

    Rows are judged against trusted rows when there are some, else among themselves; a
    trigger that is named flags its carriers. Blind to what its detectors are blind to
    (``credenza catalog parts`` lists them); without trusted rows blind to poison that
    most of the data shares.

    Args:
        data: a path; an Arrow, pandas or Polars table; a Hugging Face dataset; NumPy
            arrays, a dict of arrays, or ``(X, y)``.
        label: the label's column; None guesses by name, "" says that there is none.
        source: who each row came from; as ``label``.
        time: column of dates or times.
        id: column that names rows.
        text: columns of text.
        image: columns of pictures.
        embedding: columns of vectors.
        interactions: user's, item's and perhaps rating's column.
        encoders: pretrained networks that read texts or pictures as vectors beside what
            they are; none by default. They need ``credenza[encoders]``, and minutes.
        trusted: a column of booleans, a mask, a path, or a table of trusted rows.
        fdr: expected share of false discoveries, in (0, 1).
        detectors: names, or detectors of your own; by default all of ours that suit the data.
        seed: of detectors that draw at random.
        progress: called at each step.
        resume: folder in which our detectors' answers are kept, and found again.
        name: of the scan in messages; the file's name by default.

    Returns:
        The result.

    Raises:
        UsageError: a column, a value or an option does not fit.
        NotFoundError: no such file, column or detector.
        UntrustedError: a file is refused.
    """
    _check_fdr(fdr)
    many = map(_names, (text, image, embedding, interactions))
    asked = Asked(label, source, time, id, *many)
    parts = _parts(detectors, seed)
    tell = _Teller(progress, len(parts) + 1)
    tell("reading")
    reading = read(data)
    prepared = prepare(name or _name_of(data), reading, asked, trusted)
    folder = Path(resume) if resume is not None else None
    asked_encoders = _names(encoders)
    if asked_encoders:
        prepared = _with_vectors(prepared, asked_encoders, folder, tell)
    applicable = sum(not lacking(prepared.view, part) for part in parts)
    tell.expect(1 + len(asked_encoders) + applicable)
    release = version("credenza")
    kept = [Remembered(one, folder if _is_ours(one) else None, release, tell) for one in parts]
    screening = screen(prepared.view, kept, fdr=fdr, only_applicable=detectors is None)
    tell.finish()
    return told(prepared, screening, fdr)


def _with_vectors(
    prepared: Prepared, encoders: tuple[str, ...], folder: Path | None, tell: _Teller
) -> Prepared:
    """With what pretrained networks make of the texts or pictures, and a notice of it."""
    from credenza.scanning.encode import encoded  # noqa: PLC0415 - an extra

    view = encoded(prepared.view, encoders, folder, tell)
    added = [name for name in view.facets if name not in prepared.view.facets]
    said = f"{', '.join(map(tick, added))} was read by a pretrained network"
    return dataclasses.replace(prepared, view=view, notices=(*prepared.notices, said))


def _check_fdr(fdr: float) -> None:
    if not 0 < fdr < 1:
        raise UsageError(
            "bad-fdr",
            f"fdr is {fdr}, not between 0 and 1",
            why="it is the expected share of false discoveries",
            fix="use --fdr 0.05",
        )


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) and given else tuple(given)


def _name_of(data: object) -> str:
    return Path(data).name if isinstance(data, (str, Path)) else "data"


def _is_ours(part: Detector) -> bool:
    """Whether the version of this package tells when its code changes."""
    return type(part).__module__.partition(".")[0] == "credenza"


def _parts(detectors: Sequence[str | Detector] | None, seed: int) -> list[Detector]:
    found: list[Detector] = []
    catalog = DETECTORS.extended({"shared-payload": SharedPayload})
    for name in (*SCAN_DETECTORS, "shared-payload") if detectors is None else detectors:
        part: Any = catalog.make(name) if isinstance(name, str) else _checked(name)
        fields = dataclasses.fields(part) if dataclasses.is_dataclass(part) else ()
        draws = any(one.name == "seed" for one in fields)
        found.append(dataclasses.replace(part, seed=seed) if draws else part)
    if not found:
        raise UsageError(
            "no-detectors",
            "no detector is asked, so nothing can be found",
            why=f"there are: {', '.join(catalog)}",
            fix="name one, or leave the option out",
        )
    return found


def _checked(part: Detector) -> Detector:
    if flaw := detector_flaw(part, getattr(part, "name", "")):
        raise UsageError(
            "no-detector",
            "what was given among the detectors is none",
            why=f"{quote(type(part).__name__)}: {flaw}",
            fix="give names, or objects with a name, needs, and a method score",
        )
    return part


class _Teller:
    """Counts the steps, and says each."""

    def __init__(self, progress: Callable[[Progress], None] | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self, doing: str) -> None:
        if self._progress is not None:
            self._progress(Progress(doing, min(self._done, self._total), self._total))
        self._done += 1

    def expect(self, total: int) -> None:
        """So many steps there are, now that the columns are known."""
        self._total = total

    def finish(self) -> None:
        if self._progress is not None:
            self._progress(Progress("done", self._total, self._total))
