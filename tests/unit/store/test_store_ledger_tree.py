from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pymerkle
import pytest

from credenza.core.errors import UntrustedError, UsageError
from credenza.store.ledger.tiles import Edge, grow, tile_path, tile_width, unpack_bundle
from credenza.store.ledger.tree import (
    EMPTY_ROOT,
    consistency_ranges,
    fold,
    fold_edge,
    hash_leaf,
    hash_leaves,
    hash_node,
    inclusion_ranges,
    verify_consistency,
    verify_inclusion,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "rfc6962.json").read_text())
LEAVES = [bytes.fromhex(leaf) for leaf in VECTORS["leaves"]]
ROOTS = [EMPTY_ROOT, *(bytes.fromhex(root) for root in VECTORS["roots"])]


def hashes(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


def root_of(leaves: list[bytes]) -> bytes:
    return fold(hash_leaves(leaves)) or EMPTY_ROOT


def prove(leaves: list[bytes], ranges: list[tuple[int, int]]) -> list[bytes]:
    return [root_of(leaves[low:high]) for low, high in ranges]


def test_roots_are_those_of_the_reference_tree() -> None:
    assert EMPTY_ROOT.hex() == VECTORS["empty_root"]
    assert [root_of(LEAVES[:size]) for size in range(9)] == ROOTS


@pytest.mark.parametrize("case", VECTORS["inclusion"])
def test_inclusion_proofs_are_those_of_the_reference_tree(
    case: dict[str, int | list[str]],
) -> None:
    index, size, proof = case["index"], case["size"], case["proof"]
    assert isinstance(index, int)
    assert isinstance(size, int)
    assert isinstance(proof, list)
    assert prove(LEAVES, inclusion_ranges(index, size)) == hashes(proof)
    verify_inclusion(hash_leaf(LEAVES[index]), index, size, hashes(proof), ROOTS[size])


@pytest.mark.parametrize("case", VECTORS["consistency"])
def test_consistency_proofs_are_those_of_the_reference_tree(
    case: dict[str, int | list[str]],
) -> None:
    old, new, proof = case["old"], case["new"], case["proof"]
    assert isinstance(old, int)
    assert isinstance(new, int)
    assert isinstance(proof, list)
    assert prove(LEAVES, consistency_ranges(old, new)) == hashes(proof)
    verify_consistency(old, ROOTS[old], new, ROOTS[new], hashes(proof))


def test_another_implementation_agrees_on_roots_and_proofs() -> None:
    leaves = [str(number).encode() for number in range(70)]
    other = pymerkle.InmemoryTree()
    for size, leaf in enumerate(leaves, 1):
        other.append_entry(leaf)
        root = root_of(leaves[:size])
        assert other.get_root(size) == root
        for index in range(0, size, 7):
            ours = prove(leaves[:size], inclusion_ranges(index, size))
            theirs = other.prove_inclusion(index + 1, size).path
            assert sorted(theirs) == sorted([*ours, hash_leaf(leaves[index])])


def test_threat_10_a_proof_must_have_exactly_the_hashes_its_place_needs() -> None:
    for size in range(1, 9):
        for index in range(size):
            proof = prove(LEAVES, inclusion_ranges(index, size))
            leaf, root = hash_leaf(LEAVES[index]), ROOTS[size]
            verify_inclusion(leaf, index, size, proof, root)
            for wrong in (
                [*proof, root],
                [leaf, *proof],
                proof[1:] if proof else [b""],
                [*proof[:-1], proof[-1] + b"\0"] if proof else [bytes(32)],
                proof[::-1] if len(set(proof)) > 1 else [bytes(32)] * 9,
            ):
                with pytest.raises(UntrustedError):
                    verify_inclusion(leaf, index, size, wrong, root)


def test_threat_10_a_proof_fits_no_other_index_root_or_leaf() -> None:
    proof = prove(LEAVES, inclusion_ranges(5, 8))
    leaf = hash_leaf(LEAVES[5])
    for index in (-1, 0, 4, 6, 7, 8, 13, 2**70):
        with pytest.raises(UntrustedError):
            verify_inclusion(leaf, index, 8, proof, ROOTS[8])
    for other in (ROOTS[7], b"", bytes(31)):
        with pytest.raises(UntrustedError):
            verify_inclusion(leaf, 5, 8, proof, other)
        with pytest.raises(UntrustedError):
            verify_inclusion(other, 5, 8, proof, ROOTS[8])


def test_threat_10_an_inner_node_cannot_pose_as_an_entry() -> None:
    left, right = hash_leaf(LEAVES[0]), hash_leaf(LEAVES[1])
    assert hash_node(left, right) == ROOTS[2]
    assert hash_leaf(left + right) != ROOTS[2]
    with pytest.raises(UntrustedError):
        verify_inclusion(hash_leaf(left + right), 0, 1, [], ROOTS[2])
    # The same node, offered as a leaf of the tree of half the size, needs the size to
    # come from the checkpoint: with the true size the proof is one hash too short.
    upper = prove(LEAVES, inclusion_ranges(0, 8))[1:]
    verify_inclusion(ROOTS[2], 0, 4, upper, ROOTS[8])
    with pytest.raises(UntrustedError):
        verify_inclusion(ROOTS[2], 0, 8, upper, ROOTS[8])


def test_threat_09_a_forked_or_shortened_history_has_no_consistency_proof() -> None:
    for new in range(1, 9):
        for old in range(new + 1):
            proof = prove(LEAVES, consistency_ranges(old, new))
            verify_consistency(old, ROOTS[old], new, ROOTS[new], proof)
            for wrong_old, wrong_new in (
                (hash_leaf(b"fork"), ROOTS[new]),
                (ROOTS[old], hash_leaf(b"fork")),
            ):
                if (old, wrong_new) == (0, hash_leaf(b"fork")):
                    continue  # an empty tree is a prefix of every tree
                with pytest.raises(UntrustedError):
                    verify_consistency(old, wrong_old, new, wrong_new, proof)
            for wrong in ([*proof, ROOTS[new]], proof[1:] if proof else [ROOTS[old]]):
                with pytest.raises(UntrustedError):
                    verify_consistency(old, ROOTS[old], new, ROOTS[new], wrong)
    with pytest.raises(UntrustedError):
        verify_consistency(8, ROOTS[8], 7, ROOTS[7], [])


def test_what_is_not_in_the_tree_cannot_be_asked_for() -> None:
    for index, size in ((0, 0), (-1, 3), (3, 3)):
        with pytest.raises(UsageError):
            inclusion_ranges(index, size)
    for old, new in ((-1, 3), (4, 3)):
        with pytest.raises(UsageError):
            consistency_ranges(old, new)


def test_tiles_lie_where_the_standard_puts_them() -> None:
    assert tile_path(0, 0) == "tile/0/000"
    assert tile_path(2, 1234067) == "tile/2/x001/x234/067"
    assert tile_path(0, 273, 112) == "tile/0/273.p/112"
    assert tile_path("entries", 1000, 1) == "tile/entries/x001/000.p/1"


def test_a_tree_of_70000_has_the_tiles_that_the_standard_counts() -> None:
    entries = [number.to_bytes(3, "big") for number in range(70_000)]
    growth = grow(Edge(), entries)
    level = [f"tile/{number}/" for number in range(3)]
    names = list(growth.files)
    assert sum(name.startswith(level[0]) and ".p" not in name for name in names) == 273
    assert sum(name.startswith(level[1]) and ".p" not in name for name in names) == 1
    partial = {name for name in names if ".p" in name}
    assert partial == {
        "tile/0/273.p/112",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
        "tile/entries/273.p/112",
    }
    assert [tile_width(0, 273, 70_000), tile_width(1, 1, 70_000), tile_width(3, 0, 70_000)] == [
        112,
        17,
        0,
    ]
    assert all(len(growth.files[name]) == 8192 for name in growth.filled if "entries" not in name)
    assert fold_edge(growth.edge.rows) == root_of(entries)
    assert unpack_bundle(growth.files["tile/entries/273.p/112"], 112) == entries[273 * 256 :]


def test_a_tree_of_256_is_one_full_tile_and_a_parent_of_width_one() -> None:
    growth = grow(Edge(), [b"x"] * 256)
    assert set(growth.files) == {"tile/0/000", "tile/1/000.p/1", "tile/entries/000"}
    assert growth.filled == ("tile/entries/000", "tile/0/000")
    assert growth.edge.pending == ()


def test_a_bundle_holds_its_entries_and_nothing_else() -> None:
    data = grow(Edge(), [b"ab", b""]).files["tile/entries/000.p/2"]
    assert data == b"\0\2ab\0\0"
    for wrong, width in ((data, 1), (data, 3), (data + b"\0", 2), (data[:-1], 2), (b"\0", 1)):
        with pytest.raises(ValueError, match="not"):
            unpack_bundle(wrong, width)


def test_leaf_and_node_hashes_are_domain_separated_as_the_rfc_says() -> None:
    assert hash_leaf(b"a") == hashlib.sha256(b"\0a").digest()
    assert hash_node(b"a" * 32, b"b" * 32) == hashlib.sha256(b"\1" + b"a" * 32 + b"b" * 32).digest()
