"""Three summaries whose merge is exact, so that no order of work can change a verdict.

Each is a sorted array of integer keys with the column's number in the upper bits, so
that one NumPy call serves all columns of a table at once:

* **buckets** for quantiles: the float's own sign, exponent and six top mantissa bits,
  with a count; merged by addition;
* **registers** of a HyperLogLog with 2^12 registers; merged by the larger rank;
* **products**: exact sums of values and of products of values, as fixed-point integers
  in limbs of 18 bits; merged by addition with carry.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from credenza.core.types import Floats, Ints

    Words: TypeAlias = npt.NDArray[np.uint64]

BUCKET_BITS = 18
BUCKET_SHIFT = np.uint64(64 - BUCKET_BITS)
BUCKETS = 1 << BUCKET_BITS
NEGATIVE_BUCKET = 1 << (BUCKET_BITS - 1)
INFINITE_BUCKET = 0x7FF << 6

REGISTER_BITS = 12
REGISTERS = 1 << REGISTER_BITS
TAIL_BITS = 64 - REGISTER_BITS
TAIL_MASK = np.uint64((1 << TAIL_BITS) - 1)
RANK_BITS = 6
REGISTER_KEY_BITS = REGISTER_BITS + RANK_BITS

LIMB_BITS = 18
LIMBS = 24
WINDOWS = 10
POINT_BITS = 90
LARGEST = 2.0**89
"""Moments know ``2**-90 <= |x| < 2**89``: smaller parts round away, larger values are left out."""


def bucket_keys(values: Floats) -> Ints:
    """The quantile bucket of each float: its 18 leading bits, as an integer.

    A bucket spans a relative width of 2^-6, whatever the scale, and taking it needs no
    logarithm, so every machine agrees. Blind below 2^-1022, where floats lose bits.

    Args:
        values: any shape, float64, without negative zero.

    Returns:
        The same shape, in ``[0, 2**18)``.

    Source:
        Masson et al., DDSketch (VLDB 2019), with the float's own bits for the logarithm.
    """
    return (values.view(np.uint64) >> BUCKET_SHIFT).view(np.int64)


def bucket_bounds(keys: Ints) -> tuple[Floats, Floats]:
    """The smaller and the larger value at the ends of each bucket, by magnitude.

    Returns:
        ``(near, far)``: the end nearer to zero, which is inside, and the further, which
        is not; both signed. The bucket of infinity has both ends infinite.
    """
    bits = keys.astype(np.uint64) << BUCKET_SHIFT
    near = bits.view(np.float64)
    far = (bits + (np.uint64(1) << BUCKET_SHIFT)).view(np.float64)
    return near, np.where(np.isinf(near), near, far)


def in_value_order(keys: Ints) -> Ints:
    """Integers that sort as the buckets' values do: from -inf to inf."""
    return np.where(keys < NEGATIVE_BUCKET, keys + NEGATIVE_BUCKET, BUCKETS - 1 - keys)


