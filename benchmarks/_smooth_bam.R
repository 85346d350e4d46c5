# Worker: mgcv's bam(discrete = TRUE). Called with the path of a request.
request <- jsonlite::fromJSON(commandArgs(trailingOnly = TRUE)[1], simplifyVector = TRUE)
suppressMessages(library(mgcv))
data <- read.csv(request$data)
if ("g" %in% names(data)) data$g <- factor(data$g)
formula <- as.formula(request$formula)
seconds <- processor <- numeric(0)
for (i in seq_len(request$repeats)) {
  spent <- system.time(fit <- bam(formula, data = data, method = "fREML", discrete = TRUE, nthreads = 1))
  seconds <- c(seconds, spent[["elapsed"]])
  processor <- c(processor, spent[["user.self"]] + spent[["sys.self"]])
}
answer <- list(seconds = seconds, processor = processor, edf = sum(fit$edf))
writeLines(jsonlite::toJSON(answer, digits = NA), request$answer)
