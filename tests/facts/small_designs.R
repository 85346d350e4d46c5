# Random small designs with the tests of lme4 1.1-31, lmerTest 3.1-3 and pbkrtest 0.5.2, written to small_designs.json.
#
#   Rscript tests/facts/small_designs.R tests/facts/small_designs.json
#
# Each fit starts from lmer's optimum and is taken on by Newton's steps until the REML criterion is flat, so that the
# tests differ from their exact values by rounding in the numerical derivatives of lmerTest (about 1e-7) only.
suppressMessages({library(lme4); library(lmerTest); library(pbkrtest); library(numDeriv); library(jsonlite)})

pick <- function(values) values[[sample.int(length(values), 1)]]
letter <- function(prefix, k) factor(paste0(prefix, seq_len(k)))
effect <- function(f, sd) rnorm(nlevels(f), 0, sd)[as.integer(f)]
keep_rows <- function(d, most) if (runif(1) < 0.5) d[-sample.int(nrow(d), sample.int(most, 1)), ] else d
settle <- function(d) { d$y <- round(d$y, 1); droplevels(d) }

# Treatments within complete or damaged blocks.
blocks <- function(treatments, count, most) {
  d <- expand.grid(t = letter("t", treatments), b = letter("b", count), r = seq_len(pick(c(1, 1, 1, 2))))
  d$y <- 10 + effect(d$t, 1) + effect(d$b, pick(c(0.2, 1, 3))) + rnorm(nrow(d))
  d <- keep_rows(d[c("y", "t", "b")], most)
  if (anyDuplicated(d[c("t", "b")]) && runif(1) < 0.3) list(y ~ t + (1 | b) + (1 | b:t), d) else list(y ~ t + (1 | b), d)
}

arms <- function() {
  size <- if (runif(1) < 0.5) rep(pick(2:4), 6) else sample(1:4, 6, replace = TRUE)
  if (max(size) == 1) size[1:2] <- 2
  cluster <- rep(1:6, size)
  d <- data.frame(arm = factor(c("control", "treated")[1 + (cluster > 3)]), cluster = factor(paste0("c", cluster)))
  d$x <- round(rnorm(nrow(d), 50, 10), 1)
  d$y <- 5 + 1.5 * (d$arm == "treated") + 0.05 * d$x + effect(d$cluster, pick(c(0.2, 1, 2))) + rnorm(nrow(d))
  list(if (runif(1) < 0.4 && nrow(d) > 8) y ~ arm + x + (1 | cluster) else y ~ arm + (1 | cluster), d)
}

split_plot <- function() {
  d <- expand.grid(B = letter("s", pick(2:3)), A = letter("w", pick(2:3)), block = letter("k", pick(3:4)))
  plot <- interaction(d$block, d$A)
  d$y <- 20 + effect(d$A, 1) + effect(d$B, 1) + effect(d$block, pick(c(0.5, 2))) + effect(plot, pick(c(0.3, 1, 2))) +
    rnorm(nrow(d))
  d <- keep_rows(d, 3)
  list(if (runif(1) < 0.7) y ~ A * B + (1 | block) + (1 | block:A) else y ~ A + B + (1 | block) + (1 | block:A), d)
}

cells <- function() {
  n <- sample(24:40, 1)
  d <- data.frame(a = sample(letter("a", 3), n, TRUE), b = sample(letter("b", pick(2:3)), n, TRUE),
                  g = sample(letter("g", pick(4:6)), n, TRUE), x = round(rnorm(n, 3, 1), 2))
  if (runif(1) < 0.7) d <- d[!(d$a == "a2" & d$b == "b2"), ]
  d$y <- effect(d$a, 1) + effect(d$b, 1) + 0.5 * d$x + effect(d$g, pick(c(0.3, 1))) + rnorm(nrow(d))
  list(pick(c(y ~ a * b + (1 | g), y ~ a * b + x + (1 | g), y ~ a + b + a:b:x + (1 | g), y ~ a / b + (1 | g),
              y ~ a * b + a * x + (1 | g))), d)
}

slopes <- function() {
  d <- expand.grid(k = 1:5, g = letter("g", pick(6:9)))
  d$x <- round((d$k - pick(c(0, 3, -10))) * pick(c(0.01, 1, 200)), 2)
  d$f <- factor(c("p", "q", "r"))[1 + as.integer(d$g) %% 3]
  u <- rnorm(nlevels(d$g))[as.integer(d$g)]
  d$y <- 3 + u + (0.5 * u + effect(d$g, 1)) * scale(d$x)[, 1] + effect(d$f, 0.5) + rnorm(nrow(d), 0, 0.7)
  d <- keep_rows(d[c("y", "x", "f", "g")], 6)
  list(pick(c(y ~ x + f + (x | g), y ~ x * f + (x | g), y ~ x + (x || g), y ~ f + x + I(x^2) + (1 | g))), d)
}

