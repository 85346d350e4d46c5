"""No-U-turn sampling of any model: the default engine."""

from __future__ import annotations

from bayesml.engines.nuts.options import NUTS, SamplerOptions

__all__ = ["NUTS", "SamplerOptions"]
