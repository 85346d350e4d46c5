"""The collector is at rest within the block, and afterwards as it was."""

from __future__ import annotations

import gc

import pytest

from bayesml.garbage import collection_paused


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(enabled):
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(ArithmeticError), collection_paused():
            with collection_paused():
                assert not gc.isenabled()
            assert not gc.isenabled()
            raise ArithmeticError
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()
