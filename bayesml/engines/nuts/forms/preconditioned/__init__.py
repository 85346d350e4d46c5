"""Exact joint sampling in coordinates built from a pilot: the form for every model that is not collapsed."""

from __future__ import annotations

from bayesml.engines.nuts.forms.preconditioned.form import preconditioned_form

__all__ = ["preconditioned_form"]
