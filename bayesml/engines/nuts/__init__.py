"""No-U-turn sampling of any model: the default engine."""

from __future__ import annotations

from bayesml.engines.nuts.options import NUTS

__all__ = ["NUTS"]
