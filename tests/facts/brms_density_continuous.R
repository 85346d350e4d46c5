# Models of brms 2.18 with continuous families, see brms_density_more.R and .py:
#
#   Rscript tests/facts/brms_density_continuous.R tests/facts/brms_density_continuous.csv programs.json
#   python tests/facts/brms_density_more.py programs.json tests/facts/brms_density_continuous.json
source("tests/facts/brms_density_more.R")

# brms does not export it.
zero_inflated_asym_laplace <- function(...) brmsfamily("zero_inflated_asym_laplace", ...)

continuous <- function() {
  set.seed(12)
  n <- 20
  d <- data.frame(x = rnorm(n), z = rnorm(n), g = rep(letters[1:5], 4))
  eta <- 0.5 * d$x + rnorm(5, 0, 0.5)[match(d$g, letters)]
  d$y <- 1 + eta + rnorm(n) + rexp(n)
  d$p <- exp(0.4 + 0.4 * eta + rnorm(n, 0, 0.5))
  d$rt <- 0.3 + exp(-0.5 + 0.3 * eta + rnorm(n, 0, 0.4))
  d$dec <- rbinom(n, 1, 0.6)
  d$answer <- ifelse(d$dec == 1, "upper", "lower")
  d$a <- 2 * atan(0.3 + 0.4 * eta + rnorm(n, 0, 0.4))
  d$yz <- ifelse(runif(n) < 0.25, 0, d$y)
  d$w <- runif(n, 0.3, 2)
  d$s <- runif(n, 0.3, 1)
  d$ce <- rep(c("none", "left", "right", "none"), 5)
  d$cz <- ifelse(d$yz == 0, "none", d$ce)
  d$cl <- rep(c("none", "left"), 10)
  d$ci <- rep(c("none", "interval", "right", "none"), 5)
  d$yu <- d$y + runif(n, 0.2, 2)
  d$pu <- d$p + runif(n, 0.2, 2)
  numbers <- vapply(d, is.double, TRUE)
  d[numbers] <- lapply(d[numbers], round, 3)
  d
}

