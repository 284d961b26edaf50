from __future__ import annotations

import importlib

import pytest

from credenza.core.errors import UsageError
from credenza.core.extras import needs_extra


def test_a_missing_package_says_which_extra_has_it() -> None:
    with pytest.raises(UsageError) as refused, needs_extra("images", "decoding images"):
        importlib.import_module("a_package_that_nobody_wrote")
    assert refused.value.code == "images-not-installed"
    assert refused.value.why == "no module is called 'a_package_that_nobody_wrote'"
    assert refused.value.fix == "pip install 'credenza[images]'"


def test_a_module_of_ours_that_is_missing_is_our_mistake_and_no_extra() -> None:
    with pytest.raises(ModuleNotFoundError), needs_extra("images", "decoding images"):
        importlib.import_module("credenza.core.no_such_module")
