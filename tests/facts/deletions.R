# Single term deletions: lmerTest's ranova and drop1, lme4's and R's drop1.
# Rscript deletions.R writes deletions.csv (data) and deletions.json (cases), with lme4 1.1-31, lmerTest 3.1-3 and
# pbkrtest 0.5.2.
suppressMessages({library(lme4); library(lmerTest); library(jsonlite)})

set.seed(3)
d <- expand.grid(f = c("a", "b", "c"), h = c("p", "q"), s = paste0("s", 1:15), r = 1:2)
d$x <- round(rnorm(nrow(d)), 2)
d$z <- round(rnorm(nrow(d)), 2)
u <- matrix(rnorm(15 * 6, sd = 0.8), 15)
s <- as.integer(d$s)
d$y <- round(u[cbind(s, as.integer(d$f))] + u[s, 4] * d$x + u[s, 5] * d$z + u[s, 6] * (d$h == "p") +
             0.3 * (d$f == "b") * d$x + rnorm(nrow(d)), 3)
d$w <- round(runif(nrow(d), 0.5, 2), 2)
d$n <- rpois(nrow(d), 8) + 2
d$k <- rbinom(nrow(d), d$n, plogis(0.5 * d$x - 0.3 * (d$f == "c") + 0.5 * u[s, 1]))
d$count <- rpois(nrow(d), exp(0.8 + 0.2 * d$z + 0.3 * (d$h == "q") + 0.4 * u[s, 2]))
d <- d[-c(3, 17, 18, 40, 77, 120), ]
write.csv(d, "deletions.csv", row.names = FALSE)

tight <- lmerControl(check.conv.singular = "ignore", optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5))
columns <- function(table, ...) {
  names <- c(...)
  out <- lapply(names, function(n) table[[n]])
  names(out) <- names
  c(list(rows = I(rownames(table))), out)
}

ranova_case <- function(group) {
  m <- suppressMessages(suppressWarnings(lmer(as.formula(paste("y ~ x + z + f + h +", group)), d, control = tight)))
  table <- as.data.frame(suppressMessages(suppressWarnings(ranova(m))))
  list(group = group, table = columns(table, "npar", "logLik", "LRT", "Df"))
}

drop1_case <- function(formula, family = NULL, test = "Chisq", ddf = NULL, weights = NULL) {
  f <- as.formula(formula)
  mixed <- length(lme4::findbars(f)) > 0
  m <- suppressMessages(suppressWarnings(eval(
    if (!mixed && is.null(family)) bquote(lm(.(f), d))
    else if (!mixed) bquote(glm(.(f), .(family), d))
    else if (is.null(family)) bquote(lmer(.(f), d, control = tight))
    else bquote(glmer(.(f), d, family = .(family), control = glmerControl(optimizer = "bobyqa", tolPwrss = 1e-12))))))
  # lme4's own drop1, which compares likelihoods; lmerTest's tests by F
  if (mixed && is.null(family) && test == "Chisq") m <- as(m, "lmerMod")
  table <- as.data.frame(suppressMessages(suppressWarnings(
    if (test == "F") drop1(m, ddf = ddf) else drop1(m, test = "Chisq"))))
  names(table) <- sub("Pr\\(Chi\\)|Pr\\(>Chi\\)|Pr\\(>Chisq\\)", "p", names(table))
  names(table)[names(table) == "npar"] <- "Df"
  shown <- if (test == "F") c("Sum Sq", "NumDF", "DenDF", "F value", "Pr(>F)") else c("Df", "AIC", "LRT", "p")
  if (!mixed && is.null(family)) table$LRT <- NULL
  out <- columns(table, intersect(shown, names(table)))
  list(formula = formula, family = family, test = test, ddf = ddf, table = out,
       AIC = if (test == "F") NULL else AIC(if (mixed && is.null(family)) refitML(m) else m))
}

cases <- list(
  ranova = lapply(c("(0 + f | s)", "(f | s)", "(0 + x + z | s)", "(x + z | s)", "(0 + f + x | s)", "(f + x | s)",
                    "(x * z | s)", "(0 + h + f | s)", "(1 | s) + (0 + h | s)", "(h:x | s)", "(0 + h:f | s)",
                    "(1 | s) + (0 + x | s)"), ranova_case),
  drop1 = list(
    drop1_case("y ~ x + z + f + h + (1 | s)"),
    drop1_case("y ~ x * f + z * h + (x | s)"),
    drop1_case("y ~ x + f * h * z + (1 | s)"),
    drop1_case("y ~ f:h + x + (1 | s)"),
    drop1_case("y ~ x + (1 | s)"),
    drop1_case("y ~ x + poly(z, 2) + (1 | s)"),
    drop1_case("k / n ~ x + f + h", test = "Chisq"),
    drop1_case("cbind(k, n - k) ~ x * h + f + (1 | s)", "binomial"),
    drop1_case("cbind(k, n - k) ~ x * h + f", "binomial"),
    drop1_case("count ~ z + h * f + (1 | s)", "poisson"),
    drop1_case("count ~ z + h + offset(log(n)) + (1 | s)", "poisson"),
    drop1_case("y ~ x + z + f + h + (1 | s)", test = "F", ddf = "Satterthwaite"),
    drop1_case("y ~ x * f + z * h + (x | s)", test = "F", ddf = "Satterthwaite"),
    drop1_case("y ~ x * f + z * h + (x | s)", test = "F", ddf = "Kenward-Roger"),
    drop1_case("y ~ x + f * h * z + (1 | s)", test = "F", ddf = "Kenward-Roger"),
    drop1_case("y ~ f:h + x + (1 | s)", test = "F", ddf = "Satterthwaite")
  )
)
write_json(cases, "deletions.json", digits = 12, auto_unbox = TRUE, null = "null", na = "null")
