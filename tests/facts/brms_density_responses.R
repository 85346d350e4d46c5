# Models of brms 2.18 with several response terms, group effects in any parameter, mixtures and nonlinear formulas:
#
#   Rscript tests/facts/brms_density_responses.R tests/facts/brms_density_responses.csv programs.json
#   python tests/facts/brms_density_more.py programs.json tests/facts/brms_density_responses.json
source("tests/facts/brms_density_more.R")

drawn <- function() {
  set.seed(41)
  n <- 20
  d <- data.frame(x = rnorm(n), z = rnorm(n), g = rep(letters[1:5], 4), h = rep(c("u", "v"), each = n / 2))
  eta <- 0.5 * d$x + rnorm(5, 0, 0.5)[match(d$g, letters)]
  d$y <- 1 + eta + rnorm(n) + 0.5 * rexp(n)
  d$low <- d$y - runif(n, 0.1, 3)
  d$p <- exp(0.4 + 0.4 * eta + rnorm(n, 0, 0.5))
  d$pz <- ifelse(runif(n) < 0.25, 0, d$p)
  d$rt <- 0.4 + exp(-0.5 + 0.3 * eta + rnorm(n, 0, 0.4))
  d$dec <- rbinom(n, 1, 0.6)
  d$a <- 2 * atan(0.3 + 0.4 * eta + rnorm(n, 0, 0.4))
  d$k <- rpois(n, exp(0.6 + 0.4 * eta))
  d$n <- sample(4:9, n, TRUE)
  d$s <- ifelse(runif(n) < 0.2, 0L, rbinom(n, d$n, plogis(eta)))
  d$o <- as.integer(cut(eta + rlogis(n), c(-Inf, -0.8, 0.3, 1.2, Inf)))
  d$ot <- ifelse(d$h == "u", d$o, pmin(d$o, 3L))
  d$sh <- plogis(0.5 * eta + rnorm(n, 0, 0.8))
  d$w <- runif(n, 0.3, 2)
  d$e <- runif(n, 0.5, 4)
  d$right <- rbinom(n, 1, 0.3)
  d$t <- 3 * rweibull(n, 1.4, exp(-0.4 * eta))
  numbers <- vapply(d, is.double, TRUE)
  d[numbers] <- lapply(d[numbers], round, 3)
  d
}

RESPONSES <- list(
  c("weights_scaled", "p | weights(w, scale = TRUE) + cens(right) ~ x + (1 | g)", "Gamma(\"log\")"),
  # brms truncates each component of a mixture.
  c("mix_trunc", "y | trunc(lb = low, ub = 9) ~ x + (1 | g)", "mixture(gaussian, student)"),
  c("mix_trunc_cens", "bf(p | trunc(lb = 0.05) + cens(right) ~ x, theta2 ~ z + (1 | g))", "mixture(weibull, lognormal)"),
  c("mix_trunc_trials", "s | trials(n) + trunc(ub = n) ~ x", "mixture(beta_binomial, binomial)"),
  c("mix_three", "bf(k | weights(w) ~ x, mu2 ~ 1 + (1 | g), shape2 ~ z)", "mixture(poisson, negbinomial, geometric)"),
  c("nl_cumulative", "bf(o ~ a1 * exp(b1 * x), a1 ~ 1 + (1 | g), b1 ~ z, disc ~ z, nl = TRUE)", "cumulative(\"probit\")",
    "prior(normal(0,1),nlpar='a1')+prior(normal(0,0.5),nlpar='b1')"),
  c("nl_thres_groups", "bf(ot | thres(gr = h) ~ a1 * x, a1 ~ 1 + (1 | g), nl = TRUE)", "sratio",
    "prior(normal(0,1),nlpar='a1')"),
  c("nl_equidistant", "bf(o ~ a1 * x, a1 ~ 0 + h, nl = TRUE)", "acat(threshold = \"equidistant\")",
    "prior(normal(0,1),nlpar='a1')"),
  c("nl_ordinal_beside", "bf(o ~ a1 * x, a1 ~ 1 + (1 | q | g), nl = TRUE) + bf(t | cens(right) ~ x + (1 | q | g)) + set_rescor(FALSE)",
    "list(cumulative, weibull)", "prior(normal(0,1),nlpar='a1',resp='o')"),
  c("wiener_groups", "bf(rt | dec(dec) ~ x + (1 | q | g), bs ~ (1 | q | g), bias ~ 1 + (1 | g))", "wiener"),
  c("zibb_groups", "bf(s | trials(n) ~ x + (1 | q | g), phi ~ (1 | q | g), zi ~ z + (1 | q | g))", "zero_inflated_beta_binomial"),
  c("hurdle_lognormal_groups", "bf(pz | weights(w) ~ x + (1 | q | g), sigma ~ (1 | q | g), hu ~ s(z, k = 4) + (1 | q | g))", "hurdle_lognormal"),
  c("exgaussian_groups", "bf(y ~ x + (x | g), beta ~ (1 | g), sigma ~ (1 | h))", "exgaussian"),
  c("von_mises_groups", "bf(a ~ x + (1 | g), kappa ~ s(z, k = 4) + (1 | g))", "von_mises"),
  c("skew_groups", "bf(y ~ s(x, k = 4), alpha ~ z + (1 | g))", "skew_normal"),
  c("student_effects", "bf(y ~ x + (1 | gr(g, dist = \"student\")), sigma ~ (1 | gr(g, dist = \"student\")))", "gaussian"),
  # The prior of the Intercept is at 0 whatever the offset.
  c("offset_logit", "sh ~ x + offset(0.2 * z) + (1 | h/g)", "Beta"),
  c("zib_and_counts", "bf(sh ~ x + (1 | q | g), phi ~ (1 | q | g)) + bf(k ~ (1 | q | g), shape ~ x) + bf(s | trials(n) + weights(w) ~ z) + set_rescor(FALSE)",
    "list(Beta, negbinomial, binomial)")
)

if (sys.nframe() == 0) {
  arguments <- commandArgs(trailingOnly = TRUE)
  main(arguments[1], arguments[2], models = RESPONSES, data = drawn())
}
