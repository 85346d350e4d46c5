"""Point estimates beside the published lme4 numbers: sleepstudy by REML, cbpp by Laplace.

Published: Bates, Maechler, Bolker & Walker (2015), Fitting Linear Mixed-Effects Models Using lme4, Journal of
Statistical Software 67(1), section 1.2 (sleepstudy); lme4's documentation of glmer (cbpp). Standard errors of cbpp are
the exact ones of glmmTMB: glmer's own default prints lag by about one per cent.
"""

from __future__ import annotations

import bayesml

SLEEPSTUDY = {
    "REML criterion": 1743.6,
    "sd(Intercept)": 24.74,
    "sd(Days)": 5.92,
    "cor": 0.07,
    "sigma": 25.59,
    "Intercept": 251.405,
    "SE(Intercept)": 6.825,
    "Days": 10.467,
    "SE(Days)": 1.546,
}
CBPP = {
    "-2 log likelihood": 184.05,
    "sd(herd)": 0.642,
    "Intercept": -1.398,
    "SE(Intercept)": 0.2325,
    "period[2]": -0.992,
    "period[3]": -1.129,
    "period[4]": -1.580,
    "SE(period[4])": 0.4274,
}


def table(title: str, published: dict[str, float], ours: dict[str, float]) -> None:
    """Print both columns."""
    print(f"{title}\n{'':20} {'published':>10} {'bayesml':>12}")
    for name, number in published.items():
        print(f"{name:20} {number:10g} {ours[name]:12.6f}")
    print()


def sleepstudy() -> dict[str, float]:
    """Fit sleepstudy by REML."""
    fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", bayesml.load_dataset("sleepstudy"), method="reml")
    fixed = fit.fixef()
    return {
        "REML criterion": fit.criterion,
        "sd(Intercept)": fit["sd_Subject__Intercept"],
        "sd(Days)": fit["sd_Subject__Days"],
        "cor": fit["cor_Subject__Intercept__Days"],
        "sigma": fit.sigma,
        "Intercept": fit["b_Intercept"],
        "SE(Intercept)": fixed.loc["Intercept"].iloc[1],
        "Days": fit["b_Days"],
        "SE(Days)": fixed.loc["Days"].iloc[1],
    }


def cbpp() -> dict[str, float]:
    """Fit cbpp by the Laplace approximation."""
    fit = bayesml.fit(
        "incidence | trials(size) ~ period + (1 | herd)", bayesml.load_dataset("cbpp"), "binomial", method="laplace"
    )
    fixed = fit.fixef()
    estimates = {name: fit[f"b_{name}"] for name in ("Intercept", "period[2]", "period[3]", "period[4]")}
    return estimates | {
        "-2 log likelihood": -2 * fit.logLik,
        "sd(herd)": fit["sd_herd__Intercept"],
        "SE(Intercept)": fixed.loc["Intercept"].iloc[1],
        "SE(period[4])": fixed.loc["period[4]"].iloc[1],
    }


def main() -> None:
    """Print both data sets."""
    table("sleepstudy, REML", SLEEPSTUDY, sleepstudy())
    table("cbpp, Laplace", CBPP, cbpp())


if __name__ == "__main__":
    main()
