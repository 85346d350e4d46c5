"""What the gallery of terms says: for each kind of term and each response term a model and its meaning."""

from __future__ import annotations

from response_examples import RESIDUALS, RESPONSES
from term_example import TermExample

__all__ = ["EXAMPLES"]

REFERENCES = 'bayesml.bf("{}") + bayesml.bf("{}") + bayesml.set_rescor(False)'

POPULATION_AND_GROUPS = (
    TermExample(
        "Population-level effects: x * f",
        "Columns of a matrix X times coefficients, $X b$. Numbers are one column each; factors are coded by treatment "
        "contrasts; `x * f` is `x + f + x:f`. The Intercept belongs to centred columns while the model is sampled, so "
        "that its prior is that of a response at average predictors. `poly(x, 2)`, `ns(x, 3)`, `bs(x, df=5)`, "
        "`I(x**2)`, `log(x)`, `gmean(x, g)` and `wb(x, g)` compute columns.",
        "y ~ x * f",
        kind="population",
        method="reml",
    ),
    TermExample(
        "Known addends: offset(log(exposure))",
        "A known number is added to the predictor, $\\eta_i = \\ldots + o_i$. With a log link and the logarithm of an "
        "exposure the coefficients are of the rate for one unit of exposure.",
        "count ~ x + offset(log(exposure))",
        base="count ~ x",
        kind="offset",
        family="poisson",
        method="laplace",
    ),
    TermExample(
        "Nonlinear formulas: bf(..., nonlinear=True)",
        "A predictor is any function of data and of parameters that have formulas of their own, here "
        "$\\eta_i = a_i e^{-k_i d_i}$. Each parameter has a sum of terms as every other predictor. Only you know their "
        "scales: set priors.",
        'bayesml.bf("y ~ a * exp(-k * dose)", "a ~ 1 + (1 | g)", "k ~ 1", nonlinear=True)',
        kind="nonlinear",
    ),
    TermExample(
        "Group-level effects: (z | g)",
        "Each level $j$ of `g` has deviations $u_j$ from the population's Intercept and slope, "
        "$u_j \\sim \\mathrm{Normal}(0, \\Sigma)$ with $\\Sigma = D R D$: standard deviations `sd` in $D$ and "
        "correlations `cor` in $R$. `(z || g)` has no correlations, `(1 | a/b)` is `(1 | a) + (1 | a:b)`, and terms "
        "with the same identifier, `(1 | p | g)`, are correlated across formulas.",
        "y ~ z + (z | g)",
        base="y ~ z",
        kind="group_calls",
        method="reml",
        picture="Each group's own line, and that of the population (bold)",
    ),
    TermExample(
        "Strata of levels: (1 | gr(g, by=half))",
        "The levels of each stratum have standard deviations and correlations of their own. Each level lies in one "
        "stratum.",
        "y ~ 1 + (1 | gr(g, by=half))",
        kind="group_calls",
        method="reml",
    ),
    TermExample(
        "Relatives: (1 | gr(g, cov=A))",
        "The effects of levels covary as a known matrix says, $u \\sim \\mathrm{Normal}(0, \\mathrm{sd}^2 A)$: a "
        "phylogeny, a pedigree. The matrix stands in `data2`, with the levels as names of its rows.",
        "y ~ 1 + (1 | gr(g, cov=A))",
        kind="group_calls",
        matrices=("A",),
        method="reml",
    ),
    TermExample(
        "Heavy tails: (1 | gr(g, dist='student'))",
        "The effects of a level are Student-t distributed, so that a few levels far from all others do not pull the "
        "standard deviation up. `df_g` is the number of degrees of freedom.",
        "y ~ 1 + (1 | gr(g, dist='student'))",
        kind="group_calls",
    ),
    TermExample(
        "Several memberships: (1 | mm(g, g2, weights=cbind(w1, w2)))",
        "A row belongs to several levels and gets the weighted mean of their effects, "
        "$\\sum_m w_{im} u_{j_m(i)}$, with weights that are divided by their sum (`scale=False` leaves them). "
        "`by=cbind(f, f2)` gives the levels strata with a standard deviation each. The members share their levels and "
        "one standard deviation. `mmc(x, z)`, left of the bar, is a covariate with a "
        "value for each member.",
        "y ~ 1 + (1 + mmc(x, z) | mm(g, g2, weights=cbind(w1, w2)))",
        kind="group_calls",
        calls=("mmc",),
        method="reml",
    ),
)

