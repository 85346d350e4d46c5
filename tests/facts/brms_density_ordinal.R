# Ordinal, bounded and survival models of brms 2.18: Stan programs, Stan data and default priors.
#
#   Rscript tests/facts/brms_density_ordinal.R tests/facts/brms_density_ordinal.csv programs.json
#   python tests/facts/brms_density_more.py programs.json tests/facts/brms_density_ordinal.json
#
# The programs of brms 2.18 with category specific effects that vary, (cs(1) | g), add these effects twice; the second
# loop that does so is taken out here. Its functions inv_cauchit and inv_softit take vectors where numbers are needed, and
# softit divides vectors without saying that it does so element by element.
source("tests/facts/brms_density_more.R")

drawn <- function() {
  set.seed(29)
  n <- 32
  d <- data.frame(x = round(rnorm(n), 2), z = round(rnorm(n), 2), g = rep(letters[1:6], length.out = n),
                  h = rep(c("u", "v"), each = n / 2))
  eta <- 0.6 * d$x - 0.3 * d$z + rnorm(6, 0, 0.7)[match(d$g, letters)]
  d$o <- as.integer(cut(eta + rlogis(n), c(-Inf, -0.8, 0.3, 1.2, Inf)))
  d$ot <- ifelse(d$h == "u", d$o, pmin(d$o, 3L))
  d$s <- round(plogis(0.5 * eta + rnorm(n, 0, 0.8)), 3)
  d$s0 <- ifelse(runif(n) < 0.25, 0, d$s)
  d$s01 <- ifelse(runif(n) < 0.2, 1, d$s0)
  d$t <- round(20 * rweibull(n, 1.4, exp(-0.4 * eta)), 2)
  d$ce <- sample(c("none", "left", "right"), n, TRUE, c(0.6, 0.1, 0.3))
  d$right <- rbinom(n, 1, 0.3)
  d$w <- round(runif(n, 0.3, 2), 2)
  d
}

models <- list(
  c("sratio_probit", "o ~ x + (1 | g)", "sratio(\"probit\")"),
  c("sratio_probit_approx", "o ~ x", "sratio(\"probit_approx\")"),
  c("sratio_cloglog", "o ~ x", "sratio(\"cloglog\")"),
  c("sratio_cauchit", "o ~ x", "sratio(\"cauchit\")"),
  c("sratio_equidistant", "o ~ x", "sratio(threshold = \"equidistant\")"),
  c("sratio_zero", "o ~ x", "sratio(threshold = \"sum_to_zero\")"),
  c("sratio_disc", "bf(o ~ x, disc ~ z)", "sratio(\"cloglog\")"),
  c("sratio_cs", "o ~ x + cs(z)", "sratio"),
  c("sratio_groups", "ot | thres(gr = h) ~ x", "sratio(\"cloglog\")"),
  c("sratio_weights", "o | weights(w) ~ x", "sratio"),
  c("sratio_cs_g", "o ~ x + (cs(1) | g)", "sratio"),
  c("sratio_cs_x_g", "o ~ cs(z) + (cs(1 + x) | g)", "sratio"),
  c("sratio_cs_cor_g", "o ~ x + (cs(1) || g) + (1 | h)", "sratio"),
  c("cratio_logit", "o ~ x + (x | g)", "cratio"),
  c("cratio_cloglog", "o ~ x + cs(z)", "cratio(\"cloglog\")"),
  c("cratio_disc", "bf(o ~ x, disc ~ 0 + h)", "cratio(\"cloglog\")"),
  c("cratio_groups", "ot | thres(3, gr = h) ~ x", "cratio(\"cloglog\")"),
  c("cratio_cs_g", "o ~ x + (cs(1) | g)", "cratio(\"cloglog\")"),
  c("acat_cs", "o ~ x + cs(z)", "acat"),
  c("acat_probit", "o ~ x + (1 | g)", "acat(\"probit\")"),
  c("acat_probit_approx", "o ~ x", "acat(\"probit_approx\")"),
  c("acat_cloglog", "o ~ x", "acat(\"cloglog\")"),
  c("acat_cauchit", "o ~ x", "acat(\"cauchit\")"),
  c("acat_softit", "o ~ x", "acat(\"softit\")"),
  c("acat_equidistant", "o ~ x", "acat(threshold = \"equidistant\")"),
  c("acat_disc", "bf(o ~ x, disc ~ z)", "acat"),
  c("acat_groups", "ot | thres(gr = h) ~ x", "acat"),
  c("acat_groups_probit", "ot | thres(gr = h) ~ x", "acat(\"probit\")"),
  c("acat_cs_g", "o ~ x + (cs(1) | g)", "acat"),
  c("cumulative_softit", "o ~ x", "cumulative(\"softit\")"),
  c("cumulative_probit_approx", "o ~ x", "cumulative(\"probit_approx\")"),
  c("cumulative_cs_g", "o ~ x + (cs(1) | g)", "cumulative"),
  c("bernoulli_softit", "right ~ x", "bernoulli(\"softit\")"),
  c("bernoulli_probit_approx", "right ~ x", "bernoulli(\"probit_approx\")"),
  c("beta_softit", "s ~ x", "Beta(\"softit\")"),
  c("zib", "s0 ~ x + (1 | g)", "zero_inflated_beta"),
  c("zib_all", "bf(s0 ~ x, phi ~ z, zi ~ x + (1 | g))", "zero_inflated_beta(\"cloglog\")"),
  c("zib_cens", "s0 | cens(right) ~ x", "zero_inflated_beta"),
  c("zoib", "s01 ~ x + (1 | g)", "zero_one_inflated_beta"),
  c("zoib_all", "bf(s01 ~ x, phi ~ z, zoi ~ x, coi ~ z)", "zero_one_inflated_beta(\"probit\")"),
  c("cox_plain", "t ~ x", "cox"),
  c("cox_right", "t | cens(right) ~ x + (1 | g)", "cox"),
  c("cox_left", "t | cens(ce) ~ x", "cox"),
  c("cox_no_intercept", "t | cens(right) ~ 0 + x", "cox"),
  c("cox_weights", "t | cens(right) + weights(w) ~ x", "cox"),
  c("cox_softplus", "t | cens(right) ~ x", "cox(\"softplus\")")
)

files <- commandArgs(trailingOnly = TRUE)
main(files[1], files[2], models = models, data = drawn())
records <- fromJSON(files[2], simplifyVector = FALSE)
loop <- "(    for \\(n in 1:N\\) \\{\n(      mucs\\[n, \\d+\\] = [^\n]*\n)+    \\}\n)"
records <- lapply(records, function(r) {
  found <- gregexpr(loop, r$code, perl = TRUE)[[1]]
  if (length(found) == 2) {
    second <- substr(r$code, found[2], found[2] + attr(found, "match.length")[2] - 1)
    start <- substr(r$code, 1, found[2] - 1)
    r$code <- paste0(start, substr(r$code, nchar(start) + nchar(second) + 1, nchar(r$code)))
  }
  r$code <- gsub("log(expm1(-p / (p - 1)))", "log(expm1(-p ./ (p - 1)))", r$code, fixed = TRUE)
  if (grepl("acat|cumulative", r$family)) {
    r$code <- gsub("vector inv_(cauchit|softit)\\(vector y\\)", "real inv_\\1(real y)", r$code)
  } else {
    r$code <- gsub("log1p_exp(y) / (1", "log1p_exp(y) ./ (1", r$code, fixed = TRUE)
  }
  r
})
write(toJSON(records, auto_unbox = TRUE, digits = NA), files[2])
