# Predictions, comparisons and slopes by hand: derivatives of averages in the coefficients, and their covariance.
# Rscript tests/facts/marginal_effects.R > tests/facts/marginal_effects.json
m <- glm(am ~ hp + wt * factor(vs), binomial, mtcars, control = list(epsilon = 1e-14, maxit = 100))
V <- vcov(m)
b <- coef(m)
design <- function(data) model.matrix(~ hp + wt * factor(vs, levels = c(0, 1)), data)
p <- function(data, b) plogis(drop(design(data) %*% b))
gradient <- function(f, b, h = 1e-5 * pmax(abs(b), 1e-3)) sapply(seq_along(b), function(j) {
  e <- replace(numeric(length(b)), j, h[j])
  (f(b + e) - f(b - e)) / (2 * h[j])
})
answer <- function(f) {
  J <- matrix(gradient(f, b), ncol = length(b))
  list(estimate = f(b), std_error = sqrt(diag(J %*% V %*% t(J))))
}
with <- function(...) { d <- mtcars; v <- list(...); for (n in names(v)) d[[n]] <- v[[n]]; d }
out <- list(
  avg_predictions = answer(function(b) mean(p(mtcars, b))),
  avg_predictions_by_vs = answer(function(b) c(mean(p(mtcars, b)[mtcars$vs == 0]), mean(p(mtcars, b)[mtcars$vs == 1]))),
  avg_hp = answer(function(b) mean(p(with(hp = mtcars$hp + 1), b) - p(mtcars, b))),
  avg_hp_10 = answer(function(b) mean(p(with(hp = mtcars$hp + 10), b) - p(mtcars, b))),
  avg_vs = answer(function(b) mean(p(with(vs = 1), b) - p(with(vs = 0), b))),
  ratio_vs = answer(function(b) mean(p(with(vs = 1), b)) / mean(p(with(vs = 0), b))),
  lnor_vs = answer(function(b) qlogis(mean(p(with(vs = 1), b))) - qlogis(mean(p(with(vs = 0), b)))),
  slope_wt = answer(function(b) { h <- 2e-5; mean(p(with(wt = mtcars$wt + h), b) - p(with(wt = mtcars$wt - h), b)) / (2 * h) }),
  at_means = answer(function(b) p(data.frame(hp = c(100, 200), wt = mean(mtcars$wt), vs = 0), b))
)
library(lme4)
l <- lmer(Reaction ~ Days + (Days | Subject), sleepstudy)
X <- cbind(1, c(0, 9))
out$lmer_population <- list(estimate = drop(X %*% fixef(l)), std_error = sqrt(diag(X %*% as.matrix(vcov(l)) %*% t(X))))
out$data <- mtcars[c("am", "hp", "wt", "vs")]
cat(jsonlite::toJSON(out, digits = 10, dataframe = "columns"))
