"""Characters that a reader does not see, or takes for others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import stats

from credenza.core.text import quote, tick
from credenza.core.types import Finding, Role, Scores, Unit
from credenza.screening.features.label import labels_of
from credenza.screening.features.table import columns_of
from credenza.screening.fuse import excess_log_p
from credenza.screening.view import UnassessedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Bools, View

# RE2 patterns, by what they mean. Joiners count beside Latin, Greek and Cyrillic letters and
# digits only: other scripts and emoji need them. Tags belong after a black flag, mu and ohm to
# units, the selectors FE0E and FE0F to emoji.
ODD: dict[str, str] = {
    "zero-width characters": (
        r"[\p{Latin}\p{Greek}\p{Cyrillic}0-9 .,][\x{034F}\x{180E}\x{200B}-\x{200D}\x{FEFF}]"
        r"|[\x{2060}-\x{2064}]|^[\x{200B}-\x{200D}]+[\p{Latin}\p{Greek}\p{Cyrillic}0-9]"
    ),
    "bidirectional controls": r"[\x{202A}-\x{202E}\x{2066}-\x{2069}]",
    "tag characters": r"(^|[^\x{1F3F4}\x{E0000}-\x{E007F}])[\x{E0000}-\x{E007F}]",
    "hidden variation selectors": r"[\x{FE00}-\x{FE0D}\x{E0100}-\x{E01EF}]",
    "control characters": r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]",
    "look-alike letters of two scripts in one word": (
        r"\p{Latin}[\p{Cyrillic}\x{0370}-\x{03A8}\x{03AA}-\x{03BB}\x{03BD}-\x{03FF}]"
        r"|[\p{Cyrillic}\x{0370}-\x{03A8}\x{03AA}-\x{03BB}\x{03BD}-\x{03FF}]\p{Latin}"
    ),
    "letters of display alphabets": r"[\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{1D400}-\x{1D7FF}]",
    "stacked marks": r"\p{Mn}{4,}",
    "broken encodings": r"[\x{80}-\x{9F}\x{FDD0}-\x{FDEF}\x{FFFD}\p{Co}]|Ã[\x{A0}-\x{BF}]|â€",
    "odd spaces": r"[\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}]",
}
FEWEST = 5


@dataclass(frozen=True, slots=True)
class OddCharacters:
    """How few rows carry the odd characters that a row carries.

    Triggers and instructions can be smuggled in characters that nobody sees. Honest text
    has some of them too, a vendor's export or a phone's keyboard, so oddity orders rows
    and does not flag any. Rows are named when they are also *guilty*: odd in the same way
    at least five times, and either labelled alike beyond the label's share, or beyond
    the trusted rows' rate. Blind to look-alikes within one script (rn for m), to odd
    characters that every source sends, and to fewer than five rows.

    Attributes:
        fdr: chance to name anything in honest data.

    Complexity:
        Ten linear passes over the characters.

    Source:
        Boucher et al., arXiv:2106.09898 (imperceptible attacks); the classes and tests are
        ours.
    """

    fdr: float = 0.01

    @property
    def name(self) -> str:
        """The detector's name."""
        return "odd-characters"

    @property
    def needs(self) -> frozenset[Role]:
        """A text."""
        return frozenset({Role.TEXT})

    def score(self, view: View) -> Scores:
        """-log10 of the share of rows that are as odd, or of a named group's p; 0 for none."""
        n = view.table.num_rows
        values = np.zeros(n)
        findings: list[Finding] = []
        tested = max(len(ODD) * len(columns_of(view, Role.TEXT, Role.CATEGORY)), 1)
        for column, kind, carried in _carriers(view):
            if not carried.any():
                continue
            share = min(1.0, tested * (carried.sum() + 1) / (n + 1))
            values[carried] = np.maximum(values[carried], -np.log10(share))
            for finding in self._guilty(view, column, kind, carried, tested=tested):
                rows = list(finding.rows)
                values[rows] = np.maximum(values[rows], -np.log10(finding.p_value))
                findings.append(finding)
        findings.sort(key=lambda finding: finding.p_value)
        return Scores(values, tuple(findings), is_evidence=True)

    def _guilty(
        self, view: View, column: str, kind: str, carried: Bools, *, tested: int
    ) -> Iterator[Finding]:
        for group, words, usual, log_p, exhibits in [
            *_by_label(view, carried),
            *_by_trust(view, carried),
        ]:
            if log_p > np.log(self.fdr / tested):
                continue
            rows = np.flatnonzero(group)
            sources = sorted({str(s) for s in view.source[rows]})
            shown: dict[str, object] = {
                "column": column,
                "oddity": kind,
                "rows": len(rows),
                "usual": usual,
                "sources": sources,
                **exhibits,
            }
            sentence = (
                f"{len(rows)} rows have {kind} in {tick(column)} and {words}, against "
                f"{usual:.1%} usually; {len(sources)} source{'s' if len(sources) != 1 else ''}"
            )
            p_value = float(max(np.exp(log_p) * tested, 1e-300))
            yield Finding(
                self.name,
                Unit.GROUP,
                tuple(sources),
                p_value,
                sentence,
                shown,
                tuple(rows.tolist()),
                names_rows=True,
            )


def _carriers(view: View) -> Iterator[tuple[str, str, Bools]]:
    for column in columns_of(view, Role.TEXT, Role.CATEGORY):
        text: Any = pa.chunked_array(view.table.column(column)).cast(pa.large_string())
        for kind, pattern in ODD.items():
            found = pc.fill_null(pc.match_substring_regex(text, pattern), fill_value=False)
            yield column, kind, np.asarray(found.to_numpy(), dtype=bool)


def _by_label(
    view: View, carried: Bools
) -> Iterator[tuple[Bools, str, float, float, dict[str, object]]]:
    """The label that carriers under test have too often, with a binomial tail."""
    try:
        labels = labels_of(view)
    except UnassessedError:
        return
    rows = carried & ~view.trusted & (labels.codes >= 0)
    others = ~carried & (labels.codes >= 0)
    if rows.sum() < FEWEST or not others.any():
        return
    count = np.bincount(labels.codes[rows], minlength=len(labels.classes))
    usual = (np.bincount(labels.codes[others], minlength=len(count)) + 1.0) / (others.sum() + 2.0)
    log_p = stats.binom.logsf(count - 1, rows.sum(), usual) + np.log(len(count))
    worst = int(np.argmin(log_p))
    group = rows & (labels.codes == worst)
    words = f"are labelled {quote(labels.classes[worst])}, {count[worst]} of {rows.sum()} such rows"
    exhibits: dict[str, object] = {"label": labels.classes[worst], "carriers": int(rows.sum())}
    yield group, words, float(usual[worst]), float(log_p[worst]), exhibits


def _by_trust(
    view: View, carried: Bools
) -> Iterator[tuple[Bools, str, float, float, dict[str, object]]]:
    """Carriers under test, more of them than among trusted rows."""
    rows, known = carried & ~view.trusted, int(view.trusted.sum())
    if rows.sum() < FEWEST or not known:
        return
    hits, seen = np.array([rows.sum()]), int((carried & view.trusted).sum())
    rate = np.array([(seen + 1.0) / (known + 2.0)])
    log_p = excess_log_p(hits, np.array([(~view.trusted).sum()]), rate, known)
    words = f"come among {(~view.trusted).sum()} rows under test"
    exhibits: dict[str, object] = {"trusted_carriers": seen, "trusted_rows": known}
    yield rows, words, float(rate[0]), float(log_p[0]), exhibits
