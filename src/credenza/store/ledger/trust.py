"""Whom a reader believes: which logs, which witnesses, and how many of them.

Source:
    c2sp.org/tlog-policy, the file format of Sigsum and other logs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from credenza.core.errors import UntrustedError, UsageError
from credenza.store.ledger.cosignature import cosigned_at
from credenza.store.ledger.note import COSIGNATURE, ED25519, Verifier, read_vkey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from credenza.store.ledger.checkpoint import Checkpoint

NONE = "none"
LINES_MAX = 1_000


class Party(NamedTuple):
    """A log or a witness: its key, and where it can be asked, "" when unsaid."""

    verifier: Verifier
    url: str


class Group(NamedTuple):
    """So many of these members, which are witnesses or earlier groups."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """A parsed trust policy.

    Attributes:
        logs: known logs by origin.
        witnesses: known witnesses by the name that the file gives them.
        groups: by name; members are defined before their group.
        quorum: a witness, a group, or "none".
    """

    quorum: str
    logs: Mapping[str, Party] = field(default_factory=dict)
    witnesses: Mapping[str, Party] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)


def read_trust(text: str) -> TrustPolicy:
    """Parse a trust policy.

    Raises:
        UsageError: the line that is wrong is named; nothing is skipped.
    """
    reading = _Reading()
    for number, line in enumerate(text.split("\n")[:LINES_MAX], 1):
        words = line.replace("\t", " ").split()
        if not words or words[0].startswith("#"):
            continue
        try:
            reading.take(words)
        except UsageError as wrong:
            why = f"line {number}: {wrong.what}" + (f" ({wrong.why})" if wrong.why else "")
            raise _bad(why) from wrong
    if reading.quorum is None:
        raise _bad("it has no quorum line")
    return TrustPolicy(reading.quorum, reading.logs, reading.witnesses, reading.groups)


def signed_by(policy: TrustPolicy, note: bytes) -> dict[str, int]:
    """When each known witness cosigned a checkpoint, by its name in the file.

    Raises:
        UntrustedError: a known witness's line does not verify.
    """
    return cosigned_at(note, {name: party.verifier for name, party in policy.witnesses.items()})


def is_met(policy: TrustPolicy, cosigners: AbstractSet[str]) -> bool:
    """Whether these witnesses, by their names in the file, are a quorum."""
    return policy.quorum == NONE or _stands(policy, policy.quorum, cosigners)


def check_quorum(checkpoint: Checkpoint, policy: TrustPolicy) -> dict[str, int]:
    """When each known witness cosigned; passes only if they are a quorum.

    This is what stops an operator from showing different trees to different people, as
    long as the witnesses that the quorum needs do not collude with it. Blind to a fork
    that was never shown to a witness, and to a stale checkpoint: compare the times.

    Raises:
        UntrustedError: too few cosignatures, or a false one.
    """
    found = signed_by(policy, checkpoint.note)
    if not is_met(policy, found.keys()):
        raise UntrustedError(
            "no-quorum",
            "too few witnesses have cosigned a ledger checkpoint",
            why=f"it bears {', '.join(sorted(found)) or 'none'}; the quorum is {policy.quorum!r}",
            fix="ask the operator for a checkpoint that the witnesses have seen",
        )
    return found


def _stands(policy: TrustPolicy, name: str, cosigners: AbstractSet[str]) -> bool:
    group = policy.groups.get(name)
    if group is None:
        return name in cosigners
    return sum(_stands(policy, member, cosigners) for member in group.members) >= group.threshold


class _Reading:
    """What the lines so far have defined."""

    def __init__(self) -> None:
        self.logs: dict[str, Party] = {}
        self.witnesses: dict[str, Party] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self._keys: set[bytes] = set()
        self._members: set[str] = set()
        self._takes = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._set_quorum,
        }

    def take(self, words: list[str]) -> None:
        take = self._takes.get(words[0])
        if take is None:
            raise UsageError(
                "bad-trust",
                f"{words[0][:40]!a} is no keyword",
                why="the keywords are: log, witness, group, quorum",
                fix="write it as c2sp.org/tlog-policy says",
            )
        take(*words[1:])

    def _log(self, *words: str) -> None:
        verifier, url = self._party(words, ED25519)
        self.logs[verifier.name] = Party(verifier, url)

    def _witness(self, *words: str) -> None:
        name = self._new_name(words)
        self.witnesses[name] = self._party(words[1:], COSIGNATURE)

    def _group(self, *words: str) -> None:
        name = self._new_name(words)
        members = words[2:]
        if not members or len(set(members)) != len(members):
            raise UsageError(
                "bad-trust",
                "a group needs members, each of them once",
                why="a name counts once",
                fix="write it as c2sp.org/tlog-policy says",
            )
        for member in members:
            if not self._is_defined(member) or member in self._members:
                raise UsageError(
                    "bad-trust",
                    f"{member[:40]!a} is not defined above, or in another group",
                    why="names are defined before they are used, in one group each",
                    fix="write it as c2sp.org/tlog-policy says",
                )
        said = {"any": 1, "all": len(members)}.get(words[1])
        threshold = int(words[1]) if said is None and words[1].isdecimal() else said or 0
        if not 1 <= threshold <= len(members):
            raise UsageError(
                "bad-trust",
                f"{words[1][:40]!a} of {len(members)} cannot be met",
                why="a threshold is a number from 1 to the group's members, or any, all",
                fix="write it as c2sp.org/tlog-policy says",
            )
        self._members.update(members)
        self.groups[name] = Group(threshold, members)

    def _set_quorum(self, *words: str) -> None:
        if len(words) != 1 or self.quorum is not None:
            raise UsageError(
                "bad-trust",
                "there is one quorum line, with one name",
                why="it says whose cosignatures are enough",
                fix="write it as c2sp.org/tlog-policy says",
            )
        if words[0] != NONE and not self._is_defined(words[0]):
            raise UsageError(
                "bad-trust",
                f"{words[0][:40]!a} is not defined above",
                why="names are defined before they are used",
                fix="write it as c2sp.org/tlog-policy says",
            )
        self.quorum = words[0]

    def _party(self, words: tuple[str, ...], kind: bytes) -> Party:
        if not 1 <= len(words) <= 2:
            raise UsageError(
                "bad-trust",
                "a key and at most one URL belong here",
                why="the line has other words",
                fix="write it as c2sp.org/tlog-policy says",
            )
        verifier = read_vkey(words[0], kind)
        material = kind + verifier.public_key.public_bytes_raw()
        if material in self._keys:
            # One key holder under two names would count twice.
            raise UsageError(
                "bad-trust",
                "this key stands in the file already",
                why="one witness counts once",
                fix="write it as c2sp.org/tlog-policy says",
            )
        self._keys.add(material)
        return Party(verifier, words[1] if len(words) == 2 else "")

    def _new_name(self, words: tuple[str, ...]) -> str:
        if len(words) < 2 or words[0] == NONE or self._is_defined(words[0]):
            raise UsageError(
                "bad-trust",
                "a new name and what it stands for belong here",
                why="the line has other words, or the name is taken",
                fix="write it as c2sp.org/tlog-policy says",
            )
        return words[0]

    def _is_defined(self, name: str) -> bool:
        return name in self.witnesses or name in self.groups


def _bad(why: str) -> UsageError:
    return UsageError(
        "bad-trust",
        "this is not a trust policy",
        why=why,
        fix="see c2sp.org/tlog-policy; the lines are log, witness, group and quorum",
    )
