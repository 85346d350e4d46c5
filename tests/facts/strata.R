# lme4 1.1-31: effects with a variance for each stratum, written with lme4's dummy().
#
#   Rscript tests/facts/strata.R tests/facts/strata.csv tests/facts/strata.json
#
# writes the data (seeded) and the estimates.
suppressMessages({library(lme4); library(jsonlite)})
set.seed(5)
g <- rep(1:24, each = 6)
side <- ifelse(g <= 14, "A", "B")
x <- round(rnorm(144), 3)
u <- rnorm(24, 0, ifelse(1:24 <= 14, 0.6, 1.8))[g]
v <- rnorm(24, 0, ifelse(1:24 <= 14, 1.2, 0.4))[g]
d <- data.frame(g, side, x, y = round(2 + 0.5 * x + u + v * x + rnorm(144), 3), k = rpois(144, exp(0.4 + 0.3 * x + 0.4 * u)))
write.csv(d, commandArgs(trailingOnly = TRUE)[1], row.names = FALSE)
own <- function(m) list(log_lik = as.numeric(logLik(m)), fixed = unname(fixef(m)), sd = as.data.frame(VarCorr(m))$sdcor)
one <- lmer(y ~ x + (0 + dummy(side, "A") | g) + (0 + dummy(side, "B") | g), d)
slopes <- lmer(y ~ x + (0 + dummy(side, "A") + dummy(side, "A"):x | g) + (0 + dummy(side, "B") + dummy(side, "B"):x | g), d)
counts <- glmer(k ~ x + (0 + dummy(side, "A") | g) + (0 + dummy(side, "B") | g), d, poisson,
                control = glmerControl(tolPwrss = 1e-12, optCtrl = list(maxfun = 1e5)))
write(toJSON(list(one = own(one), slopes = own(slopes), counts = own(counts)), digits = NA, auto_unbox = TRUE),
      commandArgs(trailingOnly = TRUE)[2])
