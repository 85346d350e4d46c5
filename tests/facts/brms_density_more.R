# More models of brms 2.18 for brms_density_more.py: Stan programs, Stan data and default priors.
#
#   Rscript tests/facts/brms_density_more.R tests/facts/brms_density_more.csv programs.json
#
# writes the data (seeded) and what brms makes of each model; the second step evaluates the programs. Other scripts
# source this one and call main() with models and data of their own.
suppressMessages({library(brms); library(jsonlite)})

draw <- function() {
  set.seed(11)
  n <- 40
  d <- data.frame(x = rnorm(n), z = rnorm(n), g = rep(letters[1:8], 5), h = rep(c("u", "v"), each = n / 2),
                  f = sample(c("p", "q", "r"), n, TRUE))
  # `side` is constant within each level of g.
  d$side <- c("A", "B")[1 + (match(d$g, letters) > 5)]
  u <- rnorm(8, 0, 0.7)[match(d$g, letters)]
  eta <- 0.6 * d$x - 0.3 * d$z + u
  d$y <- 1.5 + eta + rnorm(n)
  d$y2 <- 0.5 - 0.4 * d$x + 0.5 * u + rnorm(n)
  d$p <- exp(0.4 + 0.3 * eta + rnorm(n, 0, 0.4))
  d$k <- rpois(n, exp(0.6 + 0.3 * eta))
  d$k1 <- d$k + 1
  d$kz <- ifelse(runif(n) < 0.3, 0, d$k)
  d$pz <- ifelse(runif(n) < 0.25, 0, d$p)
  d$b <- rbinom(n, 1, plogis(eta))
  d$o <- as.integer(cut(eta + rlogis(n), c(-Inf, -0.8, 0.3, 1.2, Inf)))
  # Levels u and v of h have three and two thresholds.
  d$ot <- ifelse(d$h == "u", d$o, pmin(d$o, 3L))
  d$c3 <- c("a", "b", "c")[as.integer(cut(0.5 * eta + rlogis(n), c(-Inf, -0.4, 0.6, Inf)))]
  shares <- cbind(exp(0.3 * eta + rnorm(n, 0, 0.5)), exp(rnorm(n, 0, 0.5)), exp(0.2 + rnorm(n, 0, 0.5)))
  shares <- round(shares / rowSums(shares), 3)
  d$d1 <- shares[, 1]
  d$d2 <- shares[, 2]
  d$d3 <- 1 - d$d1 - d$d2
  d$w <- runif(n, 0.3, 2)
  d$e <- runif(n, 0.5, 4)
  d$right <- rbinom(n, 1, 0.3)
  d$ce <- sample(c("none", "left", "right", "interval"), n, TRUE, c(0.5, 0.15, 0.15, 0.2))
  d$pu <- d$p + runif(n, 0.2, 2)
  d$yu <- d$y + runif(n, 0.2, 2)
  d$ku <- d$k + rpois(n, 1) + 1
  d$low <- d$y - runif(n, 0.1, 3)
  d$high <- d$y + runif(n, 0.1, 3)
  d$oi <- sample(1:4, n, TRUE)
  d$oj <- sample(0:2, n, TRUE)
  d$xc <- rnorm(n) + d$x
  d$n <- d$k + 5L
  # On other scales, for default priors.
  d$yb <- 300 + 60 * d$y
  d$pb <- 40 * d$p
  d$kb <- 12 * d$k + 1
  numbers <- vapply(d, is.double, TRUE)
  d[numbers] <- lapply(d[numbers], round, 3)
  d
}

