# Worker: sample a case with brms (rstan). Called with the path of a request.
request <- jsonlite::fromJSON(commandArgs(trailingOnly = TRUE)[1], simplifyVector = TRUE)
started <- as.numeric(Sys.time())
suppressWarnings(suppressMessages(library(brms)))
if (dir.exists("/usr/include/boost")) rstan::rstan_options(boost_lib = "/usr/include")
began <- as.numeric(Sys.time())
data <- read.csv(request$data)
for (name in request$factors) data[[name]] <- factor(data[[name]])
reading <- as.numeric(Sys.time()) - began

formula <- if (nzchar(request$sigma_formula)) {
  bf(as.formula(request$formula), as.formula(request$sigma_formula))
} else {
  bf(as.formula(request$formula))
}
rows <- request$priors
prior <- do.call(c, lapply(seq_len(nrow(rows)), function(i) {
  dpar <- if ("dpar" %in% names(rows) && !is.na(rows$dpar[i])) rows$dpar[i] else ""
  set_prior(rows$prior[i], class = rows$class[i], dpar = dpar)
}))
quietly <- function(expression) suppressWarnings(suppressMessages(expression))

# The compiled program is kept beside the data between the cold and the warm start, as a user would keep it.
compiling <- 0
if (file.exists(request$compiled)) {
  empty <- readRDS(request$compiled)
} else {
  compiling <- system.time(
    empty <- quietly(brm(formula, data, request$family, prior = prior, chains = 0, refresh = 0, silent = 2))
  )[["elapsed"]]
  saveRDS(empty, request$compiled)
}

short <- isTRUE(request$short)
sampling_began <- as.numeric(Sys.time())
control <- if (short) list(max_treedepth = 7) else list()
fit <- quietly(update(
  empty, newdata = data, recompile = FALSE, chains = if (short) 1 else request$chains, cores = request$cores,
  iter = if (short) 40 else 2000, warmup = if (short) 30 else 1000, seed = request$seed, refresh = 0, silent = 2,
  control = control
))
clock <- as.numeric(Sys.time()) - sampling_began
if (!short) printed <- quietly(capture.output(print(summary(fit))))
summarised <- as.numeric(Sys.time())

elapsed <- rstan::get_elapsed_time(fit$fit)
statistics <- rstan::get_sampler_params(fit$fit, inc_warmup = TRUE)
leapfrogs <- sapply(statistics, function(s) sum(s[, "n_leapfrog__"]))
kept <- rstan::get_sampler_params(fit$fit, inc_warmup = FALSE)
if (!short) {
  draws <- as.array(fit)
  names <- intersect(request$reported, dimnames(draws)[[3]])
  flat <- apply(draws[, , names, drop = FALSE], 3, function(x) as.vector(x))
  write.csv(cbind(chain = rep(seq_len(dim(draws)[2]), each = dim(draws)[1]), flat), request$draws_csv, row.names = FALSE)
}
# Stan 2.21 reports processor time, C's clock().
answer <- list(
  summarised = summarised, reading = reading, compiling = compiling, clock = clock,
  warmup = sum(elapsed[, "warmup"]), sampling = sum(elapsed[, "sample"]),
  leapfrogs = sum(sapply(kept, function(s) sum(s[, "n_leapfrog__"]))),
  divergences = sum(sapply(kept, function(s) sum(s[, "divergent__"]))),
  leapfrog_seconds = sum(elapsed) / sum(leapfrogs),
  version = paste(packageVersion("brms"), "/ rstan", packageVersion("rstan")), note = ""
)
writeLines(jsonlite::toJSON(answer, auto_unbox = TRUE, digits = NA), request$answer)
