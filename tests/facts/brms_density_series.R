# Residual structures of brms 2.18 for brms_density_more.py:
#
#   Rscript tests/facts/brms_density_series.R tests/facts/brms_density_series.csv programs.json
#   python tests/facts/brms_density_more.py programs.json tests/facts/brms_density_series.json
#
# Series of 1 to 6 times, in the order in which brms puts the rows.
source("tests/facts/brms_density_more.R")

draw_series <- function() {
  set.seed(23)
  sizes <- c(6, 5, 5, 4, 3, 1)
  d <- data.frame(g = rep(letters[1:6], sizes), day = unlist(lapply(sizes, function(n) sort(sample(1:9, n)))))
  n <- nrow(d)
  d$x <- rnorm(n)
  d$z <- rnorm(n)
  d$y <- 1 + 0.5 * d$x + as.numeric(arima.sim(list(ar = 0.5), n))
  d$p <- exp(0.3 * d$y)
  d$k <- rpois(n, exp(0.5 + 0.3 * d$y))
  d$s <- runif(n, 0.1, 0.8)
  d$w <- runif(n, 0.3, 2)
  d$right <- rbinom(n, 1, 0.3)
  d$order <- seq_len(n)
  numbers <- vapply(d, is.double, TRUE)
  d[numbers] <- lapply(d[numbers], round, 3)
  d
}

SERIES <- list(
  c("series_ar2", "y ~ x + ar(day, g, p = 2)", "gaussian"),
  c("series_ma2", "y ~ x + ma(day, g, q = 2)", "gaussian"),
  c("series_arma21", "y ~ x + arma(day, g, p = 2, q = 1)", "student"),
  c("series_ar_one", "y ~ x + ar(order)", "gaussian"),
  c("series_ar_re", "y ~ x + (1 | g) + ar(day, g)", "gaussian"),
  c("series_ar_log", "p ~ x + ar(day, g)", "gaussian(\"log\")"),
  c("series_ar_weights", "y | weights(w) ~ x + arma(day, g)", "gaussian"),
  c("series_ar_cens", "y | cens(right) ~ x + ar(day, g)", "gaussian"),
  c("series_ar_se", "y | se(s) ~ x + ar(day, g)", "gaussian"),
  c("series_ar_cov", "y ~ x + ar(day, g, cov = TRUE)", "gaussian"),
  c("series_ma_cov", "y ~ x + ma(day, g, cov = TRUE)", "gaussian"),
  c("series_arma_cov_sigma", "bf(y ~ x + arma(day, g, cov = TRUE), sigma ~ z)", "gaussian"),
  c("series_arma_cov_student", "y ~ x + arma(day, g, cov = TRUE)", "student"),
  c("series_ar_cov_se", "y | se(s, sigma = TRUE) ~ x + ar(day, g, cov = TRUE)", "gaussian"),
  c("series_cosy_sigma_student", "bf(y ~ x + cosy(day, g), sigma ~ z)", "student"),
  c("series_cosy_se", "y | se(s, sigma = TRUE) ~ x + cosy(day, g) + (1 | g)", "student"),
  c("series_two", "bf(y ~ x + ar(day, g)) + bf(z ~ x + cosy(day, g)) + set_rescor(FALSE)", "gaussian"),
  c("series_latent_ar", "k ~ x + ar(day, g)", "poisson"),
  c("series_latent_ar_cov", "k ~ x + ar(day, g, cov = TRUE)", "poisson"),
  c("series_latent_cosy", "k ~ x + cosy(day, g)", "poisson")
)

if (sys.nframe() == 0) {
  args <- commandArgs(trailingOnly = TRUE)
  main(args[1], args[2], models = SERIES, data = draw_series())
}
