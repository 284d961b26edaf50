"""What fails while it judges data falls silent, and silence holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from credenza.core.errors import CredenzaError, UsageError
from credenza.core.text import quote
from credenza.core.types import Silence

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def assessed(part: str, assess: Callable[[], T]) -> T | Silence:
    """What ``assess`` gives, or why the part ``part`` could not assess the rows.

    Data that others sent must never stop a window from being judged. Blind to failures
    of the stores, which are not the data's: those pass through.

    Raises:
        CredenzaError: a store failed, or something is a defect of ours.
    """
    try:
        return assess()
    except UsageError as unfit:
        return Silence(part, unfit.what)
    except CredenzaError:
        raise
    except Exception as wrong:  # noqa: BLE001 - whatever rows provoke must hold them, not us
        return Silence(part, f"{type(wrong).__name__}: {quote(str(wrong), limit=200)}")
