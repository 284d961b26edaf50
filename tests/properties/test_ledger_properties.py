from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credenza.core.errors import UntrustedError
from credenza.store.ledger.leaf import is_leaf, leaf_bytes, parse_leaf
from credenza.store.ledger.tiles import Edge, grow, pack_bundle, unpack_bundle
from credenza.store.ledger.tree import (
    EMPTY_ROOT,
    consistency_ranges,
    fold,
    fold_edge,
    hash_leaf,
    hash_leaves,
    inclusion_ranges,
    verify_consistency,
    verify_inclusion,
)

repeatable = settings(derandomize=True, deadline=None, database=None, max_examples=60)


def slow_root(leaves: list[bytes]) -> bytes:
    """The definition in RFC 6962, section 2.1, word for word."""
    if len(leaves) < 2:
        return hashlib.sha256(b"\0" + leaves[0] if leaves else b"").digest()
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\1" + slow_root(leaves[:k]) + slow_root(leaves[k:])).digest()


def slow_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D[n]) of section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    if m < k:
        return [*slow_path(m, leaves[:k]), slow_root(leaves[k:])]
    return [*slow_path(m - k, leaves[k:]), slow_root(leaves[:k])]


def slow_subproof(m: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b) of section 2.1.2."""
    if m == len(leaves):
        return [] if whole else [slow_root(leaves)]
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    if m <= k:
        return [*slow_subproof(m, leaves[:k], whole=whole), slow_root(leaves[k:])]
    return [*slow_subproof(m - k, leaves[k:], whole=False), slow_root(leaves[:k])]


def numbered(count: int) -> list[bytes]:
    return [str(number).encode() for number in range(count)]


def ranges_hashed(leaves: list[bytes], ranges: list[tuple[int, int]]) -> list[bytes]:
    return [fold(hash_leaves(leaves[low:high])) for low, high in ranges]


@repeatable
@given(st.lists(st.binary(max_size=40), max_size=80))
def test_the_fast_root_is_the_recursive_one(leaves: list[bytes]) -> None:
    assert (fold(hash_leaves(leaves)) or EMPTY_ROOT) == slow_root(leaves)


@repeatable
@given(st.lists(st.integers(0, 700), max_size=5))
def test_any_grouping_of_appends_grows_the_recursive_tree(groups: list[int]) -> None:
    entries = numbered(sum(groups))
    edge, files, at = Edge(), dict[str, bytes](), 0
    for group in groups:
        growth = grow(edge, entries[at : at + group])
        assert not set(growth.files) & set(files)
        files |= growth.files
        edge, at = growth.edge, at + group
    assert edge.size == len(entries)
    assert fold_edge(edge.rows) == slow_root(entries)
    at_once = grow(Edge(), entries)
    assert at_once.edge == edge
    assert at_once.files.items() <= files.items()


@repeatable
@given(st.integers(1, 300).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size))))
def test_inclusion_proofs_are_the_recursive_ones(place: tuple[int, int]) -> None:
    index, size = place
    leaves = numbered(size)
    proof = ranges_hashed(leaves, inclusion_ranges(index, size))
    assert proof == slow_path(index, leaves)
    verify_inclusion(hash_leaf(leaves[index]), index, size, proof, slow_root(leaves))


@repeatable
@given(st.integers(1, 300).flatmap(lambda new: st.tuples(st.integers(1, new), st.just(new))))
def test_consistency_proofs_are_the_recursive_ones(sizes: tuple[int, int]) -> None:
    old, new = sizes
    leaves = numbered(new)
    proof = ranges_hashed(leaves, consistency_ranges(old, new))
    assert proof == slow_subproof(old, leaves, whole=True)
    verify_consistency(old, slow_root(leaves[:old]), new, slow_root(leaves), proof)


@repeatable
@given(
    st.integers(2, 100),
    st.data(),
)
def test_threat_10_a_proof_with_any_one_hash_changed_is_refused(
    size: int, data: st.DataObject
) -> None:
    leaves = numbered(size)
    index = data.draw(st.integers(0, size - 1))
    proof = slow_path(index, leaves)
    at = data.draw(st.integers(0, len(proof) - 1))
    wrong = data.draw(st.binary(max_size=40).filter(lambda one: one != proof[at]))
    with pytest.raises(UntrustedError):
        verify_inclusion(
            hash_leaf(leaves[index]),
            index,
            size,
            [*proof[:at], wrong, *proof[at + 1 :]],
            slow_root(leaves),
        )


@repeatable
@given(st.lists(st.binary(max_size=300), max_size=20))
def test_bundles_come_back_as_packed(entries: list[bytes]) -> None:
    assert unpack_bundle(pack_bundle(entries), len(entries)) == entries


@repeatable
@given(
    st.from_regex(r"[a-z][a-z0-9._-]{0,63}", fullmatch=True),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**53 - 1),
)
def test_leaves_come_back_as_written(kind: str, digest: bytes, time_s: int) -> None:
    data = leaf_bytes(kind, digest.hex(), time_s)
    entry = parse_leaf(data, 5)
    assert (entry.index, entry.kind, entry.digest, entry.time_s) == (5, kind, digest.hex(), time_s)
    assert is_leaf(data)
    assert not is_leaf(data + b" ")
    assert not is_leaf(data.replace(b":", b": ", 1))
