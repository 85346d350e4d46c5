"""Analysis of variance of one fit: an F test or a Wald test for each population-level term."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesml.results.frequentist.degrees_of_freedom import Ddf, NormalTests, method_name, tests_of
from bayesml.results.frequentist.hypotheses import hypotheses
from bayesml.results.frequentist.submodels import require_one_predictor

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["anova"]

ROMAN = {1: "I", 2: "II", 3: "III"}


def anova(fit: AbstractPointFit, type: int = 3, ddf: Ddf = "default") -> pd.DataFrame:
    """Test each population-level term.

    Linear mixed models get F tests with lmerTest's columns (Kuznetsova et al. 2017), all other models Wald chi-square
    tests. The hypotheses depend neither on the coding nor, for types 2 and 3, on the order of the terms. Where columns
    were left out of the model since they depend on others, each term is tested with the columns it has; a term without
    columns has no row.

    Args:
        fit: the fit.
        type: 1 adjusts each term for those before it, 2 for all that do not contain it, 3 compares unweighted means
            over the levels of the other factors (SAS's type III). A covariate in an interaction with another is tested
            where that other one is 0.
        ddf: ``"satterthwaite"``, ``"kenward-roger"``, or None for chi-square tests.

    Returns:
        One row for each term: Sum Sq, Mean Sq, NumDF, DenDF, F value, Pr(>F), or Chisq, Df, Pr(>Chisq). What was tested
        stands in ``.attrs["heading"]``. With Kenward and Roger's degrees of freedom F is the scaled statistic; where no
        F distribution has the two moments that they match, as in some unbalanced designs with fewer than about 4
        denominator degrees of freedom, the mean alone is matched, with scale 1.

    Raises:
        ModelError: the type is unknown, or the fit has no such degrees of freedom.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method="reml")
        >>> fit.anova().loc["Days", "F value"]
    """
    import pandas as pd

    require_one_predictor(fit, "anova() of one fit")
    tests = tests_of(fit, ddf)
    found = {name: tests.f_test(L) for name, L in hypotheses(fit, type).items()}
    if isinstance(tests, NormalTests):
        tested = [(t.F * t.numerator_df, t.numerator_df, t.p_value) for t in found.values()]
        table = pd.DataFrame(tested, columns=["Chisq", "Df", "Pr(>Chisq)"], index=pd.Index(list(found), dtype=object))
        table.attrs["heading"] = f"Analysis of Deviance Table (Type {ROMAN[type]} Wald chi-square tests)"
        if any(np.isnan(t.F) for t in found.values()):
            table.attrs["heading"] += "; NaN: no finite estimate (separation), compare fits by anova(smaller, larger)"
        return table
    rows = [
        (t.F * t.numerator_df * fit.sigma**2, t.mean_square, t.numerator_df, t.denominator_df, t.F, t.p_value)
        for t in found.values()
    ]
    columns = ["Sum Sq", "Mean Sq", "NumDF", "DenDF", "F value", "Pr(>F)"]
    table = pd.DataFrame(rows, columns=columns, index=pd.Index(list(found), dtype=object))
    table.attrs["heading"] = f"Type {ROMAN[type]} Analysis of Variance Table with {method_name(tests)} method"
    return table
