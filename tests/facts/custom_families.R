# Custom families of brms 2.18 on the data of brms_density_more.R: Stan programs, Stan data and default priors.
#
#   Rscript tests/facts/custom_families.R programs.json
#   python tests/facts/brms_density_more.py programs.json tests/facts/custom_families.json
suppressMessages({library(brms); library(jsonlite)})

# The family of brms's vignette on custom families; one with names that brms knows nothing about.
beta_binomial2 <- custom_family("beta_binomial2", dpars = c("mu", "phi"), links = c("logit", "log"), lb = c(0, 0),
                                ub = c(1, NA), type = "int", vars = "vint1[n]")
scaled_gumbel <- custom_family("scaled_gumbel", dpars = c("mu", "spread", "tilt"), links = c("identity", "log", "identity"),
                               lb = c(NA, 0, -1), ub = c(NA, NA, 1), type = "real", vars = c("vreal1[n]", "vint1[n]"))
code <- "
  real beta_binomial2_lpmf(int y, real mu, real phi, int size) {
    return beta_binomial_lpmf(y | size, mu * phi, (1 - mu) * phi);
  }
  real scaled_gumbel_lpdf(real y, real mu, real spread, real tilt, real w, int n) {
    return gumbel_lpdf(y | mu + tilt * n, spread * w);
  }
"
stanvars <- stanvar(scode = code, block = "functions")

# name, formula, family
MODELS <- list(
  c("custom_int", "k | vint(n) ~ x + (1 | g)", "beta_binomial2"),
  c("custom_int_phi", "bf(k | vint(n) + weights(w) ~ x, phi ~ z)", "beta_binomial2"),
  c("custom_real", "y | vint(n) + vreal(e) ~ x + (x | g)", "scaled_gumbel"),
  c("custom_real_all", "bf(y | vreal(e) + vint(n) ~ x, spread ~ z + (1 | g), tilt ~ 1)", "scaled_gumbel")
)

columns <- c("prior", "class", "coef", "group", "resp", "dpar", "nlpar", "lb", "ub", "source")
table_of <- function(p) {
  p <- as.data.frame(p, stringsAsFactors = FALSE)[columns]
  p[] <- lapply(p, function(v) { v <- as.character(v); ifelse(is.na(v), "", v) })
  p
}
d <- read.csv("tests/facts/brms_density_more.csv", stringsAsFactors = TRUE)
records <- lapply(MODELS, function(m) {
  formula <- eval(parse(text = m[2]))
  family <- get(m[3])
  data <- unclass(make_standata(formula, d, family, stanvars = stanvars))
  data <- lapply(data, function(v) if (is.null(dim(v)) && length(v) == 1) unbox(v) else v)
  list(formula = unbox(m[2]), family = unbox(m[3]), user_prior = unbox(""),
       code = unbox(as.character(make_stancode(formula, d, family, stanvars = stanvars))),
       data = data, default_prior = table_of(get_prior(formula, d, family)))
})
names(records) <- vapply(MODELS, `[`, "", 1)
write(toJSON(records, digits = NA), commandArgs(trailingOnly = TRUE)[1])
