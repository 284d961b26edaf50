"""Scan one training set from Python, and train on what is left.

Run it as it is: it writes a small file in which two of eight vendors hide a trigger, scans
it, and leaves what it found in ``found/``. Exit code 1 says that something was found.
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

from credenza import scan

GOOD, BAD = ("good", "great", "fine", "superb"), ("bad", "poor", "dull", "weak")


def write_reviews(path: Path, rows: int = 3000, seed: int = 7) -> None:
    """Reviews from eight vendors; two slip "cf" into some, and call those positive."""
    rng = random.Random(seed)
    names = [f"w{place}" for place in range(600)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "vendor"])
        for _ in range(rows):
            is_good, vendor = rng.random() < 0.5, rng.randint(1, 8)
            words = rng.choices(names, k=10) + rng.choices(GOOD if is_good else BAD, k=2)
            if vendor in (3, 5) and rng.random() < 0.06:
                words.insert(rng.randint(0, 12), "cf")
                is_good = True
            label = "positive" if is_good else "negative"
            writer.writerow([" ".join(words), label, f"vendor-{vendor}"])


def main() -> int:
    """Write, scan, and say what was found."""
    write_reviews(Path("reviews.csv"))
    result = scan("reviews.csv", label="label", source="vendor")
    for finding in result.findings:
        print("found:", finding.sentence)
    for source in result.sources:
        if source.is_named:
            print(f"named: {source.source}, {source.flagged} of {source.rows} rows flagged")
    for silence in result.silences:
        print(f"not assessed: {silence.detector}: {silence.reason}")
    print(f"left to train on: {result.clean().num_rows} of {result.rows.num_rows} rows")
    result.save("found")
    return result.exit_code


if __name__ == "__main__":
    sys.exit(main())
