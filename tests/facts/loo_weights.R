# Numbers of R's loo for tests/test_kfold.py: Rscript tests/facts/loo_weights.R > tests/facts/loo_weights.json
suppressMessages(library(loo))
log_lik <- outer(1:8, 1:5, function(s, i) -1 - 0.3 * i + 0.4 * sin(s * i))
found <- suppressWarnings(waic(log_lik))
densities <- cbind(sin(1:12) - 1.5, cos(1:12) - 1.4, sin(2 * (1:12)) - 1.6)
set.seed(2)
cat(jsonlite::toJSON(list(
  waic = found$estimates, pointwise = found$pointwise,
  stacking = as.numeric(stacking_weights(densities)),
  pseudobma = as.numeric(pseudobma_weights(densities, BB = FALSE)),
  pseudobma_plus = as.numeric(pseudobma_weights(densities, BB = TRUE, BB_n = 100000))
), digits = 12, pretty = TRUE), "\n")
