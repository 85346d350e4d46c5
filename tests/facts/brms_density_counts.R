# Models of brms 2.18 of counts and compositions, for brms_density_more.py.
#
#   Rscript tests/facts/brms_density_counts.R tests/facts/brms_density_counts.csv programs.json
#   python tests/facts/brms_density_more.py programs.json tests/facts/brms_density_counts.json
source("tests/facts/brms_density_more.R")

# Families that brms does not export, under their names.
negbinomial2 <- function(link = "log") brmsfamily("negbinomial2", link)
com_poisson <- function(link = "log") brmsfamily("com_poisson", link)
discrete_weibull <- function(link = "logit") brmsfamily("discrete_weibull", link)
dirichlet2 <- function(link = "log") brmsfamily("dirichlet2", link)
logistic_normal <- function(link = "identity", refcat = NULL) brmsfamily("logistic_normal", link, refcat = refcat)

draw_counts <- function() {
  set.seed(31)
  n <- 24
  d <- data.frame(x = rnorm(n), z = rnorm(n), g = rep(letters[1:6], 4))
  eta <- 0.5 * d$x + rnorm(6, 0, 0.5)[match(d$g, letters)]
  d$n <- sample(3:9, n, TRUE)
  d$k <- rbinom(n, d$n, rbeta(n, 3 * plogis(eta), 3 * plogis(-eta)))
  d$k <- ifelse(runif(n) < 0.2, 0L, d$k)
  d$c <- rnbinom(n, mu = exp(0.8 + eta), size = 2)
  d$few <- rpois(n, 0.4)
  d$c1 <- d$c + 1L
  d$low <- -1.5
  d$e <- runif(n, 0.5, 4)
  d$w <- runif(n, 0.3, 2)
  d$ce <- sample(c("none", "left", "right", "interval"), n, TRUE, c(0.4, 0.2, 0.2, 0.2))
  d$kc <- pmin(d$k, d$n - 2L)
  d$ku <- d$kc + 1L
  d$cu <- d$c + 2L
  d$a1 <- rpois(n, 3)
  d$a2 <- rpois(n, exp(0.5 + 0.5 * eta))
  d$a3 <- rpois(n, 2)
  d$t <- d$a1 + d$a2 + d$a3
  shares <- cbind(exp(0.3 * eta + rnorm(n, 0, 0.5)), exp(rnorm(n, 0, 0.5)), exp(rnorm(n, 0, 0.5)), exp(rnorm(n, 0, 0.5)))
  shares <- round(shares / rowSums(shares), 3)
  for (k in 1:3) d[[paste0("d", k)]] <- shares[, k]
  d$d4 <- 1 - rowSums(shares[, 1:3])
  d$e1 <- d$d1
  d$e2 <- d$d2
  d$e3 <- 1 - d$d1 - d$d2
  numbers <- vapply(d, is.double, TRUE)
  d[numbers] <- lapply(d[numbers], round, 3)
  d
}

COUNTS <- list(
  c("bb", "k | trials(n) ~ x + (1 | g)", "beta_binomial"),
  c("bb_phi", "bf(k | trials(n) ~ x, phi ~ z)", "beta_binomial(\"probit\")"),
  c("bb_cloglog", "k | trials(12) ~ x", "beta_binomial(\"cloglog\", link_phi = \"identity\")"),
  c("bb_cens", "kc | trials(n) + cens(ce, ku) ~ x", "beta_binomial"),
  c("bb_trunc", "k | trials(n) + trunc(ub = 9) + weights(w) ~ x", "beta_binomial"),
  c("zibin", "bf(k | trials(n) ~ x, zi ~ z)", "zero_inflated_binomial"),
  c("zibin_cloglog", "k | trials(n) + weights(w) ~ x + (1 | g)", "zero_inflated_binomial(\"cloglog\", link_zi = \"identity\")"),
  c("zibin_cens", "kc | trials(n) + cens(ce, ku) ~ x", "zero_inflated_binomial"),
  c("zibb", "bf(k | trials(n) ~ x, phi ~ z, zi ~ 1)", "zero_inflated_beta_binomial"),
  c("zibb_plain", "k | trials(n) ~ x + (1 | g)", "zero_inflated_beta_binomial(\"cauchit\")"),
  c("nb2", "c ~ x + (1 | g)", "negbinomial2"),
  c("nb2_sigma", "bf(c ~ x, sigma ~ z)", "negbinomial2(\"softplus\")"),
  c("nb2_rate", "c | rate(e) ~ x", "negbinomial2"),
  c("nb2_trunc", "c1 | trunc(lb = 1) ~ x", "negbinomial2"),
  c("com", "few ~ 0 + Intercept + offset(low)", "com_poisson"),
  c("com_shape", "bf(few ~ 0 + Intercept + offset(low), shape ~ z)", "com_poisson"),
  c("dw", "c ~ x + (1 | g)", "discrete_weibull"),
  c("dw_shape", "bf(c ~ x, shape ~ z)", "discrete_weibull(\"cloglog\")"),
  c("dw_cens", "c | cens(ce, cu) ~ x", "discrete_weibull"),
  c("zinb", "bf(c ~ x, shape ~ z, zi ~ x + (1 | g))", "zero_inflated_negbinomial"),
  c("zinb_trunc", "c1 | trunc(lb = 1, ub = 40) ~ x", "zero_inflated_negbinomial"),
  c("hunb", "bf(c ~ x, shape ~ z, hu ~ x + (1 | g))", "hurdle_negbinomial"),
  c("hup_trunc", "bf(c ~ x + (1 | g), hu ~ z)", "hurdle_poisson"),
  c("geo", "c | rate(e) ~ x + (1 | g)", "geometric"),
  c("geo_cens", "c | cens(ce, cu) ~ x", "geometric(\"softplus\")"),
  c("mn", "cbind(a1, a2, a3) | trials(t) ~ x", "multinomial"),
  c("mn_re", "bf(cbind(a1, a2, a3) | trials(t) ~ x + (1 | g), mua3 ~ z)", "multinomial(refcat = \"a1\")"),
  c("mn_refcat", "cbind(a1, a2, a3) | trials(t) + weights(w) ~ x", "multinomial(refcat = \"a3\")"),
  c("dir2", "cbind(e1, e2, e3) ~ x", "dirichlet2"),
  c("dir2_mus", "bf(cbind(e1, e2, e3) ~ x + (1 | g), mue2 ~ z)", "dirichlet2(\"softplus\")"),
  c("ln", "cbind(d1, d2, d3, d4) ~ x", "logistic_normal"),
  c("ln_sigma", "bf(cbind(d1, d2, d3, d4) ~ x + (1 | g), sigmad3 ~ z)", "logistic_normal"),
  c("ln_refcat", "cbind(e1, e2, e3) ~ x", "logistic_normal(refcat = \"e2\")",
    "prior(lkj(3),class='lncor')")
)

args <- commandArgs(trailingOnly = TRUE)
if (sys.nframe() == 0) main(args[1], args[2], models = COUNTS, data = draw_counts())
