# 1,500 random formulas and what R's model.matrix makes of them; writes model_matrix.json beside this script.
#
#     Rscript tests/facts/model_matrix.R
#
# Stored for each formula: the number of columns, the rank, and w' P v of six fixed pairs of vectors, where P projects on
# the space that the columns span. Two designs with the same space have the same six numbers; two different spaces have
# different ones with probability 1.
suppressMessages({library(jsonlite); library(splines)})
options(contrasts = c("contr.treatment", "contr.poly"), warn = 2)
RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(20261130)
n <- 72

pick <- function(levels) sample(rep_len(levels, n))
data <- data.frame(
  x = round(rnorm(n), 3), z = round(runif(n, 1, 3), 3), k = pick(1:4),
  flag = pick(c(TRUE, FALSE, FALSE)), on = pick(c(TRUE, TRUE, FALSE)),
  a = pick(c("north east", "a:b", "\u00fc_1")), b = pick(c("1", "2", "10", "TRUE")), c = pick(c("u]", "v[")),
  site = pick(c("p", "", "q r")), check.names = FALSE)
data[["my col"]] <- round(rnorm(n), 3)
size <- pick(c("s", "m", "l", "xl"))
levels_of <- function(column) sort(unique(column), method = "radix")  # code point order
frame <- data
for (name in c("a", "b", "c", "site")) frame[[name]] <- factor(data[[name]], levels = levels_of(data[[name]]))
frame$size <- factor(size, levels = c("s", "m", "l", "xl"), ordered = TRUE)
v <- matrix(round(rnorm(6 * n), 4), n); w <- matrix(round(rnorm(6 * n), 4), n)

one <- function(...) sample(c(...), 1)
number <- function() one("x", "z", "`my col`", "k")
truth <- function() one("flag", "on", "I(x > 0)", "(z > 2)", "(x > 0 & on)", "I(flag | z > 2.5)", "(!flag)",
  "(b == '10')", "I(a != 'a:b')", "(k >= 3)", "I(!on & x < 0.5)", "(!x > 0)", "I(size >= 'l')", "(size < 'm')",
  "I(b %in% c('1', 'TRUE'))", "as.logical(k - 1)")
category <- function() one("a", "b", "c", "site", "size", "factor(k)", "as.factor(b)", "factor(k > 2)", "C(a, contr.sum)",
  "C(k, contr.helmert)", "factor(2 * k)", "factor(k %% 3)", "relevel(b, ref = '2')", "ordered(k)", "factor(flag)",
  "C(size, contr.treatment)", "factor(k, levels = c(3, 1, 2, 4))", "factor(k, labels = c('w', 'x', 'y', 'z'))",
  "ifelse(x > 0, 'up', 'down')")
smooth <- function() one("poly(x, 2)", "I(x^2)", "log(z)", "scale(x)", "I(2 * flag)", "I(x * on)", "poly(z, 3)",
  "bs(x, df = 5)", "ns(z, 3)", "ns(x, df = 4)", "I((x > 0) + (z > 2))", "pmax(x, 0)", "exp(x / 2)", "I(k %/% 2)",
  "ifelse(on, x, z)", "as.numeric(flag)", "poly(k, 2, raw = TRUE)")
atom <- function() sample(list(number, truth, category, smooth), 1, prob = c(.3, .3, .3, .1))[[1]]()

term <- function(depth = 2) {
  if (depth == 0 || runif(1) < .3) return(atom())
  switch(sample(6, 1),
    paste0(term(depth - 1), ":", term(depth - 1)), paste0(term(depth - 1), "*", atom()),
    paste0(atom(), "/", term(depth - 1)), paste0("(", atom(), " + ", atom(), ")^2"),
    paste0(atom(), ":", atom(), ":", atom()), paste0("(", atom(), " + ", term(depth - 1), "):", atom()))
}
side <- function() {
  parts <- replicate(sample(3, 1, prob = c(.4, .4, .2)), term())
  out <- paste(parts, collapse = " + ")
  if (runif(1) < .25) out <- paste0(out, " - ", atom())
  if (runif(1) < .1) out <- paste0(out, " - ", atom(), ":", atom())
  switch(sample(4, 1, prob = c(.6, .2, .1, .1)), out, paste("0 +", out), paste(out, "- 1"), paste("1 +", out))
}

# As ours: a label that cannot be compared with code points needs none here, all factors are made above.
study <- function(text) {
  X <- tryCatch(model.matrix(as.formula(paste("~", text)), frame), error = function(e) NULL)
  if (is.null(X) || ncol(X) == 0 || ncol(X) > 40) return(NULL)
  size <- sqrt(colSums(X^2)); size[size == 0] <- 1
  parts <- svd(sweep(X, 2, size, "/"))
  rank <- sum(parts$d > 1e-7 * parts$d[1])
  # A rank must be beyond doubt.
  if (any(parts$d < 1e-5 * parts$d[1] & parts$d > 1e-10 * parts$d[1])) return(NULL)
  if (rank >= n - 8) return(NULL)
  U <- parts$u[, seq_len(rank), drop = FALSE]
  list(formula = text, columns = ncol(X), rank = rank, numbers = signif(colSums(crossprod(U, w) * crossprod(U, v)), 13))
}

fixed <- c("x", "flag", "0 + flag", "flag/z", "I(x > 0):z", "0 + flag + on", "flag*a", "0 + a:flag", "x > 0", "!flag",
  "(x > 0) & a == 'a:b'", "-1 + I(x > 0) + b", "a - a + b", "a:b - a:b + c", "1", "flag:x - 1", "size*x", "0 + size",
  "a %in% b", "(a + b + flag)^3 - a:b:flag", "x:flag + a", "k*(k > 2)", "flag:on:a", "0 + x + x:flag")
found <- list()
texts <- unique(c(fixed, replicate(4000, side())))
for (text in texts) {
  if (length(found) == 1500) break
  own <- study(text)
  if (!is.null(own)) found[[length(found) + 1]] <- own
}
stopifnot(length(found) == 1500)
columns <- c(as.list(data), list(size = size))
place <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
output <- list(
  data = columns, v = t(v), w = t(w), formulas = sapply(found, `[[`, "formula"), columns = sapply(found, `[[`, "columns"),
  rank = sapply(found, `[[`, "rank"), numbers = t(sapply(found, `[[`, "numbers")))
writeLines(toJSON(output, digits = 13, auto_unbox = TRUE), file.path(place, "model_matrix.json"), useBytes = TRUE)
