"""Exact joint sampling in coordinates built from a pilot: the form for every model that is not collapsed."""
