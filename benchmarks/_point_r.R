# Worker: time the fits of one R engine on one case. Called with the path of a request.
request <- jsonlite::fromJSON(commandArgs(trailingOnly = TRUE)[1], simplifyVector = TRUE)
began <- proc.time()[["elapsed"]]
data <- read.csv(request$data)
for (name in request$factors) data[[name]] <- factor(data[[name]])
reading <- proc.time()[["elapsed"]] - began
formula <- as.formula(request$case$formula)
family <- switch(request$case$family, bernoulli = binomial(), poisson = poisson(), gaussian = gaussian())
gaussian <- request$case$family == "gaussian"
package <- request$engine
suppressWarnings(suppressMessages(library(package, character.only = TRUE)))

one_fit <- function(package) {
  suppressWarnings(suppressMessages(switch(package,
    lme4 = if (gaussian) lme4::lmer(formula, data) else lme4::glmer(formula, data, family),
    lmerTest = if (gaussian) lmerTest::lmer(formula, data) else lme4::glmer(formula, data, family),
    glmmTMB = glmmTMB::glmmTMB(formula, data, family, REML = gaussian))))
}
# Seconds by the clock and of the processor.
seconds <- function(expression) {
  used <- sum(proc.time()[c("user.self", "sys.self")])
  began <- as.numeric(Sys.time())
  force(expression)
  c(as.numeric(Sys.time()) - began, sum(proc.time()[c("user.self", "sys.self")]) - used)
}
repeated <- function(once, budget) {
  times <- matrix(0, 0, 2)
  while (nrow(times) < 2 || (sum(times[, 1]) < budget && nrow(times) < 40)) times <- rbind(times, once())
  times
}
first <- seconds(fit <- one_fit(package))
finished <- as.numeric(Sys.time())
found <- as.numeric(logLik(fit))
slow <- first[1] > request$budget
warm <- if (slow) t(first) else repeated(function() seconds(one_fit(package)), request$budget)
# The summary with degrees of freedom is lmerTest's; lme4's own has none.
with_df <- if (package == "lme4" && requireNamespace("lmerTest", quietly = TRUE)) "lmerTest" else package
if (with_df == "lmerTest") suppressMessages(library(lmerTest))
one_summary <- function() seconds(suppressWarnings(capture.output(print(summary(one_fit(with_df))))))
summaries <- if (slow) matrix(0, 0, 2) else repeated(one_summary, request$budget / 2)
answer <- list(
  log_likelihood = found, finished = finished, reading = reading, first = first[1],
  warm = as.list(warm[, 1]), cpu = as.list(mean(warm[, 2])), with_summary = as.list(summaries[, 1]), version = as.character(packageVersion(package))
)
writeLines(jsonlite::toJSON(answer, auto_unbox = TRUE, digits = NA), request$answer)
