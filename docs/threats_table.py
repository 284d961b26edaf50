# ruff: noqa: INP001 - a script, not a package
"""The page of threats, from the names of the tests: ``python docs/threats_table.py``.

A test named ``test_threat_NN_…`` answers row NN of the table; ``tests/unit/test_threats.py``
fails when the page is not what this script writes, or when a test answers no row.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "reference" / "threats.md"

_TEST = re.compile(r"^def (test_threat_([0-9]{2}|i[0-9])_\w+)\(", re.MULTILINE)
_HEAD = """# Threats: attack, defence, tests

Written by `python docs/threats_table.py` from the names of the tests; do not edit.
"""


class Threat(NamedTuple):
    """One row: an attack, what stands against it, and what of that is still to come."""

    number: str
    attack: str
    defence: str
    missing: str = ""


THREATS = (
    Threat(
        "01",
        "A forged or altered manifest, a swapped payload type, another algorithm",
        "Signatures over exact bytes with their type; those same bytes are parsed, strictly; "
        "Ed25519 only; an envelope has one spelling.",
    ),
    Threat(
        "02",
        "One key registered under two ids reaches a threshold",
        "Different key *material* is counted; keys that anyone could sign with, and second "
        "spellings of a key, are refused.",
    ),
    Threat(
        "03",
        "Ambiguous JSON: doubled keys, huge integers, NaN, lone surrogates, depth bombs",
        "One strict parser with limits on size and depth.",
    ),
    Threat(
        "04",
        "A batch replayed, re-ordered, sent as another source's or to another dataset",
        "Sequence, previous digest, source and dataset stand in the signed statement.",
    ),
    Threat(
        "05",
        "Rotation, revocation, expiry and rollback of keys; a ring that is frozen, mixed or "
        "fast-forwarded",
        "A frozen or revoked source submits nothing; a key never changes hands. A key ring on TUF "
        "metadata is followed by TUF's client rules; a source's keys, scope, threshold and expiry "
        "are those that it delegates.",
    ),
    Threat(
        "06",
        "A row or cell changed after signing; a file re-encoded",
        "The file's digest for verification, the row root for identity; changed cells are "
        "located; a row's inclusion in a batch, and its batch's in a release, can be proven or "
        "excluded.",
    ),
    Threat(
        "07",
        "Content behind a URL changes after it was indexed",
        "Bytes are ingested when they are fetched, with their digest in the row; a digest from the "
        "index is demanded; what a second fetch finds changed stays out.",
    ),
    Threat(
        "08",
        "Frontrunning of a scheduled snapshot",
        "Pages are fetched in a random order at random times, held back, and fetched again.",
    ),
    Threat(
        "09",
        "The operator rewrites, forks, truncates or omits",
        "Witnesses persist before they cosign, and cosign only growth; verifiers demand a quorum; "
        "senders hold signed receipts; a monitor remembers, and bounds every entry's time. "
        "Any altered tile, entry or checkpoint is found by the audit.",
    ),
    Threat(
        "10",
        "Malformed or over-long proofs; an inner node as a leaf",
        "Exact lengths, domain separation, and size *and* root from the signed checkpoint.",
    ),
    Threat(
        "11",
        "A crash, a kill or a full disk at any write",
        "Entries and tiles are durable before the checkpoint is renamed; one writer; group commit.",
    ),
    Threat(
        "12",
        "A release or batch with a file added, swapped, hidden, linked or strangely named",
        "The set of names is exactly the signed one; plain names and regular files only; "
        "digests while reading.",
    ),
    Threat(
        "13",
        "Verified, then swapped before training",
        "The bytes that were hashed are the bytes that are kept, in a read-only copy that "
        "appears whole or not at all; the loader opens only that, and hashes what it hands out.",
    ),
    Threat(
        "14",
        "A recalled release is still used",
        "A release on the signed recall list is refused, with the reason, whoever signed it "
        "again; an expired one too.",
    ),
    Threat(
        "15",
        "An error in the policy engine skips a prohibition",
        "Cedar's Allow counts only where no rule failed while it was evaluated; rules are checked "
        "against a schema whenever they are loaded.",
    ),
    Threat(
        "16",
        "One insider does both halves of a decision",
        "Requests and approvals are signed, bound to exact terms, rules, policy and ledger, used "
        "once, and counted by person and key material; neither submitter, requester nor owner "
        "approves, an admin promotes nothing; members and approvals are read from the ledger, "
        "never from the catalog, and an audit recomputes every warrant.",
    ),
    Threat(
        "i1",
        "Intake: Parquet bombs, flipped footers, deep nesting, endless parsing",
        "Limits on rows, decoded bytes and depth, page checksums, and a parser in a "
        "subprocess with memory, CPU and wall-clock limits.",
    ),
    Threat(
        "i2",
        "Intake: archives, pickles, a million columns",
        "No archives, nothing is unpickled, columns are counted before they are parsed.",
    ),
    Threat(
        "i3",
        "Intake: a flood of batches fills queue, disk or reviewers",
        "A quota of open batches, rows, bytes and findings per source; what is beyond is refused "
        "before it is parsed; what waits is listed by cause.",
    ),
    Threat(
        "i4",
        "Intake: a new column or another type is smuggled in",
        "All files of a batch, and all batches of a dataset, have one shape.",
    ),
)


def tests_by_threat(tests: Path) -> dict[str, list[str]]:
    """Names of tests by the number of the threat that they answer."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(tests.rglob("test_*.py")):
        for name, number in _TEST.findall(path.read_text("utf-8")):
            place = f"{path.relative_to(REPOSITORY).as_posix()}::{name}"
            found[number].append(place)
    return found


def page(found: dict[str, list[str]]) -> str:
    """The whole page as Markdown; a threat without a test says so, whatever it claims."""
    lines = [_HEAD, "| # | attack | defence | tests |", "|---|---|---|---|"]
    for threat in THREATS:
        tests = found.get(threat.number, [])
        told = f"[{len(tests)}](#{threat.number})" if tests else "none"
        defence = threat.defence if tests else ""
        if threat.missing or not tests:
            defence = f"{defence} Not yet: {threat.missing or 'issue 3'}.".lstrip()
        lines.append(f"| {threat.number} | {threat.attack} | {defence} | {told} |")
    for threat in THREATS:
        tests = found.get(threat.number, [])
        if tests:
            lines += ["", f'<a id="{threat.number}"></a>', f"**{threat.number}.** {threat.attack}:"]
            lines += ["", *(f"- {_sentence(place)}" for place in tests)]
    return "\n".join(lines) + "\n"


def _sentence(place: str) -> str:
    path, name = place.split("::")
    words = name.split("_", 3)[3].replace("_", " ")
    return f"{words} (`{path}`)"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(tests_by_threat(REPOSITORY / "tests")), "utf-8")
