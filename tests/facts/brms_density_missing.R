# Measurement error, missing values, fixed and equated parameters, rows of some responses: more models of brms 2.18.
#
#   Rscript tests/facts/brms_density_missing.R tests/facts/brms_density_missing.csv programs.json
#   python tests/facts/brms_density_more.py programs.json tests/facts/brms_density_missing.json
source("tests/facts/brms_density_more.R")

small <- function() {
  set.seed(5)
  n <- 16
  g <- rep(letters[1:4], 4)
  x <- rnorm(n)
  z <- rnorm(n)
  y <- 1 + 0.6 * x - 0.3 * z + rnorm(n, 0, 0.7)
  level <- rnorm(4)
  d <- data.frame(g, y, x, z, f = rep(c("p", "q"), each = n / 2))
  d$y2 <- 0.4 + 0.5 * x + rnorm(n)
  d$xo <- x + rnorm(n, 0, 0.4)
  d$zo <- z + rnorm(n, 0, 0.3)
  d$sx <- runif(n, 0.2, 0.6)
  d$sz <- 0.3
  d$lo <- level[match(g, letters)]
  d$sl <- c(0.1, 0.2, 0.3, 0.4)[match(g, letters)]
  d$p <- exp(0.3 + 0.4 * x + rnorm(n, 0, 0.3))
  d$u <- plogis(0.3 * x + rnorm(n, 0, 0.5))
  d$k <- rpois(n, exp(0.5 + 0.3 * x))
  d$kz <- ifelse(runif(n) < 0.3, 0, d$k)
  d$pz <- ifelse(runif(n) < 0.25, 0, d$p)
  d$o <- as.integer(cut(0.5 * x + rlogis(n), c(-Inf, -0.8, 0.5, Inf)))
  d$oi <- rep(1:4, 4)
  d$id <- seq_len(n)
  d$other <- rep(1:8, 2)
  d$first <- seq_len(n) <= 8
  d$most <- seq_len(n) > 3
  d$xm <- replace(d$x, c(2, 7, 8, 13), NA)
  d$zm <- replace(d$z, c(1, 7), NA)
  d$ym <- replace(d$y, c(4, 9), NA)
  d$pm <- replace(d$p, c(3, 11), NA)
  d$um <- replace(d$u, c(3, 5), NA)
  numbers <- vapply(d, is.double, TRUE)
  d[numbers] <- lapply(d[numbers], round, 3)
  d
}