CONTINUOUS <- list(
  c("skew", "y ~ x + (1 | g)", "skew_normal"),
  c("skew_all", "bf(y ~ x, sigma ~ z, alpha ~ x)", "skew_normal"),
  # The name chooses the points; far in the right tail brms 2.18 has log(1 - P(y)), rounded.
  c("skew_bounds", "y | cens(ci, yu) ~ x", "skew_normal"),
  c("skew_trunc", "y | trunc(lb = -2) + weights(w) ~ x", "skew_normal"),
  c("skew_se", "y | se(s, sigma = TRUE) ~ x", "skew_normal"),
  c("skew_se_alone", "y | se(s) ~ x", "skew_normal"),
  c("skew_log", "bf(p ~ x, alpha ~ 1)", "skew_normal(\"log\", link_alpha = \"log\")"),
  c("skew_fixed", "bf(y ~ x, alpha = 2)", "skew_normal"),
  c("ig", "p ~ x + (1 | g)", "inverse.gaussian(\"log\")"),
  c("ig_default", "p ~ x", "inverse.gaussian"),
  c("ig_shape", "bf(p ~ x, shape ~ z)", "inverse.gaussian(\"log\")"),
  # The survival function of brms 2.18 has a minus where P(y) is a sum, so that no row is censored on the right here.
  c("ig_left", "p | cens(cl) ~ x", "inverse.gaussian(\"log\")"),
  c("ig_trunc", "p | trunc(lb = 0.1, ub = 30) ~ x", "inverse.gaussian(\"log\")"),
  c("exg", "y ~ x + (1 | g)", "exgaussian"),
  c("exg_all", "bf(y ~ x, sigma ~ z, beta ~ x)", "exgaussian"),
  c("exg_cens", "y | cens(ci, yu) ~ x", "exgaussian"),
  c("exg_trunc", "y | trunc(lb = -3) + weights(w) ~ x", "exgaussian"),
  c("shifted", "rt ~ x + (1 | g)", "shifted_lognormal"),
  c("shifted_ndt", "bf(rt ~ x, ndt ~ z)", "shifted_lognormal"),
  c("shifted_ndt_identity", "bf(rt ~ x, ndt ~ 1)", "shifted_lognormal(link_ndt = \"identity\")"),
  c("shifted_sigma", "bf(rt ~ x, sigma ~ z, ndt = 0.2)", "shifted_lognormal"),
  c("shifted_cens", "rt | cens(ce) ~ x", "shifted_lognormal"),
  c("shifted_trunc", "rt | trunc(ub = 9) ~ x", "shifted_lognormal"),
  c("ald", "y ~ x + (1 | g)", "asym_laplace"),
  c("ald_fixed", "bf(y ~ x + (1 | g), quantile = 0.9)", "asym_laplace"),
  c("ald_all", "bf(y ~ x, sigma ~ z, quantile ~ x)", "asym_laplace"),
  c("ald_cens", "bf(y | cens(ci, yu) ~ x, quantile = 0.3)", "asym_laplace"),
  c("ald_trunc", "y | trunc(lb = -3) ~ x", "asym_laplace"),
  c("zi_ald", "yz ~ x + (1 | g)", "zero_inflated_asym_laplace"),
  # brms 2.18 takes the inverse logit of zi twice where it has a formula, and the atom at 0 as part of P(y > 0).
  c("zi_ald_all", "bf(yz ~ x, sigma ~ z, quantile = 0.25)", "zero_inflated_asym_laplace"),
  c("zi_ald_cens", "yz | cens(cz) ~ x", "zero_inflated_asym_laplace"),
  # The functions that brms 2.18 calls for von_mises with cens() and trunc() are not in its programs.
  c("vm", "a ~ x + (1 | g)", "von_mises"),
  c("vm_kappa", "bf(a ~ x, kappa ~ z)", "von_mises"),
  c("vm_identity", "a ~ 1", "von_mises(\"identity\")"),
  c("frechet", "p ~ x + (1 | g)", "frechet"),
  c("frechet_nu", "bf(p ~ x, nu ~ z)", "frechet(\"softplus\")"),
  c("frechet_cens", "p | cens(ci, pu) ~ x", "frechet"),
  c("frechet_trunc", "p | trunc(lb = 0.1) ~ x", "frechet"),
  c("wiener", "rt | dec(dec) ~ x + (1 | g)", "wiener"),
  c("wiener_text", "rt | dec(answer) + weights(w) ~ x", "wiener"),
  c("wiener_all", "bf(rt | dec(dec) ~ x, bs ~ z, ndt ~ 1, bias ~ x)", "wiener"),
  c("wiener_fixed", "bf(rt | dec(dec) ~ x, bias = 0.5, ndt = 0.1)", "wiener(link_bs = \"identity\")"),
  c("mix_skew", "y ~ x", "mixture(skew_normal, exgaussian)"),
  c("mix_equal", "bf(y ~ x, sigma2 = \"sigma1\")", "mixture(gaussian, gaussian)"),
  c("student_fixed", "bf(y ~ x, nu = 4)", "student"),
  c("gamma_fixed", "bf(p ~ x + (1 | g), shape = 3)", "Gamma(\"log\")"),
  c("gaussian_fixed", "bf(y ~ x + (1 | g), sigma = 1.5)", "gaussian"),
  # Without a formula for xi, brms puts the prior on a logit between bounds that depend on mu, sigma and the responses.
  c("gev", "bf(y ~ x + (1 | g), xi ~ 1)", "gen_extreme_value"),
  c("gev_xi", "bf(y ~ x, sigma ~ x, xi ~ z)", "gen_extreme_value"),
  c("gev_cens", "bf(y | cens(ci, yu) ~ x, xi ~ 1)", "gen_extreme_value(link_xi = \"identity\")")
)

if (sys.nframe() == 0) {
  arguments <- commandArgs(trailingOnly = TRUE)
  main(arguments[1], arguments[2], models = CONTINUOUS, data = continuous())
}
