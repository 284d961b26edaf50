"""How much a user's choices resemble those of others, and other signs of a made-up profile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.screening.features.neighbours import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.types import Floats, Ints
    from credenza.screening.features.interactions import Interactions

RANK = 128
MAIN_TASTES = 5
ITERATIONS = 6
RARE = 0.03
LEAST_CHOICES = 5
OF_CHOICES = ("resemblance", "main tastes", "loneliness")
CLOSEST = 10


@dataclass(frozen=True, slots=True, eq=False)
class Tastes:
    """The leading directions in which users' choices go together.

    Attributes:
        along: ``(users, rank)`` coordinates of each user's choices, whose surprise over
            popularity has length 1.
        strength: ``(rank,)`` singular values, falling.
        noise: the largest one among choices made by popularity alone.
    """

    along: Floats
    strength: Floats
    noise: float

    def resemblance(self) -> Floats:
        """``(users,)`` squared cosines to all users, beyond what noise would give."""
        beyond = np.maximum(self.strength**2 - self.noise**2, 0.0)
        return np.asarray(self.along**2 @ beyond)

    def main_share(self) -> Floats:
        """``(users,)`` share of a profile along the leading directions that are no noise."""
        main = max(1, min(MAIN_TASTES, int((self.strength > self.noise).sum())))
        return np.asarray((self.along[:, :main] ** 2).sum(axis=1))


def suspicions(found: Interactions) -> Mapping[str, Floats]:
    """Signs of a made-up profile, ``(users,)`` each, higher = more suspicious.

    *Resemblance* and *main tastes* are low for whoever picks items independently of
    each other, be it evenly or by popularity: real users' choices go together. The first
    is the sum of squared cosines to all users, which serves data of many small circles;
    the second the share of a profile along the leading directions, five at most, which
    serves data with common tastes and cannot be bent by a few dozen accomplices. What the
    same profiles would show if drawn by popularity is left out of both. *RDMA*,
    *WDMA* and *deviation* are distances of ratings from the items' means, weighted by
    rarity, by its square, and not at all. *DegSim* is the similarity to the closest
    other profiles, which is high in a cohort of copies; *loneliness* is the lack of it.

    Blind to profiles copied from real users, and to those of fewer than five items:
    they get the lowest suspicion. Only the signs of ``OF_CHOICES`` say nothing of the
    ratings, and are not raised by an honest circle with one timetable of choices: an item
    or a rating shared by users who stand out by another sign may be what made them.

    Args:
        found: interactions of at least two users with two items.

    Returns:
        Suspicion by sign.

    Source:
        Mehta and Nejdl 2009 (PCA-VarSelect; popularity residuals of the choices instead
        of ratings are ours); Chirita et al. 2005 (RDMA, DegSim); Mobasher et al. 2007
        (WDMA).
    """
    length = found.per_user()
    tastes = tastes_of(found)
    closest = _closest(tastes.along)
    signs = {
        "resemblance": -_beyond_length(tastes.resemblance(), length),
        "main tastes": -_beyond_length(tastes.main_share(), length),
        "loneliness": -_beyond_length(closest, length),
        "DegSim": closest,
    }
    if found.rating is not None:
        signs |= _deviations(found, found.rating)
    is_short = length < LEAST_CHOICES
    return {name: np.where(is_short, values.min(), values) for name, values in signs.items()}


def tastes_of(found: Interactions) -> Tastes:
    """Singular directions of the choices beyond popularity, each user with weight 1.

    Complexity:
        O(t · rank) for t interactions, by subspace iteration on a sparse matrix.
    """
    shape = (len(found.users), len(found.items))
    along, strength = _leading(_choices(found.user, found.item, shape), RANK)
    # The same users with as many choices, each drawn by popularity: what chance looks like.
    drawn = np.random.default_rng(1).choice(np.sort(found.item), len(found.item))
    noise = _leading(_choices(np.sort(found.user), drawn, shape), 1)[1]
    return Tastes(along, strength, float(noise[0]))


def _choices(user: Ints, item: Ints, shape: tuple[int, int]) -> _Centred:
    """Choices less what popularity foretells, over its spread; each user's of length 1."""
    from scipy import sparse  # noqa: PLC0415 - heavy

    chosen = sparse.csr_array((np.ones(len(user)), (user, item)), shape=shape, dtype=np.float64)
    chosen.data[:] = 1.0
    length, popularity = chosen.sum(axis=1), chosen.sum(axis=0)
    weight = 1.0 / np.sqrt(popularity / shape[0] + RARE)
    usual = popularity * weight
    activity = length / max(length.sum(), 1.0)
    surprise = (chosen @ sparse.diags_array(weight)).tocsr()
    total = surprise.multiply(surprise).sum(axis=1) - 2 * activity * (surprise @ usual)
    scale = 1.0 / np.sqrt(np.maximum(total + activity**2 * (usual @ usual), 1e-12))
    return _Centred(sparse.diags_array(scale) @ surprise, scale * activity, usual)


