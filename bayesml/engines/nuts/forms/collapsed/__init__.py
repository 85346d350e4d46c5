"""The exact collapsed form of Gaussian multilevel models.

Group effects, and slopes with a normal or flat prior, are integrated out (Lai, Domke & Sheldon 2024, arXiv 2410.24079,
integrate one effect on the rows; here all of them on sums formed once, so that a gradient touches no row), and drawn
exactly from their Gaussian conditional distribution for every draw of the rest.
"""

from __future__ import annotations

from bayesml.engines.nuts.forms.collapsed.conditions import collapse_conditions
from bayesml.engines.nuts.forms.collapsed.form import collapsed_form

__all__ = ["collapse_conditions", "collapsed_form"]
