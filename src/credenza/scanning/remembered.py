"""What a detector said of these exact rows, kept on disk, so that a scan can be resumed."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from credenza.core.types import Finding, Scores, Unit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from credenza.core.protocols import Detector
    from credenza.core.types import Role, View

FORMAT = 1
MAX_FINDINGS_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Remembered:
    """A detector whose answers are kept under a digest of rows, part and parameters.

    An answer is one archive of arrays and one JSON text inside it, never a pickle, moved
    into place when it is whole. A file that cannot be read back counts as absent. Blind
    to a change of the detector's code within one version of the package.

    Attributes:
        detector: the part asked when nothing is remembered.
        folder: where answers are kept; None keeps none.
        version: of the package.
        tell: called with the detector's name before it is asked.
    """

    detector: Detector
    folder: Path | None
    version: str
    tell: Callable[[str], None]

    @property
    def name(self) -> str:
        """The detector's name."""
        return self.detector.name

    @property
    def needs(self) -> frozenset[Role]:
        """The detector's needs."""
        return self.detector.needs

    def score(self, view: View) -> Scores:
        """What was said before of exactly this, or what is said now."""
        self.tell(self.name)
        if self.folder is None:
            return self.detector.score(view)
        path = self.folder / f"{self.name}-{self._key(view)}.npz"
        known = _load(path)
        if known is not None:
            return known
        scores = self.detector.score(view)
        _keep(path, scores)
        return scores

    def _key(self, view: View) -> str:
        said = [str(FORMAT), self.version, self.name, repr(self.detector), digest_of(view)]
        return hashlib.sha256("\0".join(said).encode()).hexdigest()[:32]


def digest_of(view: View) -> str:
    """SHA-256 of everything in a view that a detector may read."""
    digest = hashlib.sha256()
    with pa.ipc.new_stream(_Into(digest), view.table.schema) as stream:
        stream.write_table(view.table.combine_chunks())
    facets = sorted((name, role.value) for name, role in view.facets.items())
    digest.update(json.dumps([view.label, facets, view.classes]).encode())
    digest.update("\0".join(map(str, view.source)).encode("utf-8", "replace"))
    digest.update(view.trusted.tobytes())
    if view.expected is not None:
        digest.update(np.ascontiguousarray(view.expected).tobytes())
    return digest.hexdigest()


class _Into:
    """A file whose bytes go into a digest."""

    def __init__(self, digest: Any) -> None:  # noqa: ANN401 - hashlib's type has no public name
        self._digest = digest
        self.closed = False

    def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer
        self._digest.update(data)
        return len(memoryview(data).cast("B"))

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        self.closed = True


def _keep(path: Path, scores: Scores) -> None:
    findings = [dataclasses.asdict(finding) for finding in scores.findings]
    extra = {
        field.name: getattr(scores, field.name)
        for field in dataclasses.fields(scores)
        if field.name not in ("values", "findings")
    }
    text = json.dumps({"findings": findings, "extra": extra}, default=_number)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            np.savez_compressed(
                file, values=scores.values, said=np.frombuffer(text.encode(), np.uint8)
            )
        os.replace(part, path)  # noqa: PTH105 - atomic on every platform
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


def _number(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a finding holds a {type(value).__name__}")


def _load(path: Path) -> Scores | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            values, said = archive["values"], archive["said"]
        if len(said) > MAX_FINDINGS_BYTES:
            return None
        found = json.loads(said.tobytes())
        findings = tuple(_finding(one) for one in found["findings"])
        return Scores(values.astype(np.float64), findings, **found["extra"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def _finding(said: dict[str, Any]) -> Finding:
    known = {field.name for field in dataclasses.fields(Finding)}
    found = {name: value for name, value in said.items() if name in known}
    found["unit"] = Unit(found["unit"])
    found["subjects"] = tuple(found["subjects"])
    found["rows"] = tuple(found["rows"])
    return Finding(**found)
