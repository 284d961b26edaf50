"""``credenza certify``: a table in, a certificate, its curve and a demand on it out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from credenza.core.types import Outcome
from credenza.interfaces.certified_curve import certified_curve_svg
from credenza.interfaces.cli.main import main
from credenza.training.certified import Curve, demand

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = [f"s{place}" for place in range(9)]


def table(rows: int, seed: int, flipped: tuple[str, ...] = ()) -> pa.Table:
    rng = np.random.default_rng(seed)
    depth, kind = rng.normal(size=rows), rng.choice(["ash", "elm", "oak"], rows)
    good = (depth + (kind == "oak") - (kind == "ash")) > 0
    source = rng.choice(SOURCES, rows)
    good ^= np.isin(source, flipped)
    return pa.table(
        {
            "depth": depth,
            "kind": kind,
            "seen": pa.array(np.arange(rows)).cast(pa.timestamp("s")),
            "raw": [[1, 2]] * rows,
            "good": np.where(good, "yes", "no"),
            "source": source,
        }
    )


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pq.write_table(table(1_800, 0), "june.parquet")
    pq.write_table(table(400, 1), "clean.parquet")
    (tmp_path / "roster.txt").write_text("\n".join(SOURCES) + "\n")
    return tmp_path


def certified(*more: str) -> tuple[int, Any]:
    words = ["certify", "june.parquet", "--label", "good", "--source", "source", "--json", *more]
    code = main(words)
    return code, None


def asked(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, Any]:
    capsys.readouterr()
    code, _ = certified(*more)
    return code, json.loads(capsys.readouterr().out)


def test_it_prints_a_curve_beside_the_verified_rows_alone(
    desk: Path,  # noqa: ARG001 - the directory it works in
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, said = asked(capsys, "--roster", "roster.txt", "--trusted", "clean.parquet")
    assert code == 0
    assert said["schema"] == "credenza.certificate/1"
    assert (said["units"], said["rows"], said["verified"]) == (9, 1_800, True)
    assert said["inputs"] == ["depth", "kind", "seen"]
    shares = {point["hostile"]: point["certified"] for point in said["curve"]}
    assert shares[0] > 0.85
    assert shares[0] >= shares[1] >= shares[2] > 0.6
    assert shares[5] == 0
    assert said["trusted_only"] > 0.8
    losing = [count for count, share in shares.items() if share < said["trusted_only"]]
    assert said["crossing"] == min(losing)


def test_without_verified_rows_it_says_that_nobody_verified_them(
    desk: Path,  # noqa: ARG001 - the directory it works in
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, said = asked(capsys, "--units", "9", "--scheme", "run-off")
    assert (code, said["verified"], said["trusted_only"]) == (0, False, None)
    main(["certify", "june.parquet", "--label", "good", "--source", "source", "--units", "9"])
    assert "rows that nobody verified" in capsys.readouterr().out


def test_what_is_certified_holds_when_so_many_sources_flip_their_labels(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, before = asked(capsys, "--roster", "roster.txt", "--trusted", "clean.parquet")
    pq.write_table(table(1_800, 0, ("s2", "s7")), desk / "june.parquet")
    _, after = asked(capsys, "--roster", "roster.txt", "--trusted", "clean.parquet")
    certified_for_two = {p["hostile"]: p["certified"] for p in before["curve"]}[2]
    assert after["curve"][0]["certified"] >= certified_for_two


def test_declared_sources_are_one_unit(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{name}={'acme' if name in SOURCES[:3] else name}" for name in SOURCES]
    (desk / "roster.txt").write_text("\n".join(lines))
    assert asked(capsys, "--roster", "roster.txt")[1]["units"] == 7


@pytest.mark.parametrize(("demanded", "code"), [("1=0.7", 0), ("2=0.999", 1), ("5=0.5", 1)])
def test_a_demand_that_is_not_met_stops_the_pipeline(
    desk: Path,  # noqa: ARG001 - the directory it works in
    capsys: pytest.CaptureFixture[str],
    demanded: str,
    code: int,
) -> None:
    found, said = asked(capsys, "--roster", "roster.txt", "--require", demanded)
    assert found == code
    assert said["demand"]["met"] is (code == 0)
    assert "colluding units send" in said["demand"]["sentence"]


def test_the_certificate_and_its_picture_are_written(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--roster", "roster.txt", "--trusted", "clean.parquet", "--out", "found")
    _, said = asked(capsys, *given)
    assert json.loads((desk / "found" / "certificate.json").read_text()) == said
    picture = (desk / "found" / "curve.svg").read_text()
    ET.fromstring(picture)  # noqa: S314 - our own picture
    assert f"trusted rows alone: {said['trusted_only']:.3f}" in picture
    assert f"trusted wins from {said['crossing']}" in picture


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ((), "no-assignment"),
        (("--roster", "short.txt"), "not-on-roster"),
        (("--units", "9", "--label", "colour"), "no-such-column"),
        (("--units", "9", "--hostile", "one"), "usage"),
        (("--units", "9", "--require", "5"), "usage"),
    ],
)
def test_what_cannot_be_certified_says_why(
    desk: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], says: str
) -> None:
    (desk / "short.txt").write_text("s0\ns1\n")
    code, said = asked(capsys, *more)
    assert code == 2
    assert says in json.dumps(said)


def test_a_table_without_inputs_is_refused(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(table(50, 0).select(["good", "source", "raw"]), desk / "june.parquet")
    code, said = asked(capsys, "--units", "9")
    assert code == 2
    assert "nothing-to-learn" in json.dumps(said)


def test_a_demand_reads_the_curve_at_the_next_larger_number() -> None:
    curve = Curve((0, 5, 10), (0.9, 0.8, 0.7), 0.75)
    assert demand(curve, 0, 0.9).outcome is Outcome.ADMIT
    assert demand(curve, 3, 0.8).outcome is Outcome.ADMIT
    assert demand(curve, 3, 0.85).outcome is Outcome.HOLD
    held = demand(curve, 7, 0.8)
    assert held.outcome is Outcome.HOLD
    assert "the trusted rows alone give 0.750" in held.sentence
    assert demand(curve, 11, 0.1).outcome is Outcome.HOLD
    assert "says nothing about 11" in demand(curve, 11, 0.1).sentence


def test_the_picture_leaves_out_a_line_that_is_not_there() -> None:
    drawn = certified_curve_svg(Curve((0, 1), (0.9, 0.5), float("nan")), 'a <b> & "c"')
    ET.fromstring(drawn)  # noqa: S314 - our own picture
    assert "trusted" not in drawn
    assert "nan" not in drawn
    assert "<b>" not in drawn
