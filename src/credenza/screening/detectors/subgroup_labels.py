"""Label residuals in subgroups, by source."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from credenza.core.text import quote, tick
from credenza.core.types import Finding, Role, Scores, Unit
from credenza.screening.features.label import expected_of, labels_of
from credenza.screening.features.own_rates import at_own_rates
from credenza.screening.features.table import (
    coded_columns,
    columns_of,
    numbers,
    rows_of,
    sample,
    source_codes,
)
from credenza.screening.fuse import reject_log_p, sure_within

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, Ints, View
    from credenza.screening.features.label import Labels
    from credenza.screening.features.table import Coded

PRIOR_ROWS = 50.0
MISFIT_SD = 0.06
TREE_ROWS = 50_000
MAX_CLASSES = 6
TESTED = 10.0
LIKELY = 0.5
CROWD = 8
LEAST_MISFIT = 0.01
MEDIAN_OF_SQUARE = 0.455


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """A partition of the rows into subgroups.

    Attributes:
        codes: ``(n,)`` subgroup of each row.
        size: number of subgroups.
        names: the subgroup in words, by code.
    """

    codes: Ints
    size: int
    names: Any


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One subgroup of one source whose labels are off."""

    groups: Groups
    group: int
    source: int
    label: int
    rows: int
    labelled: int
    expected: float
    log_p: float
    misfit: float

    def relabelled(self, p: Floats) -> Floats:
        """``(n,)`` probability that a row of the cell with the label had another one.

        Args:
            p: probability of the label, by row.
        """
        others = max(self.rows * (1.0 - self.expected), 1e-9)
        share = float(np.clip((self.labelled - self.rows * self.expected) / others, 0.0, 1.0))
        return np.asarray(share * (1.0 - p) / np.maximum(share * (1.0 - p) + p, 1e-9))


def _without(cell: Cell, rest: Bools, labels: Labels, p: Floats) -> float:
    """Log p of a cell that must do without the rows of stronger ones."""
    n = int(rest.sum())
    labelled = int((labels.codes[rest] == cell.label).sum())
    usual = min(float(p[rest].mean()) + cell.misfit, 1.0) if n else 1.0
    return float(stats.binom.logsf(labelled - 1, n, usual)) if n else 0.0


