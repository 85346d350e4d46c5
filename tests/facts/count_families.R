# Maximum likelihood estimates of glmmTMB for families of counts: count_families.json and its data.
#
#   Rscript tests/facts/count_families.R tests/facts/count_families.csv tests/facts/count_families.json
suppressMessages({library(glmmTMB); library(jsonlite)})
args <- commandArgs(trailingOnly = TRUE)

set.seed(17)
n <- 240
d <- data.frame(x = round(rnorm(n), 3), z = round(rnorm(n), 3), g = rep(letters[1:12], n / 12))
u <- rnorm(12, 0, 0.5)[match(d$g, letters)]
eta <- 0.4 * d$x + u
d$n <- sample(4:15, n, TRUE)
p <- rbeta(n, 6 * plogis(eta), 6 * plogis(-eta))
d$k <- rbinom(n, d$n, p)
d$kz <- ifelse(runif(n) < plogis(-1 + 0.6 * d$z), 0L, rbinom(n, d$n, plogis(0.5 + eta)))
d$kzz <- ifelse(runif(n) < 0.25, 0L, d$k)
mu <- exp(1 + eta)
d$c1 <- rnbinom(n, mu = mu, size = mu / 1.5)
d$cu <- rbinom(n, ceiling(3 * mu), 1 / 3)
write.csv(d, args[1], row.names = FALSE)
d <- read.csv(args[1])

of <- function(fit) {
  s <- summary(fit)$coefficients
  estimates <- function(part) as.list(s[[part]][, "Estimate"])
  errors <- function(part) as.list(s[[part]][, "Std. Error"])
  parts <- Filter(function(part) !is.null(s[[part]]), c("cond", "zi", "disp"))
  v <- VarCorr(fit)$cond
  list(logLik = as.numeric(logLik(fit)), sigma = sigma(fit),
       estimates = lapply(setNames(parts, parts), estimates), errors = lapply(setNames(parts, parts), errors),
       sd = if (length(v)) attr(v[[1]], "stddev")[[1]] else NULL)
}
pair <- function(k) as.formula(sprintf("cbind(%s, n - %s) ~ x + (1 | g)", k, k))
found <- list(
  beta_binomial = of(glmmTMB(pair("k"), d, family = betabinomial)),
  beta_binomial_disp = of(glmmTMB(cbind(k, n - k) ~ x, d, dispformula = ~z, family = betabinomial("probit"))),
  zero_inflated_binomial = of(glmmTMB(pair("kz"), d, ziformula = ~z, family = binomial)),
  zero_inflated_beta_binomial = of(glmmTMB(pair("kzz"), d, ziformula = ~1, family = betabinomial)),
  nbinom1 = of(glmmTMB(c1 ~ x + (1 | g), d, family = nbinom1)),
  nbinom1_disp = of(glmmTMB(c1 ~ x, d, dispformula = ~z, family = nbinom1)),
  genpois = of(glmmTMB(c1 ~ x + (1 | g), d, family = genpois)),
  genpois_plain = of(glmmTMB(c1 ~ x + z, d, family = genpois)),
  compois = of(glmmTMB(c1 ~ x + (1 | g), d, family = compois)),
  compois_under = of(glmmTMB(cu ~ x + (1 | g), d, family = compois)),
  compois_groups = of(glmmTMB(cu ~ g, d, family = compois))
)
write(toJSON(found, digits = NA, auto_unbox = TRUE, pretty = TRUE, null = "null"), args[2])
