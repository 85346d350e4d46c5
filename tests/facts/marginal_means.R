# Estimated marginal means of lmer and glmer fits, from emmeans: response scales, offsets, nesting.
# Rscript marginal_means.R writes marginal_means.csv (data) and marginal_means.json (cases), with emmeans 1.8.4,
# lme4 1.1-31 and lmerTest 3.1-3.
suppressMessages({library(lme4); library(emmeans); library(lmerTest); library(jsonlite)})
emm_options(lmer.df = "satterthwaite")

set.seed(12)
d <- expand.grid(region = c("n", "s", "w"), A = c("p", "q", "r"), t = c("u", "v"), rep = 1:3)
d <- subset(d, !(region == "s" & A == "r"))
d$g <- factor(paste0("g", rep(1:12, length.out = nrow(d))))
d$x <- round(rnorm(nrow(d)), 2)
d$e <- round(runif(nrow(d), 1, 9), 1)
effect <- rnorm(12, sd = 0.6)[as.integer(d$g)]
eta <- as.numeric(d$region) / 2 + as.numeric(d$A) / 4 + 0.4 * d$x + (d$t == "v") / 3 + effect
d$y <- round(eta + rnorm(nrow(d), sd = 0.7) + 8, 3)
d$p <- round(plogis(eta - 2 + rnorm(nrow(d), sd = 0.4)), 4)
d$count <- rpois(nrow(d), d$e * exp(eta / 2 - 0.5))
d$city <- paste0(d$region, d$A)
d$k <- as.integer(d$A) * 2
d$flag <- d$rep > 1
write.csv(d, "marginal_means.csv", row.names = FALSE)

# One case: the model, what emmeans is asked, and what it and pairs() answer.
case <- function(formula, specs, by = NULL, family = NULL, pairs = FALSE, ...) {
  f <- as.formula(formula)
  control <- if (is.null(family)) lmerControl(optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-12))
             else glmerControl(optimizer = "bobyqa", tolPwrss = 1e-12, optCtrl = list(rhoend = 1e-9))
  call <- if (is.null(family)) bquote(lmerTest::lmer(.(f), d, control = control))
          else bquote(glmer(.(f), d, family = .(family), control = control))
  m <- suppressMessages(suppressWarnings(eval(call)))
  arguments <- list(m, specs, ...)
  if (!is.null(by)) arguments$by <- by
  e <- suppressMessages(do.call(emmeans, arguments))
  table <- as.data.frame(summary(e))
  keys <- intersect(c("A", "region", "t", "city", "k", "flag", "x"), names(table))
  numbers <- setdiff(names(table), c(keys, "1"))
  if ("t" %in% keys && !is.factor(table$t) && !is.character(table$t)) stop("t is not a factor")
  out <- list(formula = formula, specs = I(specs), by = by, family = family, arguments = list(...),
              keys = lapply(table[keys], as.character), estimate = table[[numbers[1]]], SE = table$SE, df = table$df,
              lower = table[[grep("lower.CL|asymp.LCL", names(table))]],
              upper = table[[grep("upper.CL|asymp.UCL", names(table))]])
  if (pairs) {
    p <- as.data.frame(summary(contrast(e, "pairwise", adjust = "none")))
    out$pairs <- list(estimate = p[[which(names(p) == "SE") - 1]], SE = p$SE, p = p$p.value)
  }
  out
}

cases <- list(
  # responses transformed in the formula
  case("log(y) ~ A + x + (1 | g)", "A", type = "response", pairs = TRUE),
  case("log2(y) ~ A + x + (1 | g)", "A", type = "response", pairs = TRUE),
  case("log10(y) ~ A + x + (1 | g)", "A", type = "response", pairs = TRUE),
  case("log1p(y) ~ A + x + (1 | g)", "A", type = "response", pairs = TRUE),
  case("log(y + 1) ~ A + x + (1 | g)", "A", type = "response"),
  case("sqrt(y) ~ A + x + (1 | g)", "A", type = "response", pairs = TRUE),
  case("asin(sqrt(p)) ~ A + x + (1 | g)", "A", type = "response", pairs = TRUE),
  case("exp(y / 10) ~ A + x + (1 | g)", "A", type = "link"),
  case("log(y) ~ A * t + (1 | g)", "A", by = "t", type = "response", pairs = TRUE),
  case("log(y) ~ A * t + (1 | g)", "A", type = "link", pairs = TRUE),
  # links
  case("count ~ A + x + (1 | g)", "A", family = "poisson", type = "response", pairs = TRUE),
  # offsets: the mean of the offset over the rows
  case("count ~ A + offset(log(e)) + (1 | g)", "A", family = "poisson", type = "link"),
  case("count ~ A + offset(log(e)) + (1 | g)", "A", family = "poisson", type = "response", pairs = TRUE),
  case("count ~ A + e + offset(log(e)) + (1 | g)", "A", family = "poisson", type = "link"),
  case("count ~ A + offset(log(e)) + (1 | g)", "A", family = "poisson", type = "link", offset = 0),
  # numbers that the formula makes into factors, truth values
  case("y ~ t + factor(k) + (1 | g)", "t"),
  case("y ~ t * factor(k) + (1 | g)", "k"),
  case("y ~ A * flag + x + (1 | g)", "A"),
  case("y ~ A * flag + x + (1 | g)", "flag", by = "A", pairs = TRUE),
  case("y ~ A + log(e) + poly(x, 2) + (1 | g)", "A"),
  # nesting
  case("y ~ region/A + t + x + (1 | g)", "A", pairs = TRUE),
  case("y ~ region/A + t + x + (1 | g)", "region", pairs = TRUE),
  case("y ~ region/A + t + x + (1 | g)", "A", by = "region", pairs = TRUE),
  case("y ~ region/A + t + x + (1 | g)", "region", by = "A"),
  case("y ~ region/A + t + x + (1 | g)", "t", pairs = TRUE),
  case("y ~ region/A + t + x + (1 | g)", c("t", "A")),
  case("y ~ region/A + t + x + (1 | g)", "t", by = "region"),
  case("y ~ region/A * t + (1 | g)", "t", by = "A"),
  case("y ~ t * region/A + (1 | g)", "A"),
  case("y ~ t * region/A + (1 | g)", "region"),
  case("y ~ region/A/t + (1 | g)", "t"),
  case("y ~ region/A/t + (1 | g)", "A"),
  case("y ~ region/A/t + (1 | g)", "region"),
  case("y ~ t + region + city + (1 | g)", "city", pairs = TRUE),
  case("y ~ t + region + city + (1 | g)", "region"),
  case("y ~ t + region + city + (1 | g)", "t"),
  case("y ~ t + region/city + (1 | g)", "t"),
  case("y ~ region/factor(k) + (1 | g)", "k"),
  case("y ~ region * A + (1 | g)", "A", nesting = "A %in% region"),
  case("y ~ region * A + (1 | g)", "region", nesting = list(A = "region")),
  case("y ~ A:region + t + (1 | g)", "t"),
  case("y ~ region * A + t + (1 | g)", "t")
)
write_json(cases, "marginal_means.json", digits = 12, auto_unbox = TRUE, null = "null", na = "null", pretty = FALSE)
