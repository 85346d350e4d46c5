# Smooths of mgcv 1.8-41 and their mixed-model form in brms 2.18 (R 4.2.2), written to smooths.json.
#
#   Rscript tests/facts/smooths.R tests/facts/smooths.json
#
# `data` are small data sets of R: MASS::mcycle, datasets::airquality (complete rows), datasets::faithful, and two
# simulated ones of mgcv's gamSim. `fits` are gam(method = "REML") of them, whose search goes on until the criterion is
# flat. `bases` are matrices of `rows`: brms's Xs and Zs, and mgcv's matrices for `new`, which are the same columns.
suppressMessages({library(mgcv); library(brms); library(jsonlite)})

set.seed(11)
invisible(capture.output(sim <- gamSim(1, n = 120, scale = 2, verbose = FALSE)))
invisible(capture.output(byfac <- gamSim(4, n = 120, verbose = FALSE)))
air <- na.omit(airquality[c("Ozone", "Temp", "Wind")])
data <- list(
  mcycle = MASS::mcycle, airquality = air, faithful = faithful,
  sim = round(sim[c("y", "x0", "x2")], 4),
  byfac = data.frame(y = round(byfac$y, 4), x2 = round(byfac$x2, 4), fac = byfac$fac)
)
data$sim$count <- rpois(nrow(sim), exp(sim$f / 5))
rownames(data$airquality) <- NULL
new <- list(
  mcycle = data.frame(times = c(1, 10.3, 24.05, 57.6, 70)), airquality = data.frame(Temp = c(50, 64, 79.5, 97, 110), Wind = c(1, 5, 10.1, 20.7, 25)),
  faithful = data.frame(eruptions = c(1, 2.05, 3.3, 6)), sim = data.frame(x0 = c(-0.1, 0.3, 0.77, 1.2), x2 = c(-0.1, 0.2, 0.51, 1.3)),
  byfac = data.frame(x2 = c(-0.1, 0.2, 0.51, 1.3, 0.4), fac = factor(c(1, 2, 3, 2, 1)))
)

precise <- gam.control(epsilon = 1e-13, maxit = 500, newton = list(conv.tol = 1e-12, maxNstep = 5, maxSstep = 2, maxHalf = 60, use.svd = FALSE))
fact <- function(formula, name, family = gaussian()) {
  fit <- gam(formula, data = data[[name]], family = family, method = "REML", control = precise)
  at <- function(factor) gam(formula, data = data[[name]], family = family, method = "REML", sp = unname(fit$sp) * factor, control = precise)
  exact <- at(1)  # mgcv's coefficients belong to the smoothing parameters before its last step
  new_rows <- predict(exact, new[[name]], se.fit = TRUE)
  list(
    formula = paste(deparse(formula, width.cutoff = 500), collapse = ""), data = name, family = family$family,
    sp = unname(fit$sp), edf = sapply(exact$smooth, function(s) sum(exact$edf[s$first.para:s$last.para])), total_edf = sum(exact$edf),
    scale = exact$sig2, reml_scale = exact$reml.scale, reml = unname(exact$gcv.ubre),
    reml_at = sapply(c(0.2, 5), function(factor) unname(at(factor)$gcv.ubre)),
    fitted = unname(predict(exact)), new = unname(new_rows$fit), new_se = unname(new_rows$se.fit)
  )
}
fits <- list(
  fact(accel ~ s(times), "mcycle"), fact(accel ~ s(times, k = 25), "mcycle"),
  fact(accel ~ s(times, bs = "cr"), "mcycle"), fact(accel ~ s(times, bs = "cr", k = 25), "mcycle"),
  fact(waiting ~ s(eruptions), "faithful"), fact(waiting ~ s(eruptions, bs = "cr", k = 6), "faithful"),
  fact(Ozone ~ s(Temp), "airquality"), fact(Ozone ~ s(Temp, bs = "cr", k = 5), "airquality"),
  fact(Ozone ~ s(Temp, bs = "ts"), "airquality"), fact(Ozone ~ s(Temp, k = 12, m = 1), "airquality"),
  fact(Ozone ~ s(Temp) + s(Wind), "airquality"), fact(Ozone ~ s(Temp, Wind), "airquality"),
  fact(y ~ s(x0) + s(x2), "sim"), fact(y ~ s(x0, bs = "cr") + s(x2, bs = "cc", k = 8), "sim"),
  fact(y ~ fac + s(x2, by = fac), "byfac"),
  fact(count ~ s(x2), "sim", poisson()), fact(Ozone ~ s(Temp, bs = "cr"), "airquality", Gamma("log"))
)

set.seed(12)
rows <- data.frame(x = round(rnorm(40, 5, 2), 2), z = round(runif(40, -1, 1), 3), g = factor(sample(c("a", "b", "c"), 40, TRUE)))
rows$y <- round(rnorm(40), 3)
fresh <- data.frame(x = c(-2, 3.3, 5, 14), z = c(-3, 0.2, 0.5, 1.1))
basis <- function(call) {
  spec <- eval(call)
  made <- make_standata(as.formula(paste("y ~", paste(deparse(call), collapse = ""))), rows)
  smooth <- smoothCon(spec, rows, absorb.cons = TRUE, diagonal.penalty = TRUE)[[1]]
  Zs <- made[grep("^Zs", names(made))]
  X <- if (spec$by == "NA") PredictMat(smooth, fresh) else NULL
  free <- if (is.null(made$Xs)) 0 else ncol(made$Xs)
  list(
    call = paste(deparse(call), collapse = ""), scale = smooth$S.scale, names = as.list(colnames(made$Xs)), Xs = made$Xs, Zs = unname(Zs),
    fit_columns = if (is.null(X)) NULL else smooth$X, new_columns = X
  )
}
bases <- lapply(
  list(
    quote(s(x)), quote(s(x, k = 6)), quote(s(x, bs = "cr", k = 7)), quote(s(x, bs = "cc", k = 6)), quote(s(x, bs = "ts", k = 6)),
    quote(s(x, m = 1, k = 6)), quote(s(x, m = 3, k = 8)), quote(s(x, z, k = 12)), quote(s(x, z, m = 3, k = 15)), quote(s(x, by = z, k = 6)),
    quote(s(x, bs = "cr", by = z, k = 6)), quote(s(x, by = g, k = 6)), quote(s(x, bs = "cr", by = g, k = 6))
  ), basis)

columns <- function(frame) lapply(as.list(frame), function(v) if (is.factor(v)) as.character(v) else v)
write_json(
  list(data = lapply(data, columns), new = lapply(new, columns), fits = fits, rows = columns(rows), fresh = columns(fresh), bases = bases),
  commandArgs(TRUE)[1], digits = 15, auto_unbox = TRUE, null = "null", matrix = "rowmajor"
)
