"""Projection predictive inference: smaller models that predict as the reference model does (Goutis and Robert 1998)."""
