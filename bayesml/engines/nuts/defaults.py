"""What the sampler does where the user says nothing."""

from __future__ import annotations

__all__ = ["PRECONDITIONED_WARMUP", "SMALLER_STEPS", "USUAL_TARGET", "WARMUP"]

USUAL_TARGET = 0.8
"""Acceptance rate aimed at (Stan's)."""
SMALLER_STEPS = 0.95
"""Acceptance rate aimed at after divergent transitions."""
WARMUP = 1000
"""Warm-up iterations."""
PRECONDITIONED_WARMUP = 300
"""Warm-up iterations in coordinates that need little adaptation."""
