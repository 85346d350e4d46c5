"""Priors of your own, checked before the data are used: what do they say about possible responses?"""

from __future__ import annotations

import bayesml

FORMULA = "count ~ zBase * Trt + (1 | patient)"


def main() -> None:
    """Compare default and informed priors by what they predict, then fit with the informed ones."""
    data = bayesml.load_dataset("epilepsy")

    print("Every prior that can be set, with its default:")
    print(bayesml.default_prior(FORMULA, data, "poisson").drop(columns=["resp", "nlpar", "tag"]).to_string(index=False))

    informed = [
        bayesml.prior("normal(0, 0.5)", class_="b"),
        bayesml.prior(bayesml.normal(0, 0.3), class_="b", coef="zBase:Trt[1]"),
        bayesml.prior("normal(1.5, 0.5)", class_="Intercept"),
        bayesml.prior("exponential(2)", class_="sd", group="patient"),
    ]
    for label, priors in (("default", []), ("informed", informed)):
        before = bayesml.fit(FORMULA, data, "poisson", prior=priors, sample_prior="only", seed=2)
        seizures = before.predict(seed=2).quantile([0.5, 0.9, 0.99])
        print(f"\nSeizures in two weeks under the {label} priors: median, 90 % and 99 % quantile")
        print("  " + ", ".join(f"{float(q):,.0f}" for q in seizures))

    fit = bayesml.fit(FORMULA, data, "poisson", prior=informed, sample_prior="yes", seed=2, data_name="epilepsy")
    print()
    print(fit)


if __name__ == "__main__":
    main()
