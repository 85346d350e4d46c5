"""The text of a response's distribution in an exported program."""

from __future__ import annotations

from typing import Any

from bayesml.exporting.writer import Known, Writer
from bayesml.families.numpyro_forms import Form

__all__ = ["written"]


def written(writer: Writer, form: Form) -> str:
    """Return the expression of a distribution whose arguments are known to the program."""
    parts = (f"{name}={_argument(writer, each)}" for name, each in form.arguments.items())
    return f"dist.{form.name}({', '.join(parts)})"


def _argument(writer: Writer, value: Any) -> str:
    if isinstance(value, Form):
        return written(writer, value)
    if isinstance(value, list):
        return f"[{', '.join(written(writer, each) for each in value)}]"
    assert isinstance(value, Known)
    return writer.firm(value.text, value.like.shape).code
