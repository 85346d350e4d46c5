# Rscript tests/facts/projection.R tests/facts/projection.json
# projpred 2.3.0 with lme4 1.1-31: projections of draws that are written down as formulas, so that the test has the same.
suppressMessages({library(projpred); library(lme4); library(jsonlite)})
out <- list()
note <- function(name, data, formula, family, eta, dis, sizes) {
  response <- all.vars(formula)[1]
  extract <- function(object, newdata = NULL, wrhs = NULL, orhs = NULL, extract_y = TRUE) {
    if (is.null(newdata)) newdata <- data
    n <- nrow(newdata)
    list(y = if (extract_y) newdata[[response]] else NULL, weights = rep(1, n), offset = rep(0, n))
  }
  reference <- init_refmodel(
    object = list(1), data = data, formula = formula, family = family,
    ref_predfun = function(fit, newdata = NULL) eta, dis = dis, extract_model_data = extract
  )
  selection <- suppressWarnings(varsel(
    reference, method = "forward", nclusters = 1, ndraws_pred = ncol(eta), nterms_max = sizes, verbose = FALSE, seed = 1
  ))
  table <- summary(selection, stats = c("elpd", "rmse"), type = c("mean", "se"))$selection
  terms <- solution_terms(selection)
  drawn <- suppressWarnings(as.matrix(project(reference, solution_terms = terms, ndraws = ncol(eta), seed = 1)))
  out[[name]] <<- list(
    ranking = terms, elpd = table$elpd, elpd_se = table$elpd.se, rmse = table$rmse,
    names = colnames(drawn), means = unname(colMeans(drawn)), sds = unname(apply(drawn, 2, sd))
  )
}
sleep <- transform(lme4::sleepstudy, Subject = factor(Subject))
n <- nrow(sleep)
eta <- sapply(1:10, function(s) {
  g <- as.integer(sleep$Subject)
  250 + s + (10 + s / 10) * sleep$Days + 30 * sin(g) + 5 * cos(2 * g) * sleep$Days + 2 * sin(s * seq_len(n))
})
note("sleepstudy", sleep, Reaction ~ Days + (1 | Subject), gaussian(), eta, 24 + (1:10) / 4, 2)
cars <- transform(mtcars, wt = wt - 3, hp = hp / 100)
eta <- sapply(1:10, function(s) {
  1 + s / 50 - 0.3 * cars$wt + (0.2 + s / 200) * cars$hp + 0.1 * cars$am * sin(s) + 0.02 * cos(s * seq_len(32))
})
note("mtcars", cars, carb ~ wt + hp + am, poisson(), eta, rep(NA, 10), 3)
out$mtcars$data <- as.list(cars[c("carb", "wt", "hp", "am")])
cat(toJSON(out, digits = 10, auto_unbox = TRUE, pretty = TRUE), file = commandArgs(TRUE)[1])
