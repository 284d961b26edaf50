from __future__ import annotations

import copy

import pytest

from credenza.core.errors import (
    ConflictError,
    CredenzaError,
    InternalError,
    NotFoundError,
    UntrustedError,
    UsageError,
)


@pytest.mark.parametrize(
    ("kind", "exit_code", "http_status"),
    [
        (UsageError, 2, 400),
        (NotFoundError, 2, 404),
        (ConflictError, 2, 409),
        (UntrustedError, 3, 422),
        (InternalError, 70, 500),
    ],
)
def test_each_branch_says_who_must_act(
    kind: type[CredenzaError], exit_code: int, http_status: int
) -> None:
    error = kind("some-code", "something happened")
    assert isinstance(error, CredenzaError)
    assert (error.exit_code, error.http_status) == (exit_code, http_status)


def test_a_message_has_what_why_and_fix() -> None:
    error = UsageError("no-luck", "it failed", why="of this", fix="do that")
    assert str(error) == "error[no-luck]: it failed\n  why: of this\n  fix: do that"
    assert str(UsageError("no-luck", "it failed")) == "error[no-luck]: it failed"


def test_an_error_survives_being_copied_to_another_process() -> None:
    error = UntrustedError("no-luck", "it failed", why="of this", fix="do that")
    twin = copy.copy(error)
    assert type(twin) is UntrustedError
    assert (str(twin), twin.code) == (str(error), error.code)