SPECIAL = (
    TermExample(
        "Monotonic effects: mo(grade)",
        "The effect of an ordered predictor with the values $0, \\ldots, D$ is $b\\, D \\sum_{i \\le x} \\zeta_i$: it "
        "only rises or only falls. `bsp_mograde` is the average step $b$ between neighbours, the simplex "
        "`simo_mograde1` the share $\\zeta_i$ of each step. The Dirichlet prior with ones is uniform over all shares.",
        "y ~ mo(grade)",
        kind="special",
        calls=("mo",),
        picture="Three monotonic effects with the same average step",
    ),
    TermExample(
        "Measurement error: me(x, se)",
        "`x` was measured with the known standard deviation `se`: $x_i \\sim \\mathrm{Normal}(\\xi_i, "
        "\\mathrm{se}_i)$. The true values $\\xi_i \\sim \\mathrm{Normal}(\\mathrm{meanme}, \\mathrm{sdme})$ are "
        "parameters, and the predictor is $b\\, \\xi_i$. Several variables are correlated, unless `set_mecor(False)` "
        "is added.",
        "y ~ me(x, se)",
        kind="special",
        calls=("me",),
        picture="Errors in x flatten the line through the measured points",
    ),
    TermExample(
        "Missing values: mi(gap)",
        "A predictor with missing values is a response of the model too, with a formula that says what is"
        " known of it. The missing values are parameters, `Ymi_gap[3]` that of the third row, with the "
        "density of that formula, and `mi(gap)` uses them. With `mi(se)` every value is a parameter, "
        "measured with error.",
        REFERENCES.format("y ~ mi(gap)", "gap | mi() ~ z"),
        base=REFERENCES.format("y ~ 1", "gap | mi() ~ z"),
        kind="special",
        calls=("mi",),
    ),
    TermExample(
        "Category specific effects: cs(x)",
        "In ordinal models the effect differs between thresholds: threshold $k$ is $\\tau_k - x\\, b_k$, and each "
        "column has a coefficient for each threshold. For the families `sratio`, `cratio` and `acat`; with "
        "`cumulative` the probabilities could become negative. `cse(x)` is the same.",
        "rating ~ cs(x)",
        base="rating ~ 1",
        kind="category_specific",
        calls=("cs", "cse"),
        family="acat",
    ),
)

CURVES = (
    TermExample(
        "Smooths: s(x)",
        "A penalised spline, $X_s b_s + Z_s s$ with $s \\sim \\mathrm{Normal}(0, \\mathrm{sds}^2)$: `bs` is "
        "the part without a penalty (the straight line), `sds` how much the curve bends. `k=` is the "
        'number of functions, `bs=` the basis: `"tp"`, `"ts"`, `"cr"`, `"cs"`, `"cc"`, `"ps"`, `"cp"`, `"bs"`, '
        '`"ds"`, `"gp"`, `"re"`, `"fs"`; `pc=` a point where the '
        "curve is 0. `s(x, by=f)` is a curve for each level, `s(x, by=z)` one whose height is "
        'proportional to `z`. `method="reml"` is mgcv\'s fit.',
        "y ~ s(x)",
        kind="smooth",
        calls=("s",),
        method="reml",
        picture="The estimated curve of the example, with the data",
    ),
    TermExample(
        "Surfaces: t2(x, z)",
        "A tensor product of splines: columns that bend along one covariate or both, with a standard "
        "deviation for each set, so that x and z may have different units. `s(x, z)` bends alike in all "
        "directions. mgcv's `te(x, z)` and `ti(x, z)` have no form with independent coefficients, and are "
        "refused; `te(x, z, k=4)` and `te(cr(x, df=4), cr(z, df=4))` are fixed columns without a penalty.",
        "y ~ t2(x, z, k=4)",
        kind="smooth",
        calls=("t2",),
        method="reml",
        picture="The estimated surface of the example",
    ),
    TermExample(
        "Gaussian processes: gp(x)",
        "A function whose values at any places are jointly normal with the covariance $\\mathrm{sdgp}^2 "
        '\\exp(-d^2 / 2\\,\\mathrm{lscale}^2)$ at distance $d$; other covariances are `cov="matern32"`, '
        '`"matern52"` and `"exponential"`. `gp(x, k=20)` approximates it by 20 sines (Hilbert space), '
        "which is much faster. The length-scale is in units of the largest distance between two rows; its"
        " default prior is computed from the distances.",
        "y ~ gp(x, k=20)",
        kind="process",
        calls=("gp",),
        picture="Random functions of three length-scales",
    ),
    TermExample(
        "Processes at many places: gp(x, z, neighbours=15)",
        "A Gaussian process at thousands of places. Each value is given those at its 15 nearest places among those "
        "before it, in an order that spreads the first far apart (nearest-neighbour process, Datta et al. 2016). "
        "The time grows with the number of places rather than with its third power. With all places as "
        "neighbours it is the exact process. At a new place it is drawn given its nearest values. `vgp` holds the "
        'values at the places of the fit. Rough processes, `cov="matern32"` or `"exponential"`, need few neighbours.',
        'y ~ gp(x, z, neighbours=10, cov="matern32")',
        kind="nearest_process",
        calls=("gp",),
    ),
    TermExample(
        "Areas: car(W, gr=g)",
        "Effects of areas are alike between neighbours: $u \\sim \\mathrm{Normal}(0, \\mathrm{sdcar}^2 (D - "
        "\\mathrm{car}\\, W)^{-1})$ with the numbers of neighbours in $D$. "
        '`type=` is `"escar"`, `"esicar"`, `"icar"` or `"bym2"`. W stands in `data2`.',
        "y ~ 1 + car(W, gr=g)",
        kind="car",
        calls=("car",),
        matrices=("W",),
        picture="Random effects on a square of areas for car = 0, 0.9 and 0.99",
    ),
)

EXAMPLES: dict[str, tuple[TermExample, ...]] = {
    "Coefficients and groups": POPULATION_AND_GROUPS,
    "Special predictors": SPECIAL,
    "Curves, surfaces, space": CURVES,
    "Residuals that depend on each other": RESIDUALS,
    "Response terms": RESPONSES,
}
"""The sections of the page."""
