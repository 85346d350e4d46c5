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
seconds <- function(expression) {
  began <- as.numeric(Sys.time())
  force(expression)
  as.numeric(Sys.time()) - began
}
repeated <- function(once, budget) {
  times <- c()
  while (length(times) < 2 || (sum(times) < budget && length(times) < 40)) times <- c(times, once())
  times
}
first <- seconds(fit <- one_fit(package))
finished <- as.numeric(Sys.time())
found <- as.numeric(logLik(fit))
slow <- first > request$budget
warm <- if (slow) first else repeated(function() seconds(one_fit(package)), request$budget)
# The summary with degrees of freedom is lmerTest's; lme4's own has none.
with_df <- if (package == "lme4" && requireNamespace("lmerTest", quietly = TRUE)) "lmerTest" else package
if (with_df == "lmerTest") suppressMessages(library(lmerTest))
one_summary <- function() seconds(suppressWarnings(capture.output(print(summary(one_fit(with_df))))))
summaries <- if (slow) list() else repeated(one_summary, request$budget / 2)
answer <- list(
  log_likelihood = found, finished = finished, reading = reading, first = first, warm = as.list(warm),
  with_summary = as.list(summaries), version = as.character(packageVersion(package))
)
writeLines(jsonlite::toJSON(answer, auto_unbox = TRUE, digits = NA), request$answer)
