# Tensor products, curves of levels and further bases of mgcv 1.8-41 and brms 2.18 (R 4.2.2), written to
# more_smooths.json; what it holds is described in smooths.R.
#
#   Rscript tests/facts/more_smooths.R tests/facts/more_smooths.json
suppressMessages({library(mgcv); library(brms); library(jsonlite)})

set.seed(12)
rows <- data.frame(x = round(rnorm(40, 5, 2), 2), z = round(runif(40, -1, 1), 3), g = factor(sample(c("a", "b", "c"), 40, TRUE)))
rows$y <- round(rnorm(40), 3)
fresh <- data.frame(x = c(-2, 3.3, 5, 14), z = c(-3, 0.2, 0.5, 1.1), g = factor(c("a", "c", "b", "b")))
basis <- function(call) {
  made <- make_standata(as.formula(paste("y ~", paste(deparse(call), collapse = ""))), rows)
  Zs <- made[grep("^Zs", names(made))]
  list(call = paste(deparse(call), collapse = ""), names = as.list(colnames(made$Xs)), Xs = made$Xs, Zs = unname(Zs))
}
bases <- lapply(
  list(
    quote(s(x, bs = "cs", k = 6)), quote(s(z, bs = "cs", k = 5)), quote(s(x, bs = "ps", k = 7)), quote(s(x, bs = "ps", k = 8, m = c(2, 1))),
    quote(s(x, bs = "ps", k = 8, m = 1)), quote(s(x, bs = "ds", k = 8)), quote(s(x, z, bs = "ds", k = 12)), quote(s(x, z, bs = "ds", k = 12, m = c(1, 0.5))),
    quote(s(g, bs = "re")), quote(s(g, x, bs = "re")),
    quote(s(x, g, bs = "fs", k = 5)), quote(s(x, z, g, bs = "fs", k = 8)),
    quote(t2(x, z, k = 4)), quote(t2(x, z)), quote(t2(x, z, k = c(4, 5), bs = c("cr", "tp"))), quote(t2(x, z, k = 4, bs = c("cc", "ps"))),
    quote(t2(x, z, k = 5, bs = "ps", m = 1)), quote(t2(x, z, k = 4, by = g))
  ), basis)

set.seed(3)
n <- 150
sim <- data.frame(x = round(runif(n), 3), z = round(runif(n), 3), g = factor(sample(letters[1:6], n, TRUE)))
truth <- with(sim, sin(6 * x) + 2 * (z - 0.5)^2 * x + (as.integer(g) - 3.5) * 0.3 + sin(3 * x + as.integer(g)))
sim$y <- round(truth + rnorm(n, 0, 0.4), 3)
sim$count <- rpois(n, exp(0.5 + truth / 2))
data <- list(sim = sim, trees = trees, cars = cars, quakes = quakes[seq(1, 1000, 4), ], stack = stackloss, air = na.omit(airquality),
             faithful = faithful, women = women, mcycle = MASS::mcycle, pressure = pressure)
precise <- gam.control(epsilon = 1e-13, maxit = 500, newton = list(conv.tol = 1e-12, maxNstep = 5, maxSstep = 2, maxHalf = 60, use.svd = FALSE))
fact <- function(formula, name, family = gaussian(), method = "REML") {
  fit <- gam(formula, data = data[[name]], family = family, method = method, control = precise)
  table <- summary(fit)$s.table
  list(formula = paste(deparse(formula, width.cutoff = 500), collapse = ""), data = name, family = family$family, sp = unname(fit$sp),
       edf = sapply(fit$smooth, function(s) sum(fit$edf[s$first.para:s$last.para])), scale = fit$sig2, reml = unname(fit$gcv.ubre),
       fitted = unname(predict(fit)), table = unname(table), names = rownames(table))
}
fits <- list(
  fact(y ~ s(x, bs = "cs") + s(z, bs = "ps"), "sim"), fact(y ~ s(x, bs = "ds") + s(g, bs = "re"), "sim"),
  fact(y ~ t2(x, z), "sim"), fact(y ~ t2(x, z, k = c(6, 4), bs = c("ps", "tp")) + s(g, bs = "re"), "sim"),
  fact(y ~ s(x, g, bs = "fs", k = 5), "sim"), fact(y ~ g + s(x, by = g, bs = "ps"), "sim"),
  fact(Volume ~ s(Girth) + s(Height, bs = "ps"), "trees"), fact(dist ~ s(speed, bs = "cr"), "cars"),
  fact(mag ~ s(lat, long, k = 20) + s(depth), "quakes"), fact(stack.loss ~ s(Air.Flow, k = 5) + s(Water.Temp, k = 5), "stack"),
  fact(Ozone ~ s(Temp) + s(Wind) + s(Solar.R), "air"), fact(Ozone ~ t2(Temp, Wind), "air"), fact(waiting ~ s(eruptions, bs = "ps", k = 20), "faithful"),
  fact(weight ~ s(height, k = 8), "women"), fact(accel ~ s(times, bs = "ps", k = 20), "mcycle"), fact(accel ~ s(times, bs = "cs", k = 15), "mcycle"),
  fact(log(pressure) ~ s(temperature), "pressure")
)
columns <- function(frame) lapply(as.list(frame), function(v) if (is.factor(v)) as.character(v) else v)
write_json(
  list(data = lapply(data, columns), fits = fits, rows = columns(rows), fresh = columns(fresh), bases = bases),
  commandArgs(TRUE)[1], digits = 12, auto_unbox = TRUE, null = "null", matrix = "rowmajor"
)