# name, formula, family, prior
MODELS <- list(
  c("terms", "yb ~ f * x + I(z^2) + log(p)", "gaussian"),
  c("poly", "y ~ poly(x, 2) + f:z", "gaussian"),
  c("no_intercept", "y ~ 0 + f + x", "gaussian"),
  c("no_slopes", "y ~ 1 + (1 | g)", "gaussian"),
  c("offsets", "k ~ x + offset(z) + offset(log(e))", "poisson"),
  c("gaussian_log", "p ~ x", "gaussian(\"log\")"),
  c("gaussian_inverse", "p ~ 1", "gaussian(\"inverse\")"),
  c("sigma_re", "bf(yb ~ x + (1 | g), sigma ~ z + (1 | g))", "gaussian"),
  c("sigma_no_intercept", "bf(y ~ x, sigma ~ 0 + f)", "gaussian"),
  c("sigma_identity_offset", "bf(y ~ x, sigma ~ z + offset(0.1 * x))", "gaussian"),
  c("student_all", "bf(y ~ x, sigma ~ z, nu ~ x)", "student"),
  c("student_re", "y ~ x + (x | g)", "student"),
  c("lognormal_sigma", "bf(p ~ x + (1 | g), sigma ~ z)", "lognormal"),
  c("gamma_shape", "bf(p ~ x + (1 | g), shape ~ z)", "Gamma(\"log\")"),
  c("gamma_inverse", "p ~ 1", "Gamma(\"inverse\")"),
  c("gamma_identity", "p ~ 1", "Gamma(\"identity\")"),
  c("beta_phi", "bf(d1 ~ x + (1 | g), phi ~ z)", "Beta()"),
  c("beta_probit", "d1 ~ x", "Beta(\"probit\")"),
  c("binomial_slopes", "k | trials(20) ~ x + (x | g)", "binomial"),
  c("binomial_probit", "k | trials(n) ~ x", "binomial(\"probit\")"),
  c("bernoulli_cloglog_re", "b ~ x + (1 | g)", "bernoulli(\"cloglog\")"),
  c("poisson_sqrt", "kb ~ 1", "poisson(\"sqrt\")"),
  c("poisson_identity", "kb ~ 1", "poisson(\"identity\")"),
  c("negbinomial_shape", "bf(k ~ x + (1 | g), shape ~ z)", "negbinomial"),
  c("factor_slopes", "y ~ f + (f | g)", "gaussian"),
  c("factor_independent", "y ~ f + (f || g)", "gaussian"),
  c("factor_cells", "y ~ f + (0 + f | g)", "gaussian"),
  c("three_slopes", "y ~ x + z + (x + z | g)", "gaussian"),
  c("two_terms", "y ~ x + (1 | g) + (0 + x | g)", "gaussian"),
  c("two_blocks", "y ~ x + z + f + (x | g) + (0 + z + p | g)", "gaussian"),
  c("crossed_slopes", "b ~ x + (x | g) + (z || f)", "bernoulli"),
  c("interaction_group", "k ~ x + (1 | f:g) + (x | f)", "poisson"),
  c("se_re", "y | se(w) ~ x + (1 | g)", "gaussian"),
  c("se_sigma_weights", "y | se(w, sigma = TRUE) + weights(e) ~ x + (1 | g)", "gaussian"),
  c("se_student", "y | se(w) ~ x", "student"),
  c("weights_re", "b | weights(w) ~ x + (1 | g)", "bernoulli"),
  c("weights_binomial", "k | trials(20) + weights(w) ~ x", "binomial"),
  c("weights_student", "bf(y | weights(w) ~ x, sigma ~ z)", "student"),
  c("own_priors", "y ~ x + z + (x | g)", "gaussian",
    paste0("prior(normal(0,1),class='b')+prior(student_t(4,1,2),class='b',coef='z')+prior(lkj(2.5),class='cor')+",
           "prior(exponential(2),class='sd',group='g',coef='x')+prior(gamma(2,1),class='sigma')")),
  c("bounded_priors", "y ~ x + z", "gaussian",
    "prior(normal(0,1),class='b',lb=-1)+prior(cauchy(1,2),class='Intercept')+prior(normal(1,2),class='sigma')"),
  c("cum_terms", "o ~ x + z + f", "cumulative"),
  c("cum_cloglog", "o ~ x", "cumulative(\"cloglog\")"),
  c("cum_cs", "o ~ x + cs(z)", "cumulative"),
  c("cum_cs_two", "o ~ cs(x + z)", "cumulative(\"probit\")"),
  c("cum_equidistant", "o ~ x", "cumulative(threshold = \"equidistant\")"),
  c("cum_equidistant_re", "o ~ x + (1 | g)", "cumulative(\"probit\", threshold = \"equidistant\")"),
  c("cum_sum_to_zero", "o ~ x", "cumulative(threshold = \"sum_to_zero\")"),
  c("cum_thres_gr", "ot | thres(gr = h) ~ x", "cumulative"),
  c("cum_thres_four", "o | thres(4) ~ x", "cumulative"),
  c("cum_disc", "bf(o ~ x, disc ~ z)", "cumulative"),
  c("cum_disc_probit", "bf(o ~ x, disc ~ 0 + h)", "cumulative(\"probit\")"),
  c("cum_re", "o ~ x + (x | g)", "cumulative"),
  c("cum_no_terms", "o ~ 1", "cumulative"),
  c("cum_weights", "o | weights(w) ~ x", "cumulative"),
  c("cat_re", "c3 ~ x + (1 | g)", "categorical"),
  c("cat_refcat", "c3 ~ x + z", "categorical(refcat = \"b\")"),
  c("cat_dpars", "bf(c3 ~ 1, mub ~ x, muc ~ z + (1 | g))", "categorical"),
  c("cat_id", "c3 ~ x + (1 | q | g)", "categorical"),
  c("zip_zi", "bf(kz ~ x, zi ~ z)", "zero_inflated_poisson"),
  c("zip_re", "bf(kz ~ x + (1 | g), zi ~ 1 + (1 | g))", "zero_inflated_poisson"),
  c("zip_id", "bf(kz ~ x + (1 | q | g), zi ~ (1 | q | g))", "zero_inflated_poisson"),
  c("zip_weights", "kz | weights(w) ~ x", "zero_inflated_poisson"),
  c("hurdle_gamma_zeros", "pz ~ x", "hurdle_gamma"),
  c("hurdle_gamma_hu", "bf(pz ~ x, hu ~ x)", "hurdle_gamma"),
  c("hurdle_gamma_all", "bf(pz ~ x + (1 | g), hu ~ z + (1 | g), shape ~ z)", "hurdle_gamma"),
  c("weibull_right", "p | cens(right) ~ x + (1 | g)", "weibull"),
  c("weibull_all", "p | cens(ce, pu) ~ x + (1 | g)", "weibull"),
  c("weibull_shape", "bf(p ~ x, shape ~ z)", "weibull"),
  c("exponential_cens", "p | cens(right) ~ x", "exponential"),
  c("exponential_all", "p | cens(ce, pu) ~ x + (1 | g)", "exponential"),
  c("gaussian_cens", "y | cens(ce, yu) ~ x", "gaussian"),
  c("student_cens", "y | cens(ce, yu) ~ x", "student"),
  c("lognormal_cens", "p | cens(ce, pu) ~ x", "lognormal"),
  c("gamma_cens", "p | cens(ce, pu) ~ x", "Gamma(\"log\")"),
  c("poisson_cens", "k | cens(ce, ku) ~ x", "poisson"),
  c("cens_weights", "p | cens(ce, pu) + weights(w) ~ x", "weibull"),
  c("trunc_lower", "y | trunc(lb = -2) ~ x", "gaussian"),
  c("trunc_upper", "y | trunc(ub = 6) ~ x", "gaussian"),
  c("trunc_both", "y | trunc(lb = -2, ub = 6) ~ x + (1 | g)", "gaussian"),
  c("trunc_columns", "y | trunc(lb = low, ub = high) ~ x", "gaussian"),
  c("trunc_student", "y | trunc(lb = -2, ub = 6) ~ x", "student"),
  c("trunc_lognormal", "p | trunc(lb = 0.1, ub = 12) ~ x", "lognormal"),
  c("trunc_poisson", "k1 | trunc(lb = 1) ~ x", "poisson"),
  c("trunc_poisson_both", "k1 | trunc(lb = 1, ub = 15) ~ x", "poisson"),
  c("trunc_negbinomial", "k1 | trunc(lb = 1) ~ x", "negbinomial"),
  c("trunc_weibull", "p | trunc(ub = 12) ~ x", "weibull"),
  c("trunc_weights", "y | trunc(lb = -2) + weights(w) ~ x", "gaussian"),
  c("trunc_cens", "p | cens(right) + trunc(lb = 0.1) ~ x", "weibull"),
  c("rate", "k | rate(e) ~ x", "poisson"),
  c("rate_negbinomial", "k | rate(e) ~ x", "negbinomial"),
  c("weights_poisson", "k | weights(w) ~ x + (1 | g)", "poisson"),
  c("dirichlet", "cbind(d1, d2, d3) ~ x", "dirichlet"),
  c("dirichlet_phi", "bf(cbind(d1, d2, d3) ~ x + (1 | g), phi ~ z)", "dirichlet"),
  c("dirichlet_refcat", "cbind(d1, d2, d3) ~ x", "dirichlet(refcat = \"d2\")"),
  c("mix", "y ~ x", "mixture(gaussian, gaussian)"),
  c("mix_unordered", "y ~ x", "mixture(gaussian, gaussian, order = \"none\")"),
  c("mix_mus", "bf(y ~ 1, mu1 ~ x, mu2 ~ z)", "mixture(gaussian, gaussian)"),
  c("mix_theta", "bf(y ~ x, theta2 ~ z)", "mixture(gaussian, gaussian)"),
  c("mix_fixed", "bf(y ~ x, theta1 = 1, theta2 = 2)", "mixture(gaussian, gaussian)"),
  c("mix_prior", "y ~ 1", "mixture(gaussian, gaussian)",
    "prior(normal(0,2),class='Intercept',dpar='mu1')+prior(normal(3,2),class='Intercept',dpar='mu2')"),
  c("mix_three", "y ~ 1", "mixture(gaussian, gaussian, gaussian)"),
  c("mv_rescor_re", "bf(mvbind(y, y2) ~ x + (1 | q | g)) + set_rescor(TRUE)", "gaussian"),
  c("mv_no_rescor", "bf(mvbind(y, y2) ~ x + z) + set_rescor(FALSE)", "gaussian"),
  c("mv_three", "bf(mvbind(y, y2, xc) ~ x) + set_rescor(TRUE)", "gaussian"),
  c("mv_own_terms", "bf(y ~ x + (1 | g)) + bf(y2 ~ z + f) + set_rescor(TRUE)", "gaussian"),
  c("mv_sigma", "bf(y ~ x, sigma ~ z) + bf(y2 ~ x) + set_rescor(TRUE)", "gaussian"),
  c("mv_families", "bf(y ~ x + (1 | q | g)) + bf(k ~ z + (1 | q | g)) + set_rescor(FALSE)", "list(gaussian, poisson)"),
  c("mv_weights", "bf(mvbind(y, y2) | weights(w) ~ x) + set_rescor(TRUE)", "gaussian"),
  c("mv_slopes", "bf(y ~ x + (x | q | g)) + bf(y2 ~ x + (1 | q | g)) + set_rescor(FALSE)", "gaussian"),
  c("mv_student", "bf(mvbind(y, y2) ~ x + (1 | g)) + set_rescor(TRUE)", "student"),
  c("mv_student_three", "bf(mvbind(y, y2, xc) ~ x) + set_rescor(TRUE)", "student"),
  c("mv_student_apart", "bf(y ~ x, nu ~ z) + bf(y2 ~ x) + set_rescor(FALSE)", "student"),
  c("mv_se", "bf(y | se(w) ~ x) + bf(y2 | se(e, sigma = TRUE) ~ x) + set_rescor(TRUE)", "gaussian"),
  c("mv_ordinal", "bf(o ~ x + (1 | q | g)) + bf(y2 ~ z + (1 | q | g)) + set_rescor(FALSE)", "list(cumulative, gaussian)"),
  c("mv_cens", "bf(p | cens(right) ~ x) + bf(k | weights(w) ~ z) + set_rescor(FALSE)", "list(weibull, poisson)"),
  c("mv_trials", "bf(k | trials(n) ~ x) + bf(b ~ z) + set_rescor(FALSE)", "list(binomial, bernoulli)"),
  c("mv_sigma_shared", "bf(y ~ x + (1 | q | g), sigma ~ (1 | q | g)) + bf(y2 ~ (x | q | g)) + set_rescor(TRUE)", "gaussian"),
  c("mv_two_factors", "bf(mvbind(y, y2) ~ x + (1 | q | g) + (1 | f)) + set_rescor(TRUE)", "gaussian"),
  c("mv_spline", "bf(y ~ s(x, k = 5)) + bf(y2 ~ s(x, k = 6) + s(z, k = 5)) + set_rescor(TRUE)", "gaussian"),
  c("mv_nl", "bf(p ~ a * exp(b1 * x), a ~ 1 + (1 | g), b1 ~ 1, nl = TRUE) + bf(y2 ~ x) + set_rescor(TRUE)", "gaussian",
    "prior(normal(1,2),nlpar='a',resp='p')+prior(normal(0,1),nlpar='b1',resp='p')"),
  c("mv_prior", "bf(mvbind(y, y2) ~ x) + set_rescor(TRUE)", "gaussian",
    "prior(lkj(3),class='rescor')+prior(normal(0,1),class='b',resp='y2')+prior(exponential(1),class='sigma',resp='y')"),
  c("id_sigma", "bf(y ~ x + (1 | q | g), sigma ~ z + (1 | q | g))", "gaussian"),
  c("id_sigma_slopes", "bf(y ~ x + (x | q | g), sigma ~ z + (x | q | g))", "gaussian"),
  c("id_and_plain", "bf(y ~ x + (1 | q | g) + (0 + x | g), sigma ~ (1 | q | g))", "gaussian"),
  c("gr_plain", "y ~ x + (x | gr(g, cor = FALSE))", "gaussian"),
  c("gr_by", "y ~ x + (1 | gr(g, by = side))", "gaussian"),
  c("gr_by_slopes", "y ~ x + (x | gr(g, by = side))", "gaussian"),
  c("gr_by_independent", "k ~ x + (x || gr(g, by = side))", "poisson"),
  c("gr_by_two", "y ~ x + (1 | gr(g, by = side)) + (1 | f)", "gaussian"),
  c("spline_tp", "y ~ s(x)", "gaussian"),
  c("spline_cr", "y ~ s(x, bs = \"cr\", k = 6)", "gaussian"),
  c("spline_cr_ten", "y ~ s(x, bs = \"cr\")", "gaussian"),
  c("spline_by", "y ~ f + s(x, by = f, k = 5)", "gaussian"),
  c("spline_by_number", "y ~ s(x, by = z, k = 5)", "gaussian"),
  c("spline_re", "y ~ z + s(x, k = 5) + (1 | g)", "gaussian"),
  c("spline_poisson", "k ~ s(x, k = 6)", "poisson"),
  c("spline_two", "y ~ s(x, k = 5) + s(z, bs = \"cr\", k = 5)", "gaussian"),
  c("spline_sigma", "bf(y ~ s(x, k = 5), sigma ~ s(z, k = 4))", "gaussian"),
  c("mo_terms", "y ~ x + mo(oi) + (1 | g)", "gaussian"),
  c("mo_z", "y ~ mo(oi) * z", "gaussian"),
  c("mo_f", "y ~ mo(oi) * f", "gaussian"),
  c("mo_in_f", "y ~ f + mo(oi):f", "gaussian"),
  c("mo_two", "y ~ mo(oi) + mo(oj)", "gaussian"),
  c("mo_by_mo", "k ~ mo(oi) * mo(oj)", "poisson"),
  c("mo_id", "y ~ mo(oi, id = \"a\") * x", "gaussian"),
  c("mo_prior", "y ~ mo(oi)", "gaussian",
    "prior(dirichlet(2,1,3),class='simo',coef='mooi1')+prior(normal(0,1),class='b')"),
  c("mo_sigma", "bf(y ~ x, sigma ~ mo(oi))", "gaussian"),
  c("nl_re", "bf(p ~ a * exp(b1 * x), a ~ 1 + (1 | g), b1 ~ 1, nl = TRUE)", "gaussian",
    "prior(normal(1,2),nlpar='a')+prior(normal(0,1),nlpar='b1')"),
  c("nl_terms", "bf(p ~ a * exp(-b1 * x), a ~ z + (1 | q | g), b1 ~ 1 + (1 | q | g), nl = TRUE)", "gaussian",
    "prior(normal(1,2),nlpar='a')+prior(normal(0,1),nlpar='b1')"),
  c("nl_nested", "bf(p ~ a * exp(b1), nlf(b1 ~ c1 * x), a + c1 ~ 1, nl = TRUE)", "gaussian",
    "prior(normal(1,2),nlpar='a')+prior(normal(0,1),nlpar='c1')"),
  c("nl_poisson", "bf(k ~ a + log(1 + exp(b1 * x)), a ~ 1, b1 ~ 0 + h, nl = TRUE)", "poisson",
    "prior(normal(0,2),nlpar='a')+prior(normal(0,1),nlpar='b1')"),
  c("nl_sigma", "bf(p ~ a * exp(b1 * x), a + b1 ~ 1, sigma ~ z, nl = TRUE)", "gaussian",
    "prior(normal(1,2),nlpar='a')+prior(normal(0,1),nlpar='b1')"),
  c("nl_bounds", "bf(p ~ a / (1 + exp(-b1 * x)), a + b1 ~ 1, nl = TRUE)", "lognormal",
    "prior(normal(1,2),nlpar='a',lb=0)+prior(normal(0,1),nlpar='b1')"),
  c("hs", "y ~ x + z + f", "gaussian", "prior(horseshoe(),class='b')"),
  c("hs_ratio", "y ~ x + z", "gaussian", "prior(horseshoe(par_ratio = 0.5),class='b')"),
  c("hs_options", "y ~ x + z", "gaussian",
    "prior(horseshoe(df = 3, scale_global = 0.2, df_global = 2, df_slab = 10, scale_slab = 1),class='b')"),
  c("hs_no_autoscale", "y ~ x + z", "gaussian", "prior(horseshoe(autoscale = FALSE),class='b')"),
  c("hs_poisson", "k ~ x + z + (1 | g)", "poisson", "prior(horseshoe(1),class='b')"),
  c("hs_sigma", "bf(y ~ x + z, sigma ~ x + z)", "gaussian", "prior(horseshoe(1),class='b',dpar='sigma')")
)

