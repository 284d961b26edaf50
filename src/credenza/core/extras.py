"""Optional packages: what to say when one is missing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Imports in this block come with an extra of credenza.

    Args:
        extra: its name, as in ``pip install 'credenza[EXTRA]'``.
        what: cannot be done without it, for people.

    Raises:
        UsageError: ``EXTRA-not-installed``, with the missing package and what to install.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        if str(missing.name).startswith("credenza"):
            raise  # our own mistake, which no installation mends
        raise UsageError(
            f"{extra}-not-installed",
            f"{what} needs more packages than are installed",
            why=f"no module is called {missing.name!r}",
            fix=f"pip install 'credenza[{extra}]'",
        ) from missing
