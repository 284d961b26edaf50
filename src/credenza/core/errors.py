"""One root error; its branches say who must act."""

from __future__ import annotations


class CredenzaError(Exception):
    """What went wrong, why, and what mends it.

    Args:
        code: a short, stable, hyphenated name that scripts may match on.
        what: one sentence in the reader's terms.
        why: the cause, with the values that show it.
        fix: what to do next.
    """

    exit_code = 70
    http_status = 500

    def __init__(self, code: str, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        lines = [f"error[{self.code}]: {self.what}"]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        """Cross a process boundary whole: keyword arguments defeat the default."""
        return (_rebuild, (type(self), self.code, self.what, self.why, self.fix))


def _rebuild(kind: type[CredenzaError], code: str, what: str, why: str, fix: str) -> CredenzaError:
    return kind(code, what, why=why, fix=fix)


class UsageError(CredenzaError):
    """The caller asked for something that cannot be."""

    exit_code = 2
    http_status = 400


class NotFoundError(CredenzaError):
    """The thing named does not exist here."""

    exit_code = 2
    http_status = 404


class ConflictError(CredenzaError):
    """State moved underneath the caller; look again, then retry."""

    exit_code = 2
    http_status = 409


class ForbiddenError(CredenzaError):
    """Somebody else may do it; the rules of governance do not let this person."""

    exit_code = 1
    http_status = 403


class PendingError(CredenzaError):
    """It is asked for, and waits until others have approved it."""

    exit_code = 4
    http_status = 409


class UntrustedError(CredenzaError):
    """Bytes failed an integrity or signature check, or broke a parser limit."""

    exit_code = 3
    http_status = 422


class InternalError(CredenzaError):
    """A defect of ours."""

    exit_code = 70
    http_status = 500
