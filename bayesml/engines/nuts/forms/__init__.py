"""The forms in which NUTS can sample a posterior."""

from __future__ import annotations

from bayesml.engines.nuts.forms.base import Form
from bayesml.engines.nuts.forms.plain import plain_form

__all__ = ["Form", "plain_form"]
