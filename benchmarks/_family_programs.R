# Worker: brms's Stan program and data of a case. Called with the path of a request.
request <- jsonlite::fromJSON(commandArgs(trailingOnly = TRUE)[1], simplifyVector = TRUE)
suppressWarnings(suppressMessages(library(brms)))
data <- read.csv(request$data)
if ("g" %in% names(data)) data$g <- factor(data$g)
data2 <- lapply(request$matrices, function(path) {
  matrix <- as.matrix(read.csv(path, check.names = FALSE))
  dimnames(matrix) <- list(colnames(matrix), colnames(matrix))
  matrix
})
parts <- lapply(seq_along(request$further), function(i) as.formula(paste(names(request$further)[i], request$further[[i]])))
one <- function(text) do.call(bf, c(list(as.formula(text)), parts, if (request$nonlinear) list(nl = TRUE)))
formula <- Reduce(`+`, lapply(request$formulas, one))
if (length(request$formulas) > 1) formula <- formula + set_rescor(TRUE)
family <- eval(parse(text = request$family))
prior <- empty_prior()
rows <- request$priors
if (length(rows)) for (i in seq_len(nrow(rows))) {
  at <- function(column) if (column %in% names(rows)) rows[[column]][i] else ""
  prior <- prior + set_prior(rows$prior[i], nlpar = at("nlpar"), dpar = at("dpar"))
}
code <- make_stancode(formula, data, family, prior, data2 = data2)
standata <- unclass(make_standata(formula, data, family, prior, data2 = data2))
standata <- lapply(standata, function(v) if (is.null(dim(v)) && length(v) == 1) jsonlite::unbox(v) else v)
answer <- list(code = jsonlite::unbox(as.character(code)), data = standata)
writeLines(jsonlite::toJSON(answer, digits = NA), request$answer)
