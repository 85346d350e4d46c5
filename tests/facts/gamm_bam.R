# REML fits of mgcv's gamm() and bam() (mgcv 1.8-41, nlme), for test_more_smooths.py, on the data sets of more_smooths.R:
#
#   Rscript tests/facts/gamm_bam.R tests/facts/more_smooths.json tests/facts/gamm_bam.json
suppressMessages({library(mgcv); library(nlme); library(jsonlite)})
args <- commandArgs(TRUE)
sets <- fromJSON(args[1])$data
frame <- function(name) { d <- as.data.frame(sets[[name]]); d[sapply(d, is.character)] <- lapply(d[sapply(d, is.character)], factor); d }
models <- list(
  list("sim", y ~ s(x) + s(z, bs = "cr")), list("trees", Volume ~ s(Girth) + s(Height)), list("cars", dist ~ s(speed, bs = "cr")),
  list("quakes", mag ~ s(depth) + s(lat)), list("air", Ozone ~ s(Temp) + s(Wind)), list("faithful", waiting ~ s(eruptions, k = 12)),
  list("mcycle", accel ~ s(times, k = 20)), list("pressure", log(pressure) ~ s(temperature))
)
tight <- lmeControl(msMaxIter = 500, msTol = 1e-12, tolerance = 1e-12, niterEM = 0, returnObject = TRUE)
facts <- list()
for (model in models) {
  d <- frame(model[[1]])
  fits <- list(
    gamm = try(gamm(model[[2]], data = d, method = "REML", control = tight)$gam, silent = TRUE),
    bam = bam(model[[2]], data = d, method = "fREML", control = gam.control(epsilon = 1e-12, maxit = 500))
  )
  for (kind in names(fits)) {
    fit <- fits[[kind]]
    if (inherits(fit, "try-error")) next
    facts[[length(facts) + 1]] <- list(
      kind = kind, data = model[[1]], formula = paste(deparse(model[[2]], width.cutoff = 500), collapse = ""),
      fitted = round(as.numeric(predict(fit)), 8), edf = I(unname(summary(fit)$s.table[, "edf"]))
    )
  }
}
write_json(facts, args[2], digits = 12, auto_unbox = TRUE)
