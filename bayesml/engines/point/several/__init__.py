"""Point estimates of models whose rows have several linear predictors, thresholds, simplexes or nonlinear formulas.

What is linear in coefficients is found by ``slots.py``; everything else a row depends on is a number without bounds
(``singles.py``). ``rows.py`` differentiates the density of a row in both, automatically.
"""