MODELS <- list(
  c("me", "y ~ me(xo, sx)", "gaussian"),
  c("me_terms", "y ~ me(xo, sx) * z + (1 | g)", "gaussian"),
  c("me_two", "y ~ me(xo, sx) + me(zo, sz)", "gaussian"),
  c("me_apart", "bf(y ~ me(xo, sx) + me(zo, sz)) + set_mecor(FALSE)", "gaussian"),
  c("me_by_me", "k ~ me(xo, sx):me(zo, sz) + f", "poisson"),
  c("me_group", "y ~ me(lo, sl, gr = g) + z", "gaussian"),
  c("me_group_and_row", "y ~ me(lo, sl, gr = g) + me(xo, sx)", "gaussian"),
  c("me_sigma", "bf(y ~ me(xo, sx), sigma ~ me(xo, sx) + me(zo, sz))", "gaussian"),
  c("me_mo", "y ~ mo(oi) * me(xo, sx)", "gaussian"),
  c("me_factor", "y ~ me(xo, sx) * f", "student"),
  c("me_prior", "y ~ me(xo, sx)", "gaussian",
    "prior(normal(0,1),class='meanme')+prior(exponential(1),class='sdme')+prior(normal(0,1),class='b',coef='mexosx')"),
  c("me_mv", "bf(y ~ me(xo, sx)) + bf(y2 ~ me(xo, sx) + me(zo, sz)) + set_rescor(FALSE)", "gaussian"),
  c("mi_alone", "ym | mi() ~ x", "gaussian"),
  c("mi_errors", "y | mi(sx) ~ x + (1 | g)", "gaussian"),
  c("mi_student", "ym | mi() ~ x", "student"),
  c("mi", "bf(y ~ mi(xm) + z) + bf(xm | mi() ~ z) + set_rescor(FALSE)", "gaussian"),
  c("mi_factor", "bf(y ~ mi(xm) * f) + bf(xm | mi() ~ z) + set_rescor(FALSE)", "gaussian"),
  c("mi_chain", "bf(ym | mi() ~ mi(xm) + mi(zm)) + bf(xm | mi() ~ mi(zm)) + bf(zm | mi() ~ 1) + set_rescor(FALSE)", "gaussian"),
  c("mi_by_mi", "bf(k ~ mi(xm):mi(zm)) + bf(xm | mi() ~ 1) + bf(zm | mi() ~ x) + set_rescor(FALSE)", "list(poisson, gaussian, gaussian)"),
  c("mi_measured", "bf(y ~ mi(xo)) + bf(xo | mi(sx) ~ z) + set_rescor(FALSE)", "gaussian"),
  c("mi_measured_gaps", "bf(y ~ mi(xm)) + bf(xm | mi(sx) ~ z) + set_rescor(FALSE)", "gaussian"),
  c("mi_lognormal", "bf(y ~ mi(pm)) + bf(pm | mi() ~ x) + set_rescor(FALSE)", "list(gaussian, lognormal)"),
  c("mi_gamma", "bf(y ~ mi(pm)) + bf(pm | mi() ~ x) + set_rescor(FALSE)", "list(gaussian, Gamma(\"log\"))"),
  c("mi_weibull", "bf(y ~ mi(pm)) + bf(pm | mi() ~ x) + set_rescor(FALSE)", "list(gaussian, weibull)"),
  c("mi_beta", "bf(y ~ mi(um)) + bf(um | mi() ~ x) + set_rescor(FALSE)", "list(gaussian, Beta)"),
  c("mi_rescor", "bf(ym | mi() ~ z) + bf(xm | mi() ~ 1) + set_rescor(TRUE)", "gaussian"),
  c("mi_weights", "ym | mi() + weights(sx) ~ x", "gaussian"),
  c("mi_trunc", "pm | mi() + trunc(ub = 9) ~ x", "gaussian"),
  c("mi_shared", "bf(y ~ mi(xm) + (1 | q | g)) + bf(xm | mi() ~ (1 | q | g)) + set_rescor(FALSE)", "gaussian"),
  c("mi_sigma", "bf(y ~ z, sigma ~ mi(xm)) + bf(xm | mi() ~ z) + set_rescor(FALSE)", "gaussian"),
  c("mi_index", "bf(y ~ mi(xm, other)) + bf(xm | mi() + subset(first) + index(id) ~ z) + set_rescor(FALSE)", "gaussian"),
  c("subset", "bf(y | subset(most) ~ x + (1 | g)) + bf(y2 | subset(first) ~ z) + set_rescor(FALSE)", "gaussian"),
  c("subset_families", "bf(y ~ f) + bf(k | subset(first) ~ x + (1 | g)) + set_rescor(FALSE)", "list(gaussian, poisson)"),
  c("fixed_sigma", "bf(y ~ x + (1 | g), sigma = 0.5)", "gaussian"),
  c("fixed_nu", "bf(y ~ x, nu = 4)", "student"),
  c("fixed_shape", "bf(k ~ x, shape = 2)", "negbinomial"),
  c("fixed_zi", "bf(kz ~ x, zi = 0.3)", "zero_inflated_poisson"),
  c("fixed_hu", "bf(pz ~ x, hu = 0.2)", "hurdle_gamma(\"log\")"),
  c("fixed_disc", "bf(o ~ x, disc = 2)", "cumulative"),
  c("fixed_mv", "bf(y ~ x, sigma = 0.5) + bf(y2 ~ z) + set_rescor(TRUE)", "gaussian"),
  c("mix_sigma_equal", "bf(y ~ x, sigma2 = \"sigma1\")", "mixture(gaussian, gaussian)"),
  c("mix_sigma_fixed", "bf(y ~ x, sigma1 = 0.7)", "mixture(gaussian, gaussian)"),
  c("mix_kinds", "y ~ x", "mixture(gaussian, student)"),
  c("mix_kinds_theta", "bf(y ~ 1, mu1 ~ x, mu2 ~ z + (1 | g), theta1 ~ x)", "mixture(gaussian, student)"),
  c("mix_counts", "bf(k ~ x, theta1 = 1, theta2 = 3)", "mixture(poisson, negbinomial)"),
  c("mix_positive", "p ~ x", "mixture(lognormal, Gamma(\"log\"))"),
  c("mix_order", "y ~ x", "mixture(gaussian, student, order = \"mu\")"),
  c("nl_deep", "bf(p ~ a * exp(b1), nlf(b1 ~ c1 * x + e1), nlf(e1 ~ h1 * z), a + c1 ~ 1, h1 ~ 1 + (1 | g), nl = TRUE)", "gaussian",
    "prior(normal(1,2),nlpar='a')+prior(normal(0,1),nlpar='c1')+prior(normal(0,1),nlpar='h1')"),
  c("nl_coef", "bf(p ~ a + b1 * x, a ~ 1, b1 ~ z, nl = TRUE)", "gaussian",
    "prior(normal(1,2),nlpar='a')+prior(normal(0,1),nlpar='b1')+prior(normal(0,0.3),coef='z',nlpar='b1')")
)

arguments <- commandArgs(trailingOnly = TRUE)
main(arguments[1], arguments[2], MODELS, small())
