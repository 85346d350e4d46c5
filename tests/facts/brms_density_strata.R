# Models of brms 2.18 with an identifier and strata, (1 | p | gr(g, by = f)).
#
#   Rscript tests/facts/brms_density_strata.R tests/facts/brms_density_strata.csv programs.json
#   python tests/facts/brms_density_more.py programs.json tests/facts/brms_density_strata.json
source("tests/facts/brms_density_more.R")

rows <- function() {
  set.seed(31)
  n <- 18
  groups <- letters[1:6]
  d <- data.frame(x = rnorm(n), g = rep(groups, 3))
  d$f <- ifelse(d$g %in% c("a", "b", "e"), "u", "v")
  d$y <- 1 + 0.5 * d$x + rnorm(6)[match(d$g, groups)] + rnorm(n)
  numbers <- vapply(d, is.double, TRUE)
  d[numbers] <- lapply(d[numbers], round, 3)
  d
}

MODELS <- list(
  c("strata_id", "bf(y ~ x + (1 | p | gr(g, by = f)), sigma ~ (1 | p | gr(g, by = f)))", "gaussian"),
  c("strata_id_slopes", "bf(y ~ x + (x | p | gr(g, by = f)), sigma ~ (1 | p | gr(g, by = f)))", "gaussian"),
  c("strata_responses", "bf(y ~ x + (1 | p | gr(g, by = f))) + bf(x ~ (1 | p | gr(g, by = f))) + set_rescor(FALSE)", "gaussian")
)

if (sys.nframe() == 0) {
  arguments <- commandArgs(trailingOnly = TRUE)
  main(arguments[1], arguments[2], models = MODELS, data = rows())
}
