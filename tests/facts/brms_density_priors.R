# Models of brms 2.18 with priors of all coefficients together and with priors of other kinds than the defaults.
#
#   Rscript tests/facts/brms_density_priors.R tests/facts/brms_density_priors.csv programs.json
#   python tests/facts/brms_density_more.py programs.json tests/facts/brms_density_priors.json
source("tests/facts/brms_density_more.R")

rows <- function() {
  set.seed(31)
  n <- 20
  d <- data.frame(x = rnorm(n), z = rnorm(n), w = rnorm(n), g = rep(letters[1:5], 4), f = rep(c("p", "q", "r", "q"), 5))
  eta <- 0.5 * d$x - 0.2 * d$w
  d$y <- 1 + eta + rnorm(n)
  d$k <- rpois(n, exp(0.4 + 0.3 * eta))
  d$o <- rep(1:4, 5)
  numbers <- vapply(d, is.double, TRUE)
  d[numbers] <- lapply(d[numbers], round, 3)
  d
}

models <- list(
  c("r2d2", "y ~ x + z + f", "gaussian", "prior(R2D2(cons_D2 = 1),class='b')"),
  c("r2d2_numbers", "y ~ x + z + w", "gaussian", "prior(R2D2(mean_R2 = 0.3, prec_R2 = 5, cons_D2 = c(0.5, 1, 2)),class='b')"),
  c("r2d2_no_autoscale", "y ~ x + z", "gaussian", "prior(R2D2(0.6, 3, 0.7, autoscale = FALSE),class='b')"),
  c("r2d2_groups", "y ~ x + z + (x | g)", "gaussian", "prior(R2D2(0.8, 10, 0.5),class='b')+prior(lkj(2),class='cor')"),
  c("r2d2_poisson", "k ~ x + z + (1 | g)", "poisson", "prior(R2D2(cons_D2 = 1),class='b')"),
  c("r2d2_sigma", "bf(y ~ x + z, sigma ~ x + w)", "gaussian",
    "prior(R2D2(0.4, 4, 1),class='b')+prior(R2D2(cons_D2 = 2),class='b',dpar='sigma')"),
  c("r2d2_student", "y ~ x + z", "student", "prior(R2D2(cons_D2 = 1),class='b')"),
  c("hs_mo", "y ~ x + z + mo(o)", "gaussian", "prior(horseshoe(),class='b')"),
  c("r2d2_fixed", "bf(y ~ x + z, sigma = 0.7)", "gaussian", "prior(R2D2(cons_D2 = 1),class='b')"),
  c("r2d2_one", "y ~ x", "gaussian", "prior(R2D2(cons_D2 = 1),class='b')"),
  c("r2d2_cells", "y ~ 0 + f", "gaussian", "prior(R2D2(cons_D2 = 1),class='b')"),
  c("hs_mv", "bf(y ~ x + z) + bf(w ~ x + z) + set_rescor(TRUE)", "gaussian",
    "prior(horseshoe(),class='b',resp='y')+prior(R2D2(cons_D2 = 1),class='b',resp='w')"),
  c("hs_nlpar", "bf(y ~ a + b1 * x, a ~ z + w, b1 ~ 1, nl = TRUE)", "gaussian",
    "prior(horseshoe(),nlpar='a')+prior(normal(0,1),nlpar='b1')"),
  c("kinds", "y ~ x + z + w + (x | g)", "gaussian",
    paste0("prior(logistic(0,1),class='b',coef='x')+prior(double_exponential(0,2),class='b',coef='z')+",
           "prior(cauchy(0.5,1),class='b',coef='w')+prior(lognormal(0,1),class='sd',group='g',coef='x')+",
           "prior(weibull(2,1),class='sd',group='g',coef='Intercept')+prior(inv_gamma(2,1),class='sigma')")),
  c("bounds", "y ~ x + z", "gaussian",
    paste0("prior(student_t(3,0,1),class='b',lb=-2,ub=3)+prior(cauchy(0,1),class='sigma',lb=0.1)+",
           "prior(normal(0,5),class='Intercept')"))
)

if (sys.nframe() == 0) {
  args <- commandArgs(trailingOnly = TRUE)
  main(args[1], args[2], models, rows())
}
