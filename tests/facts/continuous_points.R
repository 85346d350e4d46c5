# Point estimates of continuous families by glmmTMB and survival: continuous_points.json, with the data.
#
#   Rscript tests/facts/continuous_points.R tests/facts/continuous_points.csv tests/facts/continuous_points.json
suppressMessages({library(glmmTMB); library(survival); library(jsonlite)})
arguments <- commandArgs(trailingOnly = TRUE)
set.seed(5)
n <- 160
d <- data.frame(x = round(rnorm(n), 3), g = rep(letters[1:16], 10))
eta <- 0.5 * d$x + rnorm(16, 0, 0.4)[match(d$g, letters)]
count <- rpois(n, exp(0.3 + 0.4 * eta))
d$t <- round(ifelse(count > 0, rgamma(n, pmax(count, 1) * 1.5, scale = 0.8), 0), 3)
d$p <- round(exp(0.4 + eta + 0.5 * rlogis(n)), 3)
d$event <- rbinom(n, 1, 0.75)
u <- abs(rnorm(n)); v <- rnorm(n)
d$y <- round(1 + eta + 0.9 * u + 0.4 * v, 3)
write.csv(d, arguments[1], row.names = FALSE)
d <- read.csv(arguments[1])

of <- function(fit, ...) list(logLik = unbox(as.numeric(logLik(fit))), ...)
tw <- glmmTMB(t ~ x + (1 | g), d, family = tweedie())
tw1 <- glmmTMB(t ~ x, d, family = tweedie(), dispformula = ~ x)
sr <- survreg(Surv(p, event) ~ x, d, dist = "loglogistic")
out <- list(
  tweedie = of(tw, fixef = unname(fixef(tw)$cond), se = unname(sqrt(diag(vcov(tw)$cond))), sigma = unbox(sigma(tw)),
               power = unbox(unname(family_params(tw))), sd = unbox(attr(VarCorr(tw)$cond$g, "stddev")[[1]])),
  tweedie_phi = of(tw1, fixef = unname(fixef(tw1)$cond), disp = unname(fixef(tw1)$disp), power = unbox(unname(family_params(tw1)))),
  loglogistic = of(sr, fixef = unname(coef(sr)), se = unname(sqrt(diag(vcov(sr)))[1:2]), scale = unbox(sr$scale))
)
if ("skewnormal" %in% getNamespaceExports("glmmTMB")) {
  sn <- glmmTMB(y ~ x, d, family = skewnormal())
  out$skewnormal <- of(sn, fixef = unname(fixef(sn)$cond), sigma = unbox(sigma(sn)), alpha = unbox(unname(family_params(sn))))
}
write(toJSON(out, digits = 10), arguments[2])
