"""What the gallery of terms says of residuals and of response terms."""

from __future__ import annotations

from term_example import TermExample

__all__ = ["RESIDUALS", "RESPONSES"]

RESIDUALS = (
    TermExample(
        "Autoregression: ar(time, g)",
        "Residuals follow those before them in the series of `g`, $e_t = \\mathrm{ar}\\, e_{t-1} + "
        "\\epsilon_t$. `p=` is the number of lags. With `cov=True` the covariance matrix of a stationary "
        "series is used.",
        "y ~ z + ar(time, g)",
        base="y ~ z",
        calls=("ar",),
        picture="Random series for ar = 0, 0.6 and 0.95",
    ),
    TermExample(
        "Moving averages: ma(time, g)",
        "A residual takes over a part of the last innovation, $e_t = \\epsilon_t + \\mathrm{ma}\\, "
        "\\epsilon_{t-1}$. `q=` is the number of lags.",
        "y ~ z + ma(time, g)",
        base="y ~ z",
        calls=("ma",),
    ),
    TermExample(
        "Both: arma(time, g)",
        "Autoregression and moving average together, `p=` and `q=` lags.",
        "y ~ z + arma(time, g, cov=True)",
        base="y ~ z",
        calls=("arma",),
    ),
    TermExample(
        "Equal correlations: cosy(time, g)",
        "Any two residuals of a series have the same correlation `cosy` (compound symmetry).",
        "y ~ z + cosy(time, g)",
        base="y ~ z",
        calls=("cosy",),
    ),
    TermExample(
        "Free correlations: unstr(time, g)",
        "Each pair of times has a correlation of its own, `cortime`, with an LKJ prior on the matrix of all.",
        "y ~ z + unstr(time, g)",
        base="y ~ z",
        calls=("unstr",),
    ),
    TermExample(
        "A correlation for each distance: toep(time, g)",
        "The correlation depends on the number of steps between two rows of a series (Toeplitz). "
        "`toep[k]` is the partial autocorrelation of lag k, each between -1 and 1. brms does not have it.",
        "y ~ z + toep(time, g)",
        base="y ~ z",
        calls=("toep",),
    ),
    TermExample(
        "Lattices: ar(time):unstr(item, g)",
        "A product of two terms above: each level of `g` has a lattice with a cell for each time and item, and the "
        "correlation of two residuals is that of their times multiplied by that of their items (a Kronecker product), "
        "$\\mathrm{cor}(e_{ti}, e_{t'i'}) = R_{tt'} S_{ii'}$. Each residual has the standard deviation sigma. "
        "`ar(row):ar(column, field)` is the AR1 x AR1 structure of field trials. Any of `ar`, `ma`, `arma`, `cosy`, "
        "`unstr` and `toep` can be multiplied; cells may be missing; `gr=` is written once. Numbers are places by "
        "their distances, so that rows 2 and 4 are two steps apart. brms does not have it.",
        "y ~ z + ar(step):unstr(item, g)",
        base="y ~ z",
        calls=("separable",),
    ),
    TermExample(
        "A known matrix: fcor(V)",
        "The residuals covary as $\\sigma^2 V$ with a known matrix V of all rows, which stands in `data2`.",
        "y ~ z + fcor(V)",
        base="y ~ z",
        calls=("fcor",),
        matrices=("V",),
    ),
    TermExample(
        "Neighbours of rows: sar(M)",
        "Responses depend on those of their neighbours, $y = \\mathrm{lagsar}\\, M y + \\mu + \\epsilon$, where "
        'each row of M holds the weights of a mean over neighbours. With `type="error"` the residuals do, '
        "$e = \\mathrm{errorsar}\\, M e + \\epsilon$.",
        "y ~ z + sar(M)",
        base="y ~ z",
        calls=("sar",),
        matrices=("M",),
    ),
    TermExample(
        "Latent residuals of counts: ar(time, g)",
        "Families without residuals get one for each row in the linear predictor, `sderr` times a standard normal "
        "value, plus `ar` times that of the row before it. With `cov=True` they are a stationary series.",
        "count ~ z + ar(time, g)",
        base="count ~ z",
        kind="latent_residuals",
        calls=("ar",),
        family="poisson",
    ),
)