def added(keys: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """Sum the counts of equal keys.

    Returns:
        Distinct keys in rising order, and their total counts.
    """
    order = np.argsort(keys, kind="stable")
    keys, counts = keys[order], counts[order]
    first = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    if not len(keys):
        return keys, counts
    return keys[first], np.add.reduceat(counts, first)


def mixed(words: Words) -> Words:
    """Spread the bits of 64-bit words: splitmix64's finaliser.

    The same on every machine and never keyed, since states from different machines must
    merge; so a sender who knows it can choose values that collide, and a distinct count
    is blind to that.

    Source:
        Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
    """
    hashed = words * np.uint64(0x9E3779B97F4A7C15)
    hashed ^= hashed >> np.uint64(30)
    hashed *= np.uint64(0xBF58476D1CE4E5B9)
    hashed ^= hashed >> np.uint64(27)
    hashed *= np.uint64(0x94D049BB133111EB)
    hashed ^= hashed >> np.uint64(31)
    return hashed


def ranks(tails: Words) -> Ints:
    """Leading zeros plus one of 52-bit tails; 0 for the tail ``2**52`` that means "none"."""
    return (TAIL_BITS + 1) - np.frexp(tails.astype(np.float64))[1].astype(np.int64)


def register_keys(hashes: Words, column: Ints | int) -> Ints:
    """Keys of (column, register, rank) for hashes; a column of its own for each, or one."""
    register = (hashes >> np.uint64(TAIL_BITS)).view(np.int64)
    rank = ranks(hashes & TAIL_MASK)
    return highest((column << REGISTER_KEY_BITS | register << RANK_BITS | rank).ravel())


def highest(keys: Ints) -> Ints:
    """Of the keys of one register, keep the one of the highest rank; in rising order."""
    keys = np.sort(keys)
    register = keys >> RANK_BITS
    last = np.ones(len(keys), dtype=np.bool_)
    last[:-1] = register[1:] != register[:-1]
    return keys[last]


def estimated_distinct(rank: Ints) -> float:
    """How many distinct values the registers of one column have seen.

    The standard error is 1.6 % (1.04 / 64); small counts come out nearly exact.

    Args:
        rank: rank of each register that is not empty, in 1 … 53.

    Returns:
        Infinity when every register is full, which no honest data reach.

    Source:
        Ertl, arXiv:1702.01284, algorithm 6: no bias between the ranges, no tables.
    """
    census = np.bincount(rank, minlength=TAIL_BITS + 2).astype(np.float64)
    census[0] = REGISTERS - len(rank)
    if census[0] == REGISTERS:
        return 0.0
    total = REGISTERS * _tau(1.0 - float(census[TAIL_BITS + 1]) / REGISTERS)
    for count in census[TAIL_BITS:0:-1]:
        total = 0.5 * (total + float(count))
    total += REGISTERS * _sigma(float(census[0]) / REGISTERS)
    if not total:
        return math.inf
    return REGISTERS * REGISTERS / (2.0 * math.log(2.0)) / total


def _sigma(share: float) -> float:
    """The correction for empty registers: the sum of share^(2^k) 2^(k-1)."""
    total, weight = share, 1.0
    while True:
        share *= share
        before = total
        total += share * weight
        weight += weight
        if total == before:
            return total


def _tau(share: float) -> float:
    """The correction for full registers."""
    if share in {0.0, 1.0}:
        return 0.0
    total, weight = 1.0 - share, 1.0
    while True:
        share = math.sqrt(share)
        before = total
        weight *= 0.5
        total -= (1.0 - share) ** 2 * weight
        if total == before:
            return total / 3.0


def digit_rows(values: Floats, magnitude: Floats) -> tuple[Floats, Ints, Ints]:
    """Cut floats exactly into signed digits of 18 bits at fixed places.

    Adding and subtracting a large constant rounds a float to a place, without error; the
    rest is cut again. The places do not depend on the data, so sums of digits do not
    depend on how rows were split. Products of two digits, summed over up to 2^18 rows,
    stay below 2^53: a matrix product of digits is exact integer work at BLAS speed.

    Args:
        values: ``(k, n)`` finite, below ``LARGEST`` in magnitude; used up (overwritten).
        magnitude: ``(k,)`` upper bounds of their magnitudes.

    Returns:
        ``(m, n)`` digits (integers in float64), and for each of these rows the row of
        ``values`` it belongs to and its window: weight ``2**(18 * window - 90)``.

    Source:
        Rump, Ogita, Oishi, "Accurate floating-point summation" (2008), extraction; with
        fixed places, as in ReproBLAS.
    """
    windows = np.clip(-((-73 - np.frexp(magnitude)[1].astype(np.int64)) // 18), 0, WINDOWS - 1)
    rows = np.flatnonzero(magnitude)
    rest = values if len(rows) == len(values) else values[rows]
    windows = windows[rows]
    digits, owners, places = [], [], []
    while len(rows):
        power = LIMB_BITS * windows - POINT_BITS
        shift = np.ldexp(1.5, 52 + power)[:, None]
        digit = rest + shift
        digit -= shift
        rest -= digit
        digit *= np.ldexp(1.0, -power)[:, None]
        digits.append(digit)
        owners.append(rows)
        places.append(windows)
        more = rest.any(axis=1) & (windows > 0)
        rows, windows = rows[more], windows[more] - 1
        rest = rest if more.all() else rest[more]
    if not digits:
        return np.empty((0, values.shape[1])), np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate(digits), np.concatenate(owners), np.concatenate(places)


def carried(limbs: Ints) -> Ints:
    """The one form of fixed-point integers: limbs in ``[0, 2**18)``, the last one signed.

    Args:
        limbs: ``(p, 24)`` int64, of any sign.
    """
    places = np.ascontiguousarray(limbs.T)
    for place in range(LIMBS - 1):
        carry = places[place] >> LIMB_BITS
        places[place] -= carry << LIMB_BITS
        places[place + 1] += carry
    return np.ascontiguousarray(places.T)


def exact_integer(limbs: Ints) -> int:
    """The integer that one row of limbs stands for, times 2^180 the sum of products."""
    total = 0
    for limb in reversed(limbs.tolist()):
        total = (total << LIMB_BITS) + limb
    return total
