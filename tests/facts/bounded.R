# Estimates of models of proportions with exact zeros and ones by glmmTMB, for tests/test_bounded.py.
# Rscript bounded.R, in this folder. R 4.2.2; glmmTMB 1.1.5.
suppressMessages({library(glmmTMB); library(jsonlite)})

set.seed(23)
n <- 300
D <- data.frame(g = rep(1:15, each = 20), x = round(rnorm(n), 3), z = round(runif(n), 3))
u <- rnorm(15, 0, 0.5)
eta <- 0.3 + 0.6 * D$x + u[D$g]
y <- rbeta(n, plogis(eta) * 4, plogis(-eta) * 4)
y <- round(pmin(pmax(y, 0.001), 0.999), 4)
D$zero <- ifelse(runif(n) < plogis(-1.2 + D$z), 0, y)
latent <- eta + rlogis(n)
D$both <- ifelse(latent < -1.5, 0, ifelse(latent > 1.9, 1, y))
write.csv(D, "bounded.csv", row.names = FALSE, quote = FALSE)

of_tmb <- function(f) {
  s <- coef(summary(f))
  list(loglik = as.numeric(logLik(f)), coef = as.list(s$cond[, 1]), se = as.list(s$cond[, 2]),
       zi = as.list(if (is.null(s$zi)) NULL else s$zi[, 1]), disp = as.list(fixef(f)$disp),
       sd = if (length(VarCorr(f)$cond)) as.numeric(attr(VarCorr(f)$cond$g, "stddev")) else NULL,
       psi = unname(f$fit$parfull[names(f$fit$parfull) %in% c("psi", "thetaf")]))
}
found <- list(
  zib = of_tmb(glmmTMB(zero ~ x, zi = ~ z, family = beta_family(), data = D)),
  zib_groups = of_tmb(glmmTMB(zero ~ x + (1 | g), zi = ~ z, family = beta_family(), data = D)),
  ordbeta = of_tmb(glmmTMB(both ~ x, family = ordbeta(), data = D)),
  ordbeta_groups = of_tmb(glmmTMB(both ~ x + (1 | g), family = ordbeta(), data = D))
)
write(toJSON(found, auto_unbox = TRUE, digits = 10, pretty = TRUE), "bounded.json")