@dataclass(frozen=True, slots=True)
class SubgroupLabels:
    """Subgroups of one source whose labels differ from what they should be.

    Subgroups are single values and ranges, and leaves of a tree that was fitted on
    trusted rows. In each cell, subgroup x source, Σ(y - p) is compared with its spread,
    after taking away what the same subgroup shows in the window's other sources and in
    trusted rows: a flip aimed at a subgroup moves one source there, weather moves all.
    Row scores restricted to the cells named find what row scores alone bury. Without
    trusted rows labels are foretold at each source's own label rates, so that a source
    with a class balance of its own has no odd subgroups for it.

    Blind to flips spread evenly over a source, to subgroups that no value, range or
    leaf describes, and to what most sources do together.

    Attributes:
        fdr: expected share of false cells among those named.
        min_rows: fewest rows under test in a cell.
        max_findings: cells named at most.

    Source:
        The prototype of DETECTION §2 (residual association on a table); contrast with
        other sources is ours.
    """

    fdr: float = 0.01
    min_rows: int = 20
    max_findings: int = 10

    @property
    def name(self) -> str:
        """The detector's name."""
        return "subgroup-labels"

    @property
    def needs(self) -> frozenset[Role]:
        """A label."""
        return frozenset({Role.LABEL})

    def score(self, view: View) -> Scores:
        """Surprise of the label, weighted by evidence, inside named cells; 0 elsewhere."""
        labels = labels_of(view)
        values = np.zeros(len(labels.codes))
        if len(values) == 0 or len(labels.classes) < 2:
            return Scores(values)
        expected = expected_of(view, labels)
        source, names = source_codes(view)
        if view.is_out_of_fold:
            expected = at_own_rates(expected, labels.codes, source)
        cells, tests = self._cells(view, labels, expected, source, len(names))
        log_p = np.array([cell.log_p for cell in cells])
        kept = [c for c, k in zip(cells, reject_log_p(log_p, self.fdr, tests), strict=True) if k]
        findings: list[Finding] = []
        claimed = np.zeros(len(values), dtype=bool)
        for cell in sorted(kept, key=lambda c: c.log_p):
            whole = cell.groups.codes == cell.group
            # Trusted rows of the subgroup are scored alike, whatever their source.
            whole &= (source == cell.source) | view.trusted
            inside = whole & (labels.codes == cell.label)
            p = expected[:, cell.label]
            if view.is_out_of_fold:
                if _without(cell, whole & ~claimed, labels, p) > np.log(self.fdr / TESTED):
                    continue
                wrong = cell.relabelled(p)
                score = sure_within(cell.log_p, wrong, wrong >= LIKELY)
                likely = inside & (wrong >= LIKELY)
            else:
                score, likely = 1.0 - p, inside
            values[inside] = np.maximum(values[inside], score[inside])
            fresh = inside & ~view.trusted & ~claimed
            if fresh.sum() >= 0.5 * max(cell.labelled, 1) and len(findings) < self.max_findings:
                here = rows_of(likely & ~view.trusted)
                findings.append(self._finding(cell, names, labels, here))
                claimed |= whole if view.is_out_of_fold else inside
        return Scores(values, tuple(findings), is_evidence=view.is_out_of_fold)

    def _cells(
        self, view: View, labels: Labels, expected: Floats, source: Ints, sources: int
    ) -> tuple[list[Cell], int]:
        counts = np.bincount(labels.codes[labels.codes >= 0], minlength=len(labels.classes))
        cells: list[Cell] = []
        all_z: list[Floats] = []
        known = labels.codes >= 0
        rows = np.flatnonzero(known & ~view.trusted), np.flatnonzero(known & view.trusted)
        for groups in subgroups(view, labels):
            sums = _Sums.of(groups, rows, source, sources)
            for label in np.argsort(-counts, kind="stable")[:MAX_CLASSES]:
                found, z = self._off(sums, groups, labels, expected, int(label))
                cells += found
                all_z.append(z)
        z = np.concatenate(all_z) if all_z else np.empty(0)
        if len(z) == 0:
            return [], 0
        low, high = np.quantile(z, [0.025, 0.975])
        scale = max(1.0, float(high - low) / (2 * 1.96))
        return [_with_log_p(cell, scale) for cell in cells], len(z)

    def _off(
        self, sums: _Sums, groups: Groups, labels: Labels, expected: Floats, label: int
    ) -> tuple[list[Cell], Floats]:
        """Cells with z > 2 (z stands in ``log_p`` until the spread is known), and every z."""
        p = np.clip(expected[:, label], 0.005, 0.995)
        residual = (labels.codes == label) - p
        n, r = sums.total(0), sums.total(0, residual)
        v, should = sums.total(0, p * (1 - p)), sums.total(0, p)
        m, old_r = sums.total(1), sums.total(1, residual)
        all_m, all_r = m.sum(axis=1, keepdims=True), old_r.sum(axis=1, keepdims=True)
        elsewhere_n = n.sum(axis=1, keepdims=True) - n
        elsewhere = (r.sum(axis=1, keepdims=True) - r) / (elsewhere_n + PRIOR_ROWS)
        in_trusted = all_r / (all_m + PRIOR_ROWS)
        usual = (old_r + PRIOR_ROWS * in_trusted) / (m + PRIOR_ROWS)
        # What the reference, the window's other sources or trusted rows show needs no
        # explaining: the most of the three is taken away.
        shift = n * np.maximum(0.0, np.maximum(elsewhere, usual))
        large = n >= self.min_rows
        misfit = MISFIT_SD
        if n.shape[1] >= CROWD and not m.any():
            rest = (r - n * elsewhere)[large] / n[large]
            misfit = _misfit(rest, v[large] / n[large] ** 2)
        doubt = misfit**2 + 0.25 / (elsewhere_n + m + PRIOR_ROWS)
        z = (r - shift) / np.sqrt(np.maximum(v + n**2 * doubt, 1e-9))
        cells = [
            Cell(
                groups,
                int(g),
                int(s),
                label,
                int(n[g, s]),
                round(float(r[g, s] + should[g, s])),
                float((should[g, s] + shift[g, s]) / n[g, s]),
                float(z[g, s]),
                misfit,
            )
            for g, s in zip(*np.nonzero(large & (z > 2.0)), strict=True)
        ]
        return cells, z[large]

    def _finding(
        self, cell: Cell, names: tuple[str, ...], labels: Labels, rows: tuple[int, ...]
    ) -> Finding:
        source, label = names[cell.source], labels.classes[cell.label]
        exhibits: dict[str, object] = {
            "subgroup": cell.groups.names(cell.group),
            "source": source,
            "label": label,
            "rows": cell.rows,
            "labelled": cell.labelled,
            "share": cell.labelled / cell.rows,
            "usual_share": cell.expected,
        }
        sentence = (
            f"rows of {quote(source)} where {exhibits['subgroup']} are labelled {quote(label)} "
            f"in {exhibits['share']:.0%} of {cell.rows} rows against {cell.expected:.0%}"
        )
        p_value = float(max(np.exp(cell.log_p), 1e-300))
        return Finding(self.name, Unit.GROUP, (source,), p_value, sentence, exhibits, rows)


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Sums over the cells of one partition x source.

    Attributes:
        rows: positions under test, and trusted positions.
        joint: their cells.
        shape: (subgroups, sources).
    """

    rows: tuple[Ints, Ints]
    joint: tuple[Ints, Ints]
    shape: tuple[int, int]

    @classmethod
    def of(cls, groups: Groups, rows: tuple[Ints, Ints], source: Ints, sources: int) -> _Sums:
        """Cells of ``rows`` in a partition."""
        joint = groups.codes * sources + source
        return cls(rows, (joint[rows[0]], joint[rows[1]]), (groups.size, sources))

    def total(self, which: int, weights: Floats | None = None) -> Floats:
        """``(subgroups, sources)`` totals over rows under test (0) or trusted rows (1)."""
        w = None if weights is None else weights[self.rows[which]]
        flat = np.bincount(self.joint[which], weights=w, minlength=self.shape[0] * self.shape[1])
        return np.asarray(flat.reshape(self.shape), dtype=np.float64)


def _with_log_p(cell: Cell, scale: float) -> Cell:
    normal = float(stats.norm.logsf(cell.log_p / scale))
    share = min(max(cell.expected, 0.0) + cell.misfit, 1.0)
    exact = float(stats.binom.logsf(cell.labelled - 1, cell.rows, share))
    return replace(cell, log_p=max(normal, exact))


def _misfit(rest: Floats, noise: Floats) -> float:
    """How much a subgroup's labels differ between sources for no reason, as a deviation.

    By the middle half of the cells, so that what a few sources do in a few subgroups
    does not widen it.
    """
    if len(rest) < CROWD:
        return MISFIT_SD
    beyond = float(np.median(rest**2)) / MEDIAN_OF_SQUARE - float(np.median(noise))
    return float(np.clip(np.sqrt(max(beyond, 0.0)), LEAST_MISFIT, MISFIT_SD))


def subgroups(view: View, labels: Labels) -> list[Groups]:
    """Partitions by one column each, and by the leaves of a tree on trusted rows."""
    coded = coded_columns(view)
    found = [Groups(c.codes, c.size, c.describe) for c in coded]
    trusted = sample(view, np.flatnonzero(view.trusted & (labels.codes >= 0)), TREE_ROWS)
    if coded and len(trusted) >= 200 and len(np.unique(labels.codes[trusted])) > 1:
        found.append(_leaves(view, coded, labels, trusted))
    return found


def _leaves(view: View, coded: list[Coded], labels: Labels, trusted: Ints) -> Groups:
    from sklearn.tree import DecisionTreeClassifier  # noqa: PLC0415 - heavy

    by_name = {c.column: c for c in coded}
    columns = [n for n in columns_of(view, Role.NUMBER, Role.CATEGORY) if n in by_name]
    features, said = [], []
    for name in columns:
        is_number = by_name[name].is_number
        values = numbers(view, name) if is_number else _label_rate(by_name[name], labels, trusted)
        # Kept within float32: one huge value must not silence the detector for everybody.
        features.append(np.clip(np.nan_to_num(values, nan=-1e30), -1e38, 1e38).astype(np.float32))
        said.append(name)
    matrix = np.stack(features, axis=1)
    tree = DecisionTreeClassifier(
        max_leaf_nodes=24, min_samples_leaf=max(50, len(trusted) // 100), random_state=0
    ).fit(matrix[trusted], labels.codes[trusted])
    leaf = tree.apply(matrix).astype(np.int64)
    return Groups(leaf, int(tree.tree_.node_count), _Paths(tree.tree_, tuple(said), by_name))


def _label_rate(coded: Coded, labels: Labels, trusted: Ints) -> Floats:
    """Categories as the trusted share of the most frequent label, so that a tree can cut them."""
    main = np.bincount(labels.codes[trusted]).argmax()
    codes = coded.codes[trusted]
    hits = np.bincount(codes, weights=labels.codes[trusted] == main, minlength=coded.size)
    rows = np.bincount(codes, minlength=coded.size)
    base = float((labels.codes[trusted] == main).mean())
    return np.asarray(((hits + 20 * base) / (rows + 20))[coded.codes])


@dataclass(frozen=True, slots=True, eq=False)
class _Paths:
    """Names the leaves of a tree by their conditions."""

    tree: Any
    columns: tuple[str, ...]
    coded: dict[str, Coded]

    def __call__(self, leaf: int) -> str:
        path = _path_to(self.tree, 0, leaf) or []
        said = [self._condition(node, is_left=is_left) for node, is_left in path]
        return " and ".join(said) if said else "any row"

    def _condition(self, node: int, *, is_left: bool) -> str:
        name = self.columns[int(self.tree.feature[node])]
        cut = float(self.tree.threshold[node])
        if self.coded[name].is_number:
            return f"{tick(name)} {'<=' if is_left else '>'} {cut:.6g}"
        return f"the usual share of {tick(name)} is {'<=' if is_left else '>'} {cut:.2f}"


def _path_to(tree: Any, node: int, leaf: int) -> list[tuple[int, bool]] | None:  # noqa: ANN401 - sklearn is untyped
    if node == leaf:
        return []
    if tree.children_left[node] < 0:
        return None
    for child, is_left in ((tree.children_left[node], True), (tree.children_right[node], False)):
        rest = _path_to(tree, int(child), leaf)
        if rest is not None:
            return [(node, is_left), *rest]
    return None