@dataclass(frozen=True, slots=True, eq=False)
class _Centred:
    """The matrix ``sparse - outer(rows, columns)``, never formed."""

    sparse: Any
    rows: Floats
    columns: Floats

    def times(self, right: Floats) -> Floats:
        found: Floats = self.sparse @ right - np.outer(self.rows, self.columns @ right)
        return found

    def transposed_times(self, right: Floats) -> Floats:
        found: Floats = self.sparse.T @ right - np.outer(self.columns, self.rows @ right)
        return found


def _leading(matrix: _Centred, rank: int) -> tuple[Floats, Floats]:
    """Leading left singular vectors times values, and values (Halko et al. 2011, algorithm 4.4)."""
    n, m = matrix.sparse.shape
    rank = min(rank, n, m)
    start = np.random.default_rng(0).normal(size=(m, min(rank + 10, n, m)))
    basis = np.linalg.qr(matrix.times(start))[0]
    for _ in range(ITERATIONS):
        basis = np.linalg.qr(matrix.transposed_times(basis))[0]
        basis = np.linalg.qr(matrix.times(basis))[0]
    left, strength, _ = np.linalg.svd(matrix.transposed_times(basis).T, full_matrices=False)
    along = (basis @ left) * strength
    return along[:, :rank], strength[:rank]


def _beyond_length(energy: Floats, length: Floats) -> Floats:
    """Log energy less what a profile's length foretells: short profiles resemble few."""
    logs = np.log(np.maximum(energy, 1e-12))
    known = length >= LEAST_CHOICES
    if known.sum() <= 2:
        return logs
    steps = np.log(np.maximum(length, 1.0))
    design = np.stack([np.ones_like(steps), steps], axis=1)
    fit = np.linalg.lstsq(design[known], logs[known], rcond=None)[0]
    return np.asarray(logs - design @ fit)


def _closest(along: Floats) -> Floats:
    """Mean cosine to the closest others, as far as the leading directions show it."""
    unit = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-12)
    index = nearest(unit, CLOSEST).index
    # Cosines of whole profiles: what the leading directions miss of one resembles nobody.
    return np.asarray(np.einsum("ij,ikj->i", along, along[index]) / max(index.shape[1], 1))


def _deviations(found: Interactions, rating: Floats) -> dict[str, Floats]:
    known = ~np.isnan(rating)
    value = np.where(known, rating, 0.0)
    raters: Ints = found.per_item(known.astype(np.float64)).astype(np.int64)
    mean = found.per_item(value) / np.maximum(raters, 1)
    far = np.where(known, np.abs(value - mean[found.item]), 0.0)
    rated = np.maximum(found.per_user(known.astype(np.float64)), 1.0)
    many = np.maximum(raters, 1).astype(np.float64)[found.item]
    return {
        "deviation": found.per_user(far) / rated,
        "RDMA": found.per_user(far / many) / rated,
        "WDMA": found.per_user(far / many**2) / rated,
    }
