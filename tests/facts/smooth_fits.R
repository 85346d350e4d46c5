# Maximum likelihood and random effects beside smooths. Rscript smooth_fits.R smooths.json smooth_fits.json; mgcv 1.8-41
library(mgcv)
library(jsonlite)
told <- read_json(commandArgs(TRUE)[1], simplifyVector = TRUE)$data
data <- list(sim = as.data.frame(told$sim), airquality = as.data.frame(told$airquality), mcycle = as.data.frame(told$mcycle))
data$sim$g <- factor(rep_len(c("a", "b", "c", "d", "e", "f"), nrow(data$sim)))
data$sim$yg <- data$sim$y + c(a = -3, b = -1, c = 0, d = 0.5, e = 1.5, f = 2)[as.character(data$sim$g)]

precise <- gam.control(epsilon = 1e-13, maxit = 500, newton = list(conv.tol = 1e-12, maxNstep = 5, maxSstep = 2, maxHalf = 60, use.svd = FALSE))
fact <- function(formula, name, ours, method, family = gaussian(), weights = NULL) {
  fit <- gam(formula, data = data[[name]], family = family, method = method, control = precise)
  exact <- gam(formula, data = data[[name]], family = family, method = method, sp = unname(fit$sp), control = precise)
  list(
    formula = ours, data = name, family = family$family, method = method, sp = unname(fit$sp),
    edf = sapply(exact$smooth, function(s) sum(exact$edf[s$first.para:s$last.para])),
    scale = exact$reml.scale, score = unname(exact$gcv.ubre), fitted = unname(predict(exact)),
    se = unname(predict(exact, se.fit = TRUE)$se.fit)
  )
}
fits <- list(
  fact(yg ~ s(x2) + s(g, bs = "re"), "sim", "yg ~ s(x2) + (1 | g)", "REML"),
  fact(y ~ s(x2, by = x0), "sim", "y ~ s(x2, by = x0)", "REML"),
  fact(accel ~ s(times), "mcycle", "accel ~ s(times)", "ML"),
  fact(count ~ s(x2), "sim", "count ~ s(x2)", "ML", poisson()),
  fact(count ~ s(x0) + s(x2, bs = "cr"), "sim", "count ~ s(x0) + s(x2, bs = 'cr')", "ML", poisson()),
  fact(Ozone ~ s(Temp, bs = "cr"), "airquality", "Ozone ~ s(Temp, bs = 'cr')", "ML", Gamma("log"))
)
write_json(fits, commandArgs(TRUE)[2], digits = 15, auto_unbox = TRUE)
