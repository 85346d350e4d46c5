# Models of brms 2.18 with truncated proportions, see brms_density_more.R and .py:
#
#   Rscript tests/facts/brms_density_shares.R tests/facts/brms_density_shares.csv programs.json
#   python tests/facts/brms_density_more.py programs.json tests/facts/brms_density_shares.json
source("tests/facts/brms_density_more.R")

shares <- function() {
  set.seed(14)
  n <- 15
  d <- data.frame(x = rnorm(n), z = rnorm(n), g = rep(letters[1:5], 3))
  mean <- plogis(0.3 + 0.4 * d$x + rnorm(5, 0, 0.4)[match(d$g, letters)])
  d$y <- pmin(pmax(rbeta(n, 4 * mean, 4 * (1 - mean)), 0.11), 0.89)
  d$low <- runif(n, 0.01, 0.1)
  numbers <- vapply(d, is.double, TRUE)
  d[numbers] <- lapply(d[numbers], round, 3)
  d
}

SHARES <- list(
  c("beta_trunc", "y | trunc(lb = 0.1, ub = 0.9) ~ x + (1 | g)", "Beta"),
  c("beta_trunc_below", "bf(y | trunc(lb = low) ~ x, phi ~ z)", "Beta"),
  c("beta_trunc_above", "y | trunc(ub = 0.95) ~ x", "Beta")
)

if (sys.nframe() == 0) {
  arguments <- commandArgs(trailingOnly = TRUE)
  main(arguments[1], arguments[2], models = SHARES, data = shares())
}
