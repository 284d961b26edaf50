from __future__ import annotations

import pytest

from credenza.core.errors import NotFoundError
from credenza.core.prefix import beginning

KNOWN = ["abcd1", "abcd2", "beef0", "beef0"]


@pytest.mark.parametrize("prefix", ["abcd1", "beef", "beef0"])
def test_four_digits_name_what_alone_begins_so(prefix: str) -> None:
    assert beginning(prefix, KNOWN, "thing", fix="look").startswith(prefix)


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("abcd", "more than one thing begins with 'abcd'"),
        ("dead", "no thing begins with 'dead'"),
        ("bee", "no thing begins with 'bee'"),
        ("", "no thing begins with ''"),
    ],
)
def test_what_names_none_or_several_is_told_apart(prefix: str, said: str) -> None:
    with pytest.raises(NotFoundError) as refused:
        beginning(prefix, KNOWN, "thing", fix="look")
    assert (refused.value.code, refused.value.what) == ("no-such-thing", said)
    assert refused.value.why.startswith("of 3, ")
