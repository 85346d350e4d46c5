# Terms of brms 2.18 in less usual forms and combinations for brms_density_more.py:
#
#   Rscript tests/facts/brms_density_terms.R tests/facts/brms_density_terms.csv programs.json
#   python tests/facts/brms_density_more.py programs.json tests/facts/brms_density_terms.json
#
# The matrices of data2 are written to brms_matrices_terms.json. Entries of A are positive: brms 2.18 leaves negative
# entries of its Cholesky factor out of correlated effects.
source("tests/facts/brms_density_more.R")

draw_terms <- function() {
  set.seed(31)
  G <- letters[1:6]
  n <- 30
  d <- data.frame(g = rep(G, each = 5), slot = rep(1:5, 6), h = rep(c("u", "v", "w"), 10))
  d$f <- sample(c("p", "q", "r"), n, TRUE)
  d$g2 <- sample(G, n, TRUE)
  d$g3 <- sample(G, n, TRUE)
  d$side <- c("A", "B")[1 + (match(d$g, G) > 4)]
  d$x <- rnorm(n)
  d$z <- rnorm(n)
  d$v <- runif(n, 0, 10)
  for (w in c("w1", "w2", "w3")) d[[w]] <- runif(n, 0.2, 2)
  u <- rnorm(6, 0, 0.7)[match(d$g, G)]
  eta <- 0.6 * d$x - 0.3 * d$z + u + sin(d$v)
  d$y <- 1.5 + eta + rnorm(n)
  d$k <- rpois(n, exp(0.6 + 0.3 * eta))
  d$b <- rbinom(n, 1, plogis(eta))
  d$o <- as.integer(cut(eta + rlogis(n), c(-Inf, -0.8, 0.3, 1.2, Inf)))
  d$xo <- d$x + rnorm(n, 0, 0.4)
  d$sx <- runif(n, 0.2, 0.6)
  d$s <- runif(n, 0.1, 0.8)
  d$oi <- sample(rep(1:4, length.out = n))
  d$xm <- ifelse(seq_len(n) %in% c(4, 17, 23), NA, d$x)
  numbers <- vapply(d, is.double, TRUE)
  d[numbers] <- lapply(d[numbers], round, 3)
  d
}

matrices <- function() {
  G <- letters[1:6]
  A <- 0.6^abs(outer(1:6, 1:6, "-"))
  W <- (abs(outer(1:6, 1:6, "-")) == 1) * 1
  W[1, 4] <- W[4, 1] <- 1
  V <- 0.5^abs(outer(1:30, 1:30, "-"))
  dimnames(A) <- dimnames(W) <- list(G, G)
  list(A = round(A, 6), W = W, V = V)
}

TERMS <- list(
  c("term_cp", "y ~ s(v, bs = \"cp\", k = 7)", "gaussian"),
  c("term_bs", "k ~ s(x, bs = \"bs\", k = 6)", "poisson"),
  c("term_kriging", "y ~ s(x, z, bs = \"gp\", k = 9, m = c(3, 2)) + z", "gaussian"),
  c("term_fs_xt", "y ~ s(x, h, bs = \"fs\", k = 4, xt = list(bs = \"ps\"), m = 1)", "gaussian"),
  c("term_pc", "bf(y ~ s(x, bs = \"cr\", k = 5, pc = 0), sigma ~ s(z, k = 4, pc = 1))", "gaussian"),
  c("term_by_cc", "b ~ f + s(v, by = f, bs = \"cc\", k = 5)", "bernoulli"),
  c("term_t2_full", "k ~ t2(x, z, k = 4, full = TRUE)", "poisson"),
  c("term_t2_levels", "y ~ t2(x, g, bs = c(\"cr\", \"re\"), k = 4)", "gaussian"),
  c("term_mo_group", "y ~ mo(oi) + (mo(oi) | g)", "gaussian"),
  c("term_mo_apart", "k ~ mo(oi) * x + (0 + mo(oi):x || g) + (1 | g)", "poisson"),
  c("term_mo_cov", "y ~ mo(oi) + (mo(oi) | gr(g, cov = A))", "gaussian"),
  c("term_me_group", "y ~ me(xo, sx) + (me(xo, sx) | g)", "gaussian"),
  c("term_mi_group", "bf(y ~ mi(xm) + (mi(xm) | g)) + bf(xm | mi() ~ z) + set_rescor(FALSE)", "gaussian"),
  c("term_mm_id", "bf(y ~ x + (1 | i | mm(g, g2)), sigma ~ (1 | i | mm(g, g2)))", "gaussian"),
  c("term_mm_three", "k ~ x + (1 + x | mm(g, g2, g3, weights = cbind(w1, w2, w3), scale = FALSE))", "poisson"),
  c("term_cov_responses", "bf(y ~ (1 | a | gr(g, cov = A))) + bf(k ~ x + (1 | a | gr(g, cov = A))) + set_rescor(FALSE)",
    "list(gaussian, poisson)"),
  c("term_by_cov_apart", "k ~ x + (x || gr(g, by = side, cov = A))", "poisson"),
  c("term_by_cov", "y ~ x + (x | gr(g, by = side, cov = A))", "gaussian"),
  c("term_nested", "b ~ x + (x || h/g)", "bernoulli"),
  c("term_arma", "y ~ s(x, k = 4) + arma(slot, g, p = 2, q = 2)", "student"),
  c("term_latent_ma", "b ~ x + ma(slot, g, cov = TRUE)", "bernoulli"),
  c("term_fcor", "y ~ x + fcor(V) + (1 | g)", "student"),
  c("term_ordinal_areas", "o ~ mo(oi) + car(W, gr = g, type = \"escar\") + cs(z)", "sratio")
)

if (sys.nframe() == 0) {
  args <- commandArgs(trailingOnly = TRUE)
  data2 <- matrices()
  write(toJSON(lapply(data2, function(m) list(values = m, names = rownames(m))), digits = 8),
        "tests/facts/brms_matrices_terms.json")
  main(args[1], args[2], models = TERMS, data = draw_terms(), data2 = data2)
}
