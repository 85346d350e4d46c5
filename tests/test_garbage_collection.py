"""Garbage collection is paused within the block, and afterwards as it was."""

from __future__ import annotations

import gc

import pytest

from bayesml.garbage_collection import garbage_collection_paused


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_is_afterwards_as_it_was(enabled):
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(ArithmeticError), garbage_collection_paused():
            with garbage_collection_paused():
                assert not gc.isenabled()
            assert not gc.isenabled()
            raise ArithmeticError
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()
