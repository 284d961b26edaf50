"""The integers behind a profile, fixed so that machines and years agree on them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest

from credenza.profiling import sketches
from credenza.profiling.categories import hashed_texts


def test_the_hash_of_one_is_the_first_word_of_splitmix64() -> None:
    assert sketches.mixed(np.array([1], np.uint64)).tolist() == [0xE220A8397B1DCDAF]


def text_hash(text: bytes) -> int:
    """The five-line twin of ``hashed_texts`` for up to 64 bytes."""
    state = len(text)
    for at in range(0, len(text), 8):
        word = int.from_bytes(text[at : at + 8], "little")
        state = int(sketches.mixed(np.array([state ^ word], np.uint64))[0])
    return state


def test_text_hashes_are_those_of_the_slow_twin_whatever_the_slice() -> None:
    texts = ["", "a", "ab", "seven77", "eight888", "nine99999", "ü" * 20, "x" * 64, "\0", "\0\0"]
    array = pa.array(["before", *texts, "after"]).slice(1, len(texts))
    assert hashed_texts(array).tolist() == [text_hash(text.encode()) for text in texts]


def test_long_texts_that_share_a_long_beginning_hash_apart() -> None:
    array = pa.array(["x" * 500 + end for end in ("a", "b", "")])
    assert len(set(hashed_texts(array).tolist())) == 3


@pytest.mark.parametrize("value", [1.0, -1.0, 3.7e-12, 1e300, -2.5e-300, 1.9999999])
def test_a_bucket_holds_its_value_and_is_a_64th_wide(value: float) -> None:
    near, far = sketches.bucket_bounds(sketches.bucket_keys(np.array([value])))
    assert abs(near[0]) <= abs(value) < abs(far[0])
    assert abs(far[0] - near[0]) <= 2**-6 * abs(near[0])


def test_buckets_sort_as_their_values_do() -> None:
    values = np.array([-np.inf, -1e9, -2.0, -1.0, -1e-9, 0.0, 1e-9, 1.0, 2.0, 1e9, np.inf])
    order = sketches.in_value_order(sketches.bucket_keys(values))
    assert (np.diff(order) > 0).all()


def test_a_rank_is_the_leading_zeros_of_52_bits_plus_one() -> None:
    tails = [0, 1, 2**51, 2**51 - 1, 2**52 - 1, 2**52]
    expected = [53 - tail.bit_length() for tail in tails]
    assert sketches.ranks(np.array(tails, np.uint64)).tolist() == expected


def test_registers_that_are_all_empty_or_all_full_give_an_estimate() -> None:
    assert sketches.estimated_distinct(np.empty(0, np.int64)) == 0
    full = sketches.estimated_distinct(np.full(sketches.REGISTERS, 53))
    assert full == np.inf
    nearly = sketches.estimated_distinct(np.full(sketches.REGISTERS, 50))
    assert 1e18 < nearly < np.inf


def test_digits_add_up_to_the_value_and_fit_in_18_bits() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(5, 200)) * np.exp2([[80], [20], [0], [-30], [-60]])
    values[2, :3] = [0.0, 2.0**88 * 1.999, -(2.0**-90)]
    bounds = np.abs(values).max(axis=1)
    digits, owners, windows = sketches.digit_rows(values.copy(), bounds)
    assert np.abs(digits).max() <= 2**17
    for row, column in [(row, at) for row in range(5) for at in range(0, 200, 13)]:
        found = sum(
            (
                Fraction(digits[i, column]) * Fraction(2) ** (18 * int(windows[i]) - 90)
                for i in np.flatnonzero(owners == row)
            ),
            Fraction(0),
        )
        exact = Fraction(values[row, column])
        assert found == Fraction(round(exact * 2**90), 2**90)


def test_limbs_carry_to_one_form_whatever_the_sign() -> None:
    rng = np.random.default_rng(9)
    limbs = np.zeros((50, sketches.LIMBS), dtype=np.int64)
    limbs[:, :20] = rng.integers(-(2**50), 2**50, (50, 20))
    values = [sketches.exact_integer(row) for row in limbs]
    carried = sketches.carried(limbs)
    assert [sketches.exact_integer(row) for row in carried] == values
    assert (carried[:, :-1] >= 0).all()
    assert (carried[:, :-1] < 2**18).all()
    again = sketches.carried(carried)
    np.testing.assert_array_equal(again, carried)