evaluated <- function(text) eval(parse(text = text), globalenv())
columns <- c("prior", "class", "coef", "group", "resp", "dpar", "nlpar", "lb", "ub", "source")
table_of <- function(p) {
  p <- as.data.frame(p, stringsAsFactors = FALSE)[columns]
  p[] <- lapply(p, function(v) { v <- as.character(v); ifelse(is.na(v), "", v) })
  p
}

record <- function(m, d, data2) {
  message(m[1])
  formula <- evaluated(m[2])
  family <- evaluated(m[3])
  if (is.function(family)) family <- family()
  if (is.list(family) && !inherits(family, "family")) family <- lapply(family, function(f) if (is.function(f)) f() else f)
  user <- if (is.na(m[4])) NULL else evaluated(m[4])
  quiet <- function(e) suppressMessages(suppressWarnings(e))
  list(formula = m[2], family = m[3], user_prior = if (is.na(m[4])) "" else m[4],
       code = as.character(quiet(make_stancode(formula, d, family, user, data2 = data2))),
       data = unclass(quiet(make_standata(formula, d, family, user, data2 = data2))),
       default_prior = table_of(quiet(get_prior(formula, d, family, data2 = data2))))
}

main <- function(csv, programs, models = MODELS, data = draw(), data2 = NULL) {
  write.csv(data, csv, row.names = FALSE)
  d <- read.csv(csv, stringsAsFactors = TRUE)
  records <- lapply(models, function(m) {
    if (length(m) < 4) m <- c(m, NA)
    tryCatch(record(m, d, data2), error = function(e) { message("  ", conditionMessage(e)); NULL })
  })
  names(records) <- vapply(models, `[`, "", 1)
  records <- Filter(Negate(is.null), records)
  records <- lapply(records, function(r) {
    r$data <- lapply(r$data, function(v) if (is.null(dim(v)) && length(v) == 1) unbox(v) else v)
    for (k in c("formula", "family", "user_prior", "code")) r[[k]] <- unbox(r[[k]])
    r
  })
  write(toJSON(records, digits = NA), programs)
}

if (sys.nframe() == 0) main(commandArgs(trailingOnly = TRUE)[1], commandArgs(trailingOnly = TRUE)[2])
