"""Priors of your own, checked before the data are used: what do they say about possible responses?

Seizures of 59 epileptics in two weeks (Thall & Vail 1990). The model is on the log scale, where a prior that looks
harmless allows counts beyond all reason.
"""

from __future__ import annotations

import pandas as pd

import bayesml

FORMULA = "count ~ zBase * Trt + (1 | patient)"

INFORMED = [
    bayesml.prior("normal(0, 0.5)", class_="b"),
    bayesml.prior(bayesml.normal(0, 0.3), class_="b", coef="zBase:Trt[1]"),
    bayesml.prior("normal(1.5, 0.5)", class_="Intercept"),
    bayesml.prior("exponential(2)", class_="sd", group="patient"),
]


def predicted_before_the_data(data: pd.DataFrame, priors: list) -> pd.Series:
    """Return quantiles of the seizures that the priors alone predict."""
    before = bayesml.fit(FORMULA, data, "poisson", prior=priors, sample_prior="only", seed=2)
    return before.predict(ndraws=1000, seed=2).to_series().quantile([0.5, 0.9, 0.99])


def main() -> None:
    """Compare default and informed priors by what they predict, then fit with the informed ones."""
    data = bayesml.load_dataset("epilepsy")

    print("Every prior that can be set, with its default:")
    table = bayesml.default_prior(FORMULA, data, "poisson")
    print(table[["prior", "class", "coef", "group", "lb", "source"]].to_string(index=False))

    print("\nQuantiles of the seizures in two weeks, predicted from the priors alone:")
    predicted = {"default": predicted_before_the_data(data, []), "informed": predicted_before_the_data(data, INFORMED)}
    print(pd.DataFrame(predicted).to_string(float_format="%.3g"))
    print(f"The data: median {data['count'].median():.0f}, largest {data['count'].max()}.")

    fit = bayesml.fit(FORMULA, data, "poisson", prior=INFORMED, seed=2, data_name="epilepsy")
    print(f"\n{fit}")

    print("\nThe priors it was fitted with:")
    print(fit.prior_summary()[["prior", "class", "coef", "group", "source"]].to_string(index=False))

    default = bayesml.fit(FORMULA, data, "poisson", seed=2, progress=False)
    print("\nThe coefficients under the informed and the default priors:")
    both = pd.concat({"informed": fit.fixef(), "default": default.fixef()}, axis=1)
    print(both.to_string(float_format="%.2f"))


if __name__ == "__main__":
    main()