squares <- function() {
  k <- pick(3:4)
  d <- expand.grid(row = letter("r", k), column = letter("c", k))
  d$t <- letter("t", k)[(as.integer(d$row) + as.integer(d$column)) %% k + 1]
  d$y <- 8 + effect(d$t, 1.5) + effect(d$row, 1) + effect(d$column, 2) + rnorm(nrow(d))
  d <- keep_rows(d, 2)
  list(pick(c(y ~ t + (1 | row) + (1 | column), y ~ column + (1 | row))), d)
}

DESIGNS <- list(
  "2x3" = list(40, function() blocks(2, 3, 1)), "3x2" = list(40, function() blocks(3, 2, 1)),
  "arms" = list(40, arms), "split" = list(40, split_plot), "cells" = list(30, cells),
  "slopes" = list(25, slopes), "squares" = list(25, squares))

fit <- function(formula, d) {
  parts <- lFormula(formula, d, REML = TRUE, control = lmerControl(check.nobs.vs.nRE = "ignore"))
  criterion <- do.call(mkLmerDevfun, parts)
  starts <- lapply(c(1, 0.1, 10), function(scale) scale * parts$reTrms$theta)
  found <- lapply(starts, function(start) optimizeLmer(
    criterion, optimizer = "bobyqa", start = start, control = list(rhoend = 1e-9, maxfun = 1e5)))
  best <- found[[which.min(vapply(found, function(o) o$fval, 0))]]
  theta <- best$par
  for (round in 1:5) {
    # A standard deviation of zero stays there; the others move to where the derivative vanishes.
    free <- which(!(parts$reTrms$lower == 0 & theta < 1e-4))
    theta[parts$reTrms$lower == 0 & theta < 1e-4] <- 0
    if (!length(free)) break
    along <- function(v) { full <- theta; full[free] <- v; criterion(full) }
    H <- hessian(along, theta[free])
    if (min(eigen(H, TRUE, TRUE)$values) <= 1e-6) break
    theta[free] <- theta[free] - solve(H, grad(along, theta[free]))
  }
  best$par <- theta
  best$fval <- criterion(theta)
  m <- mkMerMod(environment(criterion), best, parts$reTrms, parts$fr)
  m@call <- quote(lmer(formula = formula, data = d))
  m@call$formula <- formula
  as_lmerModLmerTest(m)
}

table_of <- function(t) lapply(seq_len(nrow(t)), function(i) signif(unname(unlist(t[i, c("F value", "NumDF", "DenDF", "Pr(>F)")])), 10))
anovas <- function(m, ddf) lapply(c("I", "II", "III"), function(type) tryCatch({
  t <- suppressMessages(anova(m, type = type, ddf = ddf))
  setNames(table_of(t), rownames(t))
}, error = function(e) NULL))
fixed <- function(m, ddf) {
  s <- coef(summary(m, ddf = ddf))
  lapply(seq_len(nrow(s)), function(i) signif(unname(s[i, c("Estimate", "Std. Error", "df", "Pr(>|t|)")]), 10))
}

record <- function(kind, seed, generate) {
  set.seed(seed)
  made <- generate()
  d <- settle(made[[2]])
  m <- suppressMessages(suppressWarnings(fit(made[[1]], d)))
  if (max(getME(m, "theta")) > 300) stop("no residual variance")
  environment(made[[1]]) <- globalenv()
  text <- paste(deparse(made[[1]], width.cutoff = 500), collapse = "")
  list(kind = kind, seed = seed, formula = text, data = lapply(d, function(v) if (is.factor(v)) as.character(v) else v),
       coefs = names(fixef(m)), theta = signif(unname(getME(m, "theta")), 10), sigma = signif(sigma(m), 10), reml = signif(as.numeric(REMLcrit(m)), 12),
       singular = isSingular(m), fixed = list(satterthwaite = fixed(m, "Satterthwaite"), kr = fixed(m, "Kenward-Roger")),
       anova = list(satterthwaite = anovas(m, "Satterthwaite"), kr = anovas(m, "Kenward-Roger")))
}

main <- function(path) {
  records <- list()
  for (kind in names(DESIGNS)) {
    found <- 0
    seed <- 1000 * match(kind, names(DESIGNS))
    last <- seed + 10 * DESIGNS[[kind]][[1]]
    while (found < DESIGNS[[kind]][[1]] && seed < last) {
      seed <- seed + 1
      one <- tryCatch(record(kind, seed, DESIGNS[[kind]][[2]]), error = function(e) { message(kind, " ", seed, ": ", conditionMessage(e)); NULL })
      if (is.null(one)) next
      records[[length(records) + 1]] <- one
      found <- found + 1
    }
  }
  lines <- vapply(records, function(r) as.character(toJSON(r, digits = NA, auto_unbox = TRUE, null = "null", na = "null")), "")
  writeLines(c("[", paste0(lines, c(rep(",", length(lines) - 1), "")), "]"), path)
}

if (!interactive()) main(commandArgs(trailingOnly = TRUE)[1])
