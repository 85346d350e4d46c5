# Models of interval-censored times by R's survival: Rscript interval_censoring.R > interval_censoring.json
# The data are given, not simulated: lower and upper are ends of intervals, NA where there is none.
library(survival)
d <- data.frame(
  lower = c(0.8, 1.7, 2.2, 0.4, 5.1, 3.3, 1.2, NA, 2.9, 6.4, 0.9, 4.2, NA, 1.1, 7.3, 2.4, 3.8, 0.6, 5.5, 1.9),
  upper = c(0.8, 2.9, 2.2, 1.6, NA, 4.7, 1.2, 1.5, 2.9, NA, 2.0, 4.2, 0.9, 3.0, 9.1, 2.4, NA, 0.6, 8.2, 1.9),
  x = c(0.1, -0.4, 0.3, -1.2, 1.4, 0.6, -0.9, -0.2, 0.5, 1.1, -0.7, 0.8, -1.5, 0.0, 1.6, 0.2, 0.9, -1.1, 1.3, -0.3)
)
record <- function(dist) {
  fit <- survreg(Surv(lower, upper, type = "interval2") ~ x, d, dist = dist, control = survreg.control(rel.tolerance = 1e-13, maxiter = 200))
  list(intercept = unname(coef(fit)[1]), slope = unname(coef(fit)[2]), scale = fit$scale, loglik = fit$loglik[2])
}
number <- function(x) ifelse(is.na(x), "null", sprintf("%.17g", x))
array <- function(x) paste0("[", paste(number(x), collapse = ", "), "]")
fits <- sapply(c("weibull", "lognormal"), function(dist) {
  r <- record(dist)
  sprintf('    "%s": {%s}', dist, paste(sprintf('"%s": %s', names(r), number(unlist(r))), collapse = ", "))
})
cat("{\n")
cat(sprintf('  "survival": "%s",\n', as.character(packageVersion("survival"))))
for (name in names(d)) cat(sprintf('  "%s": %s,\n', name, array(d[[name]])))
cat('  "fits": {\n', paste(fits, collapse = ",\n"), "\n  }\n}\n", sep = "")
