"""The No-U-Turn sampler: one transition, adaptation, the state of a chain."""
