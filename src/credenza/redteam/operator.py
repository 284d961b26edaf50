"""The operator as attacker: the ledger as somebody who holds its key would falsify it.

Each attack writes another ledger beside the true one, signed with the same key, so
that nothing inside it is wrong: only who remembers the true one can tell.
"""

from __future__ import annotations

import shutil
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from credenza.core.canonical import sha256_hex
from credenza.core.errors import UsageError
from credenza.store.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from credenza.core.types import Entry

    Forge = Callable[[list["Leaf"]], list["Leaf"]]

FEWEST = 3
DAY_S = 86_400


class Leaf(NamedTuple):
    """What an entry says, wherever it stands."""

    kind: str
    digest: str
    time_s: int


def rewrite(leaves: list[Leaf]) -> list[Leaf]:
    """Change what an entry in the middle says happened."""
    middle = len(leaves) // 2
    return [*leaves[:middle], _another(leaves[middle]), *leaves[middle + 1 :]]


def fork(leaves: list[Leaf]) -> list[Leaf]:
    """Tell another end of the story, of the same length, to somebody else."""
    return [*leaves[:-1], _another(leaves[-1])]


def truncate(leaves: list[Leaf]) -> list[Leaf]:
    """Let the last third never have happened."""
    return leaves[: max(1, 2 * len(leaves) // 3)]


def omit(leaves: list[Leaf]) -> list[Leaf]:
    """Drop the latest submission, which was acknowledged, and go on as if nothing was."""
    dropped = max((at for at, leaf in enumerate(leaves) if leaf.kind == "submission"), default=0)
    rest = [leaf for at, leaf in enumerate(leaves) if at != dropped]
    return [*rest, _another(leaves[-1])]


def back_date(leaves: list[Leaf]) -> list[Leaf]:
    """Append a decision, and say that it was taken long ago."""
    return [*leaves, Leaf("decision", sha256_hex(b"back-dated"), leaves[0].time_s - 30 * DAY_S)]


def forge(ledger: Ledger, key: Ed25519PrivateKey, attack: Forge, out: Path) -> int:
    """Write the falsified ledger to ``out``; its number of entries.

    Args:
        ledger: the true one; it is only read.
        key: the operator's.
        attack: one of this module.
        out: a directory that does not exist.

    Raises:
        UsageError: ``out`` exists, or the ledger is too short to falsify.
    """
    if out.exists():
        raise UsageError(
            "exists",
            f"{out.name!r} exists",
            why="a falsified ledger is written beside the true one, never over it",
            fix="name a directory that does not",
        )
    leaves = [_leaf(entry) for entry in ledger.entries()]
    if len(leaves) < FEWEST:
        raise UsageError(
            "too-short",
            f"a ledger of {len(leaves)} entries has no history yet",
            why="what is rewritten must have been signed before",
            fix="try it on a workspace in which something was submitted",
        )
    forged = attack(leaves)
    try:
        with Ledger.create(out, ledger.origin, key) as copy:
            for time_s, same in groupby(forged, lambda leaf: leaf.time_s):
                copy.append_many([(leaf.kind, leaf.digest) for leaf in same], time_s)
            return copy.size
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise


def _leaf(entry: Entry) -> Leaf:
    return Leaf(entry.kind, entry.digest, entry.time_s)


def _another(leaf: Leaf) -> Leaf:
    return leaf._replace(digest=sha256_hex(leaf.digest.encode()))


OPERATOR_ATTACKS: Mapping[str, Forge] = {
    "back-date": back_date,
    "fork": fork,
    "omit": omit,
    "rewrite": rewrite,
    "truncate": truncate,
}