RESPONSES = (
    TermExample(
        "count | trials(n)",
        "The response is a number of successes out of `n` trials.",
        "count | trials(n) ~ x",
        base="count | trials(n) ~ x",
        calls=("trials",),
        family="binomial",
        method="laplace",
    ),
    TermExample(
        "y | weights(w1)",
        "The log-likelihood of a row counts $w_i$ times, so that a row with the weight 2 is worth two equal rows.",
        "y | weights(w1) ~ x",
        base="y ~ x",
        calls=("weights",),
        method="reml",
    ),
    TermExample(
        "y | se(se)",
        "The standard errors of the responses are known, as in a meta-analysis: $y_i \\sim \\mathrm{Normal}(\\mu_i, "
        "\\mathrm{se}_i)$, without sigma. With `sigma=True` both variances add up.",
        "y | se(se) ~ x + (1 | g)",
        base="y ~ x + (1 | g)",
        calls=("se",),
    ),
    TermExample(
        "duration | cens(censored)",
        "Of some rows only a bound is known: they contribute $P(Y > y)$ (`right`), $P(Y \\le y)$ (`left`) or the "
        "probability between `y` and `y2=` (`interval`) in place of a density.",
        "duration | cens(censored) ~ x",
        base="duration ~ x",
        calls=("cens",),
        family="weibull",
        method="laplace",
        picture="What a row contributes: a density, or the probability of what is known",
    ),
    TermExample(
        "duration | trunc(lb=0.2)",
        "Responses outside of bounds were never recorded: densities are divided by the probability within the bounds, "
        "$p(y) / (F(\\mathrm{ub}) - F(\\mathrm{lb}))$. Bounds are numbers or columns.",
        "duration | trunc(lb=0.2) ~ x",
        base="duration ~ x",
        calls=("trunc",),
        family="lognormal",
        method="laplace",
        picture="A density and what truncation below 0.5 makes of it",
    ),
    TermExample(
        "count | rate(exposure)",
        "The response is a count over an exposure, of which the formula predicts the rate. Other than with "
        "`offset(log(exposure))` the overdispersion of a `negbinomial` belongs to one unit of exposure.",
        "count | rate(exposure) ~ x",
        base="count ~ x",
        calls=("rate",),
        family="negbinomial",
        method="laplace",
    ),
    TermExample(
        "gap | mi()",
        "Missing responses are parameters, so that they may be predictors elsewhere; see `mi(gap)` above."
        " `mi(se)` is for responses with known measurement errors, and `mi() + cens(c)` for censored "
        "ones.",
        "gap | mi() ~ z",
        base="y ~ z",
        calls=("mi",),
    ),
    TermExample(
        "gap | subset(seen) + index(id)",
        "One of several responses has some of the rows alone, those where `seen` is true. `index(id)` "
        "names the rows of a response, so that `mi(x, idx)` finds its values from the rows of another.",
        'bayesml.bf("gap | mi() + index(id) + subset(seen) ~ z") + bayesml.bf("y ~ 1") + bayesml.set_rescor(False)',
        base='bayesml.bf("gap | mi() ~ z") + bayesml.bf("y ~ 1") + bayesml.set_rescor(False)',
        calls=("subset", "index"),
    ),
    TermExample(
        "rating | thres(4)",
        "An ordinal response has that many thresholds, also where the last categories do not occur. `gr=item` gives "
        "each group of rows thresholds of its own; all have the prior of class `Intercept`.",
        "rating | thres(4, gr=item) ~ x",
        base="rating ~ x",
        calls=("thres",),
        family="cumulative",
    ),
    TermExample(
        "duration | dec(decision)",
        "Which of two answers was given, 1 (`upper`) or 0 (`lower`), beside a response time of the family `wiener`.",
        "duration | dec(decision) ~ x",
        base="duration | dec(decision) ~ x",
        calls=("dec",),
        family="wiener",
    ),
    TermExample(
        "duration | bhaz(df=4)",
        "The baseline hazard of the family `cox` is a sum of splines with positive weights `sbhaz` that add up to 1; "
        "they have the prior `dirichlet(1)`, whatever their number. `gr=` gives groups a hazard of their own.",
        "duration | bhaz(df=4) ~ x",
        base="duration ~ x",
        calls=("bhaz",),
        family="cox",
    ),
    TermExample(
        "y | vint(n) + vreal(w1)",
        "Columns that the functions of a family of yours read: whole numbers, and numbers. Here a normal "
        "distribution whose standard deviation is proportional to `w1`; [](custom_families.md) says how "
        "to write one.",
        "y | vint(n) + vreal(w1) ~ x",
        base="y | vint(n) + vreal(w1) ~ x",
        calls=("vint", "vreal"),
        family="scaled_normal",
    ),
)
