from __future__ import annotations

import runpy
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TABLE = runpy.run_path(str(REPOSITORY / "docs" / "threats_table.py"))
FOUND = TABLE["tests_by_threat"](REPOSITORY / "tests")


def test_the_page_of_threats_is_what_the_tests_say() -> None:
    page = (REPOSITORY / "docs" / "reference" / "threats.md").read_text("utf-8")
    assert page == TABLE["page"](FOUND), "run `python docs/threats_table.py`"


def test_every_test_of_a_threat_answers_a_row_of_the_table() -> None:
    assert set(FOUND) <= {threat.number for threat in TABLE["THREATS"]}


def test_a_threat_without_a_test_is_shown_as_undefended() -> None:
    page = TABLE["page"]({})
    assert page.count("Not yet") == len(TABLE["THREATS"])
    assert "Ed25519" not in page
