# Models with Gaussian processes and smooths for brms_density_gp.json; see brms_density_more.R.
#
#   Rscript tests/facts/brms_density_gp.R tests/facts/brms_density_gp.csv programs.json
#   python tests/facts/brms_density_more.py programs.json tests/facts/brms_density_gp.json
source("tests/facts/brms_density_more.R")

set.seed(5)
n <- 30
d <- data.frame(x = sample(seq(0, 4.5, 0.5), n, TRUE), z = sample(c(1, 1.7, 2.4, 3), n, TRUE),
                f = sample(c("p", "q"), n, TRUE), g = rep(letters[1:5], 6))
d$y <- round(sin(d$x) + 0.4 * d$z + rnorm(n, 0, 0.5), 3)
d$k <- rpois(n, exp(0.5 + 0.4 * sin(d$x)))

MODELS <- list(
  c("gp_repeated", "y ~ gp(x)", "gaussian"),
  c("gp_poisson", "k ~ gp(x) + z", "poisson"),
  c("gp_several", "y ~ gp(x, z)", "gaussian"),
  c("gp_lengthscales", "y ~ gp(x, z, iso = FALSE)", "gaussian"),
  c("gp_by_numbers", "y ~ gp(x, by = z)", "gaussian"),
  c("gp_by_factor", "y ~ f + gp(x, by = f)", "gaussian"),
  c("gp_differences", "y ~ gp(x, by = f, cmc = FALSE)", "gaussian"),
  c("gp_unscaled", "y ~ gp(x, scale = FALSE)", "gaussian"),
  c("gp_sigma", "bf(y ~ gp(x), sigma ~ gp(z))", "gaussian"),
  c("gp_approximate", "y ~ gp(x, k = 6, c = 5/4)", "gaussian"),
  c("gp_approximate_surface", "y ~ gp(x, z, k = 3, c = 2)", "gaussian"),
  c("gp_approximate_lengthscales", "k ~ gp(x, z, k = 3, c = 5/4, iso = FALSE)", "poisson"),
  c("smooth_tensor", "y ~ t2(x, z, k = 4)", "gaussian"),
  c("smooth_tensor_by", "k ~ f + t2(x, z, k = c(4, 3), by = f)", "poisson"),
  c("smooth_pspline", "bf(y ~ s(x, bs = \"ps\", k = 6), sigma ~ s(z, k = 3))", "gaussian"),
  c("smooth_effects", "y ~ s(x, k = 5, bs = \"ds\") + s(g, bs = \"re\")", "gaussian"),
  c("gp_approximate_by", "y ~ gp(x, by = f, k = 4, c = 1.5, scale = FALSE) + (1 | g)", "gaussian")
)

if (sys.nframe() == 0) {
  arguments <- commandArgs(trailingOnly = TRUE)
  main(arguments[1], arguments[2], models = MODELS, data = d)
}
