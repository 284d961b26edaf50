"""Policies: every key is checked, and every policy can be tried before it is used."""

from __future__ import annotations

import pytest

from credenza.core.errors import UsageError
from credenza.core.types import Outcome
from credenza.gate.policy import Policy
from credenza.gate.policy_cases import run_cases
from credenza.gate.policy_file import load_policy, shipped_policy


def test_the_default_file_says_what_the_defaults_are() -> None:
    read = load_policy(shipped_policy().encode())
    assert read == Policy(digest=read.digest)


def test_two_policies_that_differ_by_a_byte_have_different_digests() -> None:
    one = load_policy(shipped_policy().encode())
    other = load_policy((shipped_policy() + "\n").encode())
    assert one.digest != other.digest


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "schema"),
        ('schema = "credenza.policy/9"', "schema"),
        ('schema = "credenza.policy/1"\nbudgett = 1', "budgett"),
        ('schema = "credenza.policy/1"\n[budget]\nrowz = 1', "rowz"),
        ('schema = "credenza.policy/1"\n[budget]\nrows = "many"', "budget.rows"),
        ('schema = "credenza.policy/1"\n[budget]\nrows = 0.9', "budget.rows"),
        ('schema = "credenza.policy/1"\n[outcomes]\nsilence = "ignore"', "outcomes.silence"),
        ('schema = "credenza.policy/1"\n[window]\ndays = true', "window.days"),
        ('schema = "credenza.policy/1"\n[window]\ncycles = ["week"]', "window.cycles"),
        ('schema = "credenza.policy/1"\n[window]\ncycles = [1]', "window.cycles"),
        ('schema = "credenza.policy/1"\n[window]\ncycles = [7, 7]', "window.cycles"),
        ('schema = "credenza.policy/1"\n[window]\ncycles = [7, 30, 52, 365]', "window.cycles"),
        ('schema = "credenza.policy/1"\ndetectors = [1]', "detectors"),
        ("\xff\x00", "TOML"),
    ],
)
def test_a_wrong_policy_is_refused_with_the_key_that_is_wrong(text: str, named: str) -> None:
    with pytest.raises(UsageError) as refused:
        load_policy(text.encode("latin-1"))
    assert named in refused.value.what
    assert refused.value.why


def test_the_default_policy_passes_every_required_case() -> None:
    assert all(case.passed for case in run_cases(load_policy(shipped_policy().encode())))


def test_a_policy_that_lets_silence_pass_fails_a_required_case() -> None:
    lax = load_policy(shipped_policy().replace('silence = "hold"', 'silence = "admit"').encode())
    failed = [case.name for case in run_cases(lax) if not case.passed]
    assert failed == ["what could not be assessed does not pass"]


def test_own_cases_are_judged_beside_the_required_ones() -> None:
    policy = load_policy(shipped_policy().encode())
    own = b"""
    [[case]]
    name = "late"
    late = true
    expect = "hold"
    [[case]]
    name = "suspected"
    campaign = "suspected"
    expect = "reject"
    """
    late, suspected = run_cases(policy, own)[-2:]
    assert late.passed
    assert not suspected.passed
    assert suspected.found is Outcome.HOLD


@pytest.mark.parametrize(
    "own",
    [
        b"[[case]]\nnme = 1",
        b"[[case]]\nname = 'x'\nexpect = 'maybe'",
        b"[[case]]\nrecords = 'many'\nexpect = 'hold'",
        b"[[case]]\nflagged_rows = 1000000000000\nexpect = 'hold'",
        b"[[case]]\nalarms = 3\nexpect = 'hold'",
        b"case = 3",
        b"\xff",
    ],
)
def test_a_wrong_case_is_a_clear_error(own: bytes) -> None:
    with pytest.raises(UsageError):
        run_cases(load_policy(shipped_policy().encode()), own)


def test_cycles_are_whole_windows() -> None:
    policy = load_policy(b'schema = "credenza.policy/1"\n[window]\ncycles = [7, 52]')
    assert policy.window.cycles == (7, 52)
