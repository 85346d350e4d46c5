# get_prior of brms 2.18 for many models of brms_density_more.csv, written to brms_default_priors.json.
#
#   Rscript tests/facts/brms_default_priors.R tests/facts/brms_density_more.csv tests/facts/brms_default_priors.json
suppressMessages({library(brms); library(jsonlite)})

# formula, family
MODELS <- list(
  c("yb ~ x", "gaussian"),
  c("yb ~ x", "gaussian(\"log\")"),
  c("yb ~ x", "gaussian(\"inverse\")"),
  c("bf(yb ~ x, sigma ~ z)", "gaussian"),
  c("bf(yb ~ x, sigma ~ z)", "gaussian(\"log\")"),
  c("bf(yb ~ x + (1 | g), sigma ~ z + (1 | g))", "gaussian"),
  c("bf(yb ~ x + (x | g), sigma ~ 0 + z + (x | g) + (1 | f))", "gaussian"),
  c("yb ~ x + z:f + (x || g)", "gaussian"),
  c("yb ~ 0 + f + x + (0 + x | g) + (1 | f:g)", "gaussian"),
  c("yb ~ 0 + Intercept + x", "gaussian"),
  c("yb ~ I(x^2) + log(p) + poly(z, 2) + (1 | f/g)", "gaussian"),
  c("yb ~ f * x + (f | g)", "gaussian"),
  c("yb ~ 1", "gaussian"),
  c("yb ~ x + offset(10 * z)", "gaussian"),
  c("log(pb) ~ x", "gaussian"),
  c("pb ~ x", "lognormal"),
  c("bf(pb ~ x + (1 | g), sigma ~ z)", "lognormal"),
  c("yb ~ x", "student"),
  c("bf(yb ~ x, nu ~ z)", "student"),
  c("bf(yb ~ x, sigma ~ z, nu ~ (1 | g))", "student"),
  c("pb ~ x + (1 | g)", "Gamma(\"log\")"),
  c("pb ~ x", "Gamma(\"inverse\")"),
  c("pb ~ x", "Gamma(\"identity\")"),
  c("bf(pb ~ x, shape ~ z + (1 | g))", "Gamma(\"log\")"),
  c("kb ~ x + (1 | g)", "poisson"),
  c("k ~ x", "poisson"),
  c("kb ~ x", "poisson(\"identity\")"),
  c("kb ~ x", "poisson(\"sqrt\")"),
  c("k ~ x + offset(log(e))", "poisson"),
  c("kb ~ x", "negbinomial"),
  c("bf(kb ~ x, shape ~ z)", "negbinomial"),
  c("d1 ~ x", "Beta()"),
  c("bf(d1 ~ x + (1 | g), phi ~ z)", "Beta()"),
  c("b ~ x + (x | g)", "bernoulli"),
  c("b ~ x", "bernoulli(\"identity\")"),
  c("k1 | trials(20) ~ x", "binomial"),
  c("k1 | trials(20) ~ x", "binomial(\"identity\")"),
  c("k1 | trials(20) ~ x", "binomial(\"log\")"),
  # first features of further kinds
  c("o ~ x + cs(z) + (1 | g)", "cumulative"),
  c("o ~ x", "cumulative(threshold = \"equidistant\")"),
  c("ot | thres(gr = h) ~ x", "cumulative"),
  c("bf(o ~ x, disc ~ z + (1 | g))", "cumulative(\"probit\")"),
  c("c3 ~ x + (1 | g)", "categorical"),
  c("c3 ~ x + (x | q | g)", "categorical(refcat = \"c\")"),
  c("bf(kz ~ x, zi ~ z + (1 | g))", "zero_inflated_poisson"),
  c("kb ~ x", "zero_inflated_poisson"),
  c("bf(pb ~ x, hu ~ z)", "hurdle_gamma"),
  c("pz ~ x + (1 | g)", "hurdle_gamma"),
  c("pb | cens(right) ~ x + (1 | g)", "weibull"),
  c("bf(pb ~ x, shape ~ z)", "weibull"),
  c("pb ~ x", "exponential"),
  c("cbind(d1, d2, d3) ~ x + (1 | g)", "dirichlet"),
  c("bf(cbind(d1, d2, d3) ~ x, phi ~ z)", "dirichlet"),
  c("yb ~ x", "mixture(gaussian, gaussian)"),
  c("bf(yb ~ x, theta2 ~ z)", "mixture(gaussian, gaussian)"),
  c("bf(yb ~ x, theta1 = 1, theta2 = 2)", "mixture(gaussian, gaussian)"),
  c("bf(yb ~ 1, mu1 ~ x + (1 | g), mu2 ~ z)", "mixture(gaussian, gaussian)"),
  c("yb | trunc(lb = 0) ~ x", "gaussian"),
  c("kb | rate(e) ~ x", "poisson"),
  c("bf(mvbind(yb, pb) ~ x + (1 | q | g)) + set_rescor(TRUE)", "gaussian"),
  c("bf(mvbind(yb, pb) ~ x) + set_rescor(FALSE)", "gaussian"),
  c("bf(yb ~ x, sigma ~ z) + bf(kb ~ x + (1 | g)) + set_rescor(FALSE)", "list(gaussian, poisson)"),
  c("bf(yb ~ x + (x | q | g), sigma ~ z + (1 | q | g))", "gaussian"),
  c("yb ~ x + (x | gr(g, by = side))", "gaussian"),
  c("yb ~ s(x) + s(z, k = 5)", "gaussian"),
  c("yb ~ f + s(x, by = f, bs = \"cr\", k = 5)", "gaussian"),
  c("bf(yb ~ x, sigma ~ s(z, k = 5))", "gaussian"),
  c("kb ~ s(x, k = 5) + (1 | g)", "poisson"),
  c("yb ~ mo(oi) * z + mo(oj)", "gaussian"),
  c("bf(yb ~ x, sigma ~ mo(oi))", "gaussian"),
  c("yb ~ mo(oi):f", "gaussian"),
  c("bf(pb ~ a * exp(-b1 * x), a ~ z + (1 | g), b1 ~ 1, nl = TRUE)", "gaussian"),
  c("bf(pb ~ a * exp(b1), nlf(b1 ~ c1 * x), a + c1 ~ 1 + (1 | q | g), sigma ~ z, nl = TRUE)", "gaussian"),
  # of later features
  c("yb ~ x", "skew_normal"),
  c("bf(yb ~ x, alpha ~ z)", "skew_normal"),
  c("yb ~ x", "asym_laplace"),
  c("pb ~ x", "exgaussian"),
  c("bf(pb ~ x, beta ~ z)", "exgaussian"),
  c("pb ~ x", "shifted_lognormal"),
  c("bf(pb ~ x, ndt ~ z)", "shifted_lognormal"),
  c("pb ~ x", "frechet"),
  c("pb ~ x", "inverse.gaussian(\"log\")"),
  c("yb ~ x", "gen_extreme_value"),
  c("x ~ z", "von_mises"),
  c("bf(x ~ z, kappa ~ y)", "von_mises"),
  c("kb ~ x", "geometric"),
  c("kb ~ x", "hurdle_poisson"),
  c("kb ~ x", "hurdle_negbinomial"),
  c("pb ~ x", "hurdle_lognormal"),
  c("kb ~ x", "zero_inflated_negbinomial"),
  c("k1 | trials(20) ~ x", "zero_inflated_binomial"),
  c("k1 | trials(20) ~ x", "beta_binomial"),
  c("bf(k1 | trials(20) ~ x, phi ~ z)", "beta_binomial"),
  c("d1 ~ x", "zero_inflated_beta"),
  c("d1 ~ x", "zero_one_inflated_beta"),
  c("bf(d1 ~ x, zoi ~ z, coi ~ z)", "zero_one_inflated_beta"),
  c("pb ~ x", "cox"),
  c("o ~ x + cs(z)", "sratio"),
  c("o ~ x", "cratio"),
  c("o ~ x", "acat"),
  c("yb ~ x + ar(x, g)", "gaussian"),
  c("yb ~ x + arma(x, g, cov = TRUE)", "gaussian"),
  c("yb ~ x + cosy(x, g)", "gaussian"),
  c("yb ~ x + gp(z)", "gaussian"),
  c("yb ~ gp(x, by = f, k = 5, c = 5/4)", "gaussian"),
  c("yb ~ me(x, w)", "gaussian"),
  c("bf(yb ~ mi(xc)) + bf(xc | mi() ~ x) + set_rescor(FALSE)", "gaussian"),
  c("yb ~ t2(x, z, k = 4)", "gaussian"),
  c("yb ~ x + (1 | mm(f, h))", "gaussian"),
  c("yb ~ x + (x | gr(g, dist = \"student\"))", "gaussian"),
  c("mvbind(yb, pb) ~ x", "student")
)

