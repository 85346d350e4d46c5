# Numbers of R's loo 2.5.1 for tests/test_leave_one_out.py:
# Rscript tests/facts/loo.R > tests/facts/loo.json
suppressMessages(library(loo))
set.seed(1)
# 400 draws of the log-likelihood of 12 rows, some of them with heavy tails, and of their expected responses
s <- 1:400; i <- 1:12
log_lik <- outer(s, i, function(s, i) -1 - 0.1 * i * (sin(s * (i + 1)) + 1.3)^2 - 0.02 * i * ((s * 7) %% 11))
epred <- outer(s, i, function(s, i) sin(i) + 0.4 * cos(s * i + 0.3 * s))
y <- 1.4 * sin(i) + 0.3 * cos(5 * i)
r_eff <- rep(1, 12)
found <- suppressWarnings(loo(log_lik, r_eff = r_eff))
weights <- suppressWarnings(psis(-log_lik, r_eff = r_eff))
mean <- suppressWarnings(E_loo(epred, weights, type = "mean", log_ratios = -log_lik)$value)
probs <- c(0.1, 0.5, 0.8)
quantiles <- suppressWarnings(E_loo(epred, weights, type = "quantile", probs = probs, log_ratios = -log_lik)$value)

# R2 of the leave-one-out predictive mean; 200,000 replications of the Bayesian bootstrap by the definition of
# Gelman, Goodrich, Gabry & Vehtari (2019)
weight <- matrix(rexp(200000 * 12), ncol = 12)
weight <- weight / rowSums(weight)
variance <- function(x) weight %*% x^2 - (weight %*% x)^2
r2 <- 1 - variance(y - mean) / variance(y)
r2 <- pmin(pmax(r2, -1), 1)

# the difference estimator with simple random sampling (Magnusson et al. 2020), approximated by the point density
data <- data.frame(y = y + 0.1 * i, x = cos(i))
draws <- cbind(a = 0.1 * sin(s), b = 1 + 0.2 * cos(3 * s), sigma = exp(0.1 * sin(7 * s)))
llfun <- function(data_i, draws) dnorm(data_i$y, draws[, "a"] + draws[, "b"] * data_i$x, draws[, "sigma"], log = TRUE)
sub <- function(approximation) {
  set.seed(3)
  one <- suppressWarnings(loo_subsample(llfun, data = data, draws = draws, observations = 5, r_eff = NULL,
    loo_approximation = approximation, estimator = "diff_srs"))
  list(rows = obs_idx(one) - 1, estimates = one$estimates["elpd_loo", ],
    p = one$estimates["p_loo", ], pointwise = one$pointwise[, c("elpd_loo", "elpd_loo_approx", "p_loo")])
}
cat(jsonlite::toJSON(list(
  elpd = found$pointwise[, "elpd_loo"], k = found$diagnostics$pareto_k, log_weights = weights(weights)[1:5, ],
  mean = mean, quantiles = quantiles, r2 = c(mean(r2), sd(r2)), plpd = sub("plpd"), lpd = sub("lpd")
), digits = 14, pretty = TRUE), "\n")
