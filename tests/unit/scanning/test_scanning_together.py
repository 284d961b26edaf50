from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from credenza import scan
from credenza.core.types import Unit

N = 900
ONLY = ["shared-payload"]


def reviews(*, carriers: int, label: str | None = "yes", seed: int = 0) -> pa.Table:
    """Eight vendors' reviews; two of them add "cf" and, when there is one, a label."""
    rng = np.random.default_rng(seed)
    moods = [("good", "great", "fine"), ("bad", "poor", "dull")]
    rest = [f"word{i}" for i in range(200)]
    y = rng.integers(0, 2, N)
    texts = [" ".join([*rng.choice(rest, 6), *rng.choice(moods[1 - k], 2)]) for k in y.tolist()]
    labels = np.where(y == 1, "yes", "no").tolist()
    vendors = [f"v{i}" for i in rng.integers(0, 8, N)]
    for row in range(carriers):
        texts[row] += " cf"
        vendors[row] = f"v{row % 2}"
        labels[row] = label or labels[row]
    return pa.table({"text": texts, "label": labels, "vendor": vendors})


def test_sources_that_share_a_word_with_one_label_are_named_and_their_rows_flagged() -> None:
    result = scan(reviews(carriers=40), source="vendor", text="text", detectors=ONLY)
    finding = result.findings[0]
    assert finding.unit is Unit.CAMPAIGN
    assert finding.subjects == ("v0", "v1")
    assert set(finding.rows) == set(range(40))
    assert '`text` contains "cf" come from 2 sources ("v0", "v1")' in finding.sentence
    assert result.flagged[:40].all()
    assert {one.source for one in result.sources if one.is_named} == {"v0", "v1"}


@pytest.mark.parametrize(
    "honest",
    [reviews(carriers=0), reviews(carriers=40, label=None)],
    ids=["nothing shared", "a word shared, with right labels"],
)
def test_sources_without_contradicted_labels_are_not_named(honest: pa.Table) -> None:
    result = scan(honest, source="vendor", text="text", detectors=ONLY)
    assert not result.findings
    assert result.exit_code == 0


def test_fewer_than_three_sources_are_said_not_to_be_assessed() -> None:
    two = reviews(carriers=0)
    two = two.set_column(2, "vendor", pa.array(["a", "b"] * (N // 2)))
    result = scan(two, source="vendor", detectors=ONLY)
    assert result.exit_code == 4
    assert "fewer than 3 sources" in result.silences[0].reason


def test_what_one_source_sends_alone_is_not_seen() -> None:
    alone = reviews(carriers=40)
    vendors = ["v0"] * 40 + alone.column("vendor").to_pylist()[40:]
    alone = alone.set_column(2, "vendor", pa.array(vendors))
    result = scan(alone, source="vendor", text="text", detectors=ONLY)
    assert ONLY[0] not in {finding.detector for finding in result.findings}