evaluated <- function(text) eval(parse(text = text), globalenv())
made <- function(f) if (is.function(f)) f() else if (inherits(f, "family") || !is.list(f)) f else lapply(f, made)
columns <- c("prior", "class", "coef", "group", "resp", "dpar", "nlpar", "lb", "ub", "source")

record <- function(m, d) {
  message(m[1], ", ", m[2])
  p <- suppressMessages(suppressWarnings(get_prior(evaluated(m[1]), d, made(evaluated(m[2])))))
  p <- as.data.frame(p, stringsAsFactors = FALSE)[columns]
  p[] <- lapply(p, function(v) { v <- as.character(v); ifelse(is.na(v), "", v) })
  list(formula = unbox(m[1]), family = unbox(m[2]), default_prior = p)
}

main <- function(csv, path) {
  d <- read.csv(csv, stringsAsFactors = TRUE)
  records <- lapply(MODELS, function(m) tryCatch(record(m, d), error = function(e) { message("  !! ", conditionMessage(e)); NULL }))
  lines <- vapply(Filter(Negate(is.null), records), function(r) as.character(toJSON(r, digits = NA)), "")
  writeLines(c("[", paste0(lines, c(rep(",", length(lines) - 1), "")), "]"), path)
}

if (!interactive()) main(commandArgs(trailingOnly = TRUE)[1], commandArgs(trailingOnly = TRUE)[2])
