# Estimates of models with thresholds or several linear predictors by other programs, for tests/test_laplace_several.py.
# Rscript several_predictors.R, in this folder. R 4.2.2; ordinal 2022.11-16, glmmTMB 1.1.5, nnet 7.3-18, survival 3.5-3.
suppressMessages({library(ordinal); library(glmmTMB); library(nnet); library(survival); library(jsonlite)})

found <- list()
keep <- function(name, loglik, coef, se, sd = list(), thresholds = list(), threshold_se = list()) {
  found[[name]] <<- list(loglik = as.numeric(loglik), coef = as.list(coef), se = as.list(se), sd = as.list(sd),
                         thresholds = as.numeric(thresholds), threshold_se = as.numeric(threshold_se))
}

# ordinal ----------------------------------------------------------------------------------------------------------
write.csv(wine, "wine.csv", row.names = FALSE, quote = FALSE)
# clmm differences its likelihood numerically for standard errors, which needs the looser search for the group effects;
# the estimates are those of a tight one.
of_clmm <- function(name, ...) {
  rough <- clmm(..., data = wine)
  f <- clmm(..., data = wine, control = clmm.control(gradTol = 1e-9, grtol = 1e-9))
  of_clm(name, f, coef(summary(rough)))
}
of_clm <- function(name, f, table = coef(summary(f))) {
  k <- length(f$alpha); p <- length(f$beta)
  sds <- list()
  if (inherits(f, "clmm")) for (g in names(VarCorr(f))) {
    s <- attr(VarCorr(f)[[g]], "stddev"); names(s) <- paste(g, names(s)); sds <- c(sds, as.list(s))
  }
  keep(name, logLik(f), f$beta, table[k + seq_len(p), 2], sds, f$alpha, table[seq_len(k), 2])
}
for (link in c("logit", "probit", "cloglog", "cauchit")) {
  of_clm(paste0("clm_", link), clm(rating ~ temp + contact, data = wine, link = link))
  # clmm takes loglog and cloglog for one another: with the response reversed, clmm(link = "cloglog") gives these numbers
  own <- if (link == "cloglog") "loglog" else link
  of_clmm(paste0("clmm_", link), rating ~ temp + contact + (1 | judge), link = own)
}
of_clm("clm_equidistant", clm(rating ~ temp + contact, data = wine, threshold = "equidistant"))
of_clmm("clmm_equidistant", rating ~ temp + contact + (1 | judge), threshold = "equidistant")
of_clmm("clmm_slope", rating ~ temp + contact + (1 + contact | judge))
f <- clm(rating ~ temp, nominal = ~contact, data = wine)
keep("clm_nominal", logLik(f), coef(f), sqrt(diag(vcov(f))))

# glmmTMB ----------------------------------------------------------------------------------------------------------
of_tmb <- function(name, f) {
  b <- fixef(f); s <- coef(summary(f))
  parts <- c(cond = "cond", zi = "zi", disp = "disp")
  co <- unlist(lapply(parts, function(p) b[[p]])); se <- unlist(lapply(parts, function(p) if (!is.null(s[[p]])) {
    v <- s[[p]][, 2]; names(v) <- rownames(s[[p]]); v}))
  sds <- list()
  for (p in c("cond", "zi")) for (g in names(VarCorr(f)[[p]])) {
    v <- attr(VarCorr(f)[[p]][[g]], "stddev"); names(v) <- paste(p, g, names(v)); sds <- c(sds, as.list(v))
  }
  keep(name, logLik(f), co, se, sds)
}
data(Salamanders, package = "glmmTMB")
Salamanders$y <- pmin(Salamanders$count, 12)
Salamanders <- Salamanders[, c("site", "mined", "cover", "Wtemp", "spp", "count", "y")]
write.csv(Salamanders, "salamanders.csv", row.names = FALSE, quote = FALSE)
S <- Salamanders
of_tmb("zip", glmmTMB(count ~ mined + cover + (1 | site), zi = ~ mined, family = poisson, data = S))
of_tmb("zip_groups", glmmTMB(count ~ mined + cover + (1 | site), zi = ~ mined + (1 | site), family = poisson, data = S))
of_tmb("zinb", glmmTMB(count ~ mined + (1 | site), zi = ~ mined, family = nbinom2, data = S))
of_tmb("nb_disp", glmmTMB(count ~ mined + (1 | site), dispformula = ~ mined, family = nbinom2, data = S))

set.seed(11)
n <- 400
D <- data.frame(g = rep(1:20, each = 20), x = round(rnorm(n), 3), z = round(runif(n), 3))
u <- rnorm(20, 0, 0.5); v <- rnorm(20, 0, 0.4)
D$normal <- round(1 + 0.5 * D$x + u[D$g] + exp(-0.3 + 0.6 * D$z) * rnorm(n), 4)
mu <- plogis(0.3 + 0.6 * D$x + u[D$g]); phi <- exp(1 + 1.2 * D$z)
D$share <- round(pmin(pmax(rbeta(n, mu * phi, (1 - mu) * phi), 0.001), 0.999), 4)
D$hurdle <- ifelse(runif(n) < plogis(-1 + D$z + v[D$g]), 0, round(rgamma(n, 2, 2 / exp(0.5 + 0.4 * D$x + u[D$g])), 4) + 0.001)
eta <- cbind(0, 0.2 + 0.7 * D$x, -0.4 - 0.5 * D$x + D$z)
p <- exp(eta) / rowSums(exp(eta))
D$choice <- apply(p, 1, function(q) sample(c("a", "b", "c"), 1, prob = q))
D$time <- round(rweibull(n, 1.5, exp(1 + 0.4 * D$x)), 4) + 0.001
limit <- round(runif(n, 1, 8), 3)
D$censored <- ifelse(D$time > limit, "right", "none"); D$time <- pmin(D$time, limit)
write.csv(D, "several_predictors.csv", row.names = FALSE, quote = FALSE)
of_tmb("gaussian_sigma", glmmTMB(normal ~ x + (1 | g), dispformula = ~ z, data = D))
of_tmb("beta_phi", glmmTMB(share ~ x + (1 | g), dispformula = ~ z, family = beta_family(), data = D))
of_tmb("hurdle_gamma", glmmTMB(hurdle ~ x + (1 | g), zi = ~ z + (1 | g), family = ziGamma(link = "log"), data = D))
f <- multinom(choice ~ x + z, data = D, trace = FALSE, reltol = 1e-14, maxit = 1000, Hess = TRUE)
keep("multinom", logLik(f), c(b = coef(f)["b", ], c = coef(f)["c", ]),
     c(b = summary(f)$standard.errors["b", ], c = summary(f)$standard.errors["c", ]))
for (dist in c("weibull", "exponential")) {
  f <- survreg(Surv(time, censored == "none") ~ x, data = D, dist = dist, control = survreg.control(rel.tolerance = 1e-12))
  keep(paste0("survreg_", dist), f$loglik[2], c(coef(f), scale = f$scale), sqrt(diag(vcov(f))))
}
writeLines(toJSON(found, digits = 12, auto_unbox = TRUE, pretty = TRUE), "several_predictors.json")
