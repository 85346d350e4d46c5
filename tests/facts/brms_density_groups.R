# Models of brms 2.18 whose groups or areas depend on each other: known covariances, Student's t effects, several
# memberships, conditional and simultaneous autoregression.
#
#   Rscript tests/facts/brms_density_groups.R tests/facts/brms_density_groups.csv programs.json
#   python tests/facts/brms_density_more.py programs.json tests/facts/brms_density_groups.json
#
# The matrices go to brms_matrices_groups.json.
source("tests/facts/brms_density_more.R")

areas <- letters[1:6]

rows <- function() {
  set.seed(23)
  n <- 24
  d <- data.frame(x = rnorm(n), x2 = rnorm(n), g = rep(areas, 4), g2 = areas[c(6:1, sample(6, n - 6, TRUE))],
                  w1 = runif(n, 0.1, 1), w2 = runif(n, 0.1, 1))
  d$by <- ifelse(d$g %in% c("a", "b", "e"), "u", "v")
  d$by2 <- ifelse(d$g2 %in% c("a", "b", "e"), "u", "v")
  d$y <- 1 + 0.5 * d$x + rnorm(6)[match(d$g, areas)] + rnorm(n)
  d$k <- rpois(n, exp(0.4 + 0.3 * d$x))
  numbers <- vapply(d, is.double, TRUE)
  d[numbers] <- lapply(d[numbers], round, 3)
  d
}

matrices <- function() {
  set.seed(24)
  # brms 2.18 leaves out the negative entries of the Cholesky factor where effects are correlated, so that there are none.
  L <- matrix(runif(36), 6, 6) * lower.tri(diag(6)) + diag(6)
  A <- round(L %*% t(L), 2)
  dimnames(A) <- list(areas, areas)
  W <- matrix(0, 6, 6, dimnames = list(areas, areas))
  for (e in list(c(1, 2), c(2, 3), c(3, 4), c(4, 5), c(5, 6), c(1, 6), c(2, 5))) W[e[1], e[2]] <- W[e[2], e[1]] <- 1
  n <- 24
  M <- matrix(0, n, n)
  for (i in 1:n) for (j in 1:n) if (abs(i - j) == 1 || abs(i - j) == 5) M[i, j] <- 1
  M <- M / rowSums(M)
  list(A = A, W = W, M = M)
}

GROUPS <- list(
  c("cov", "y ~ x + (1 | gr(g, cov = A))", "gaussian"),
  c("cov_slopes", "k ~ x + (x | gr(g, cov = A))", "poisson"),
  c("cov_independent", "y ~ x + (x || gr(g, cov = A))", "gaussian"),
  c("cov_id", "bf(y ~ x + (1 | p | gr(g, cov = A)), sigma ~ 1 + (1 | p | gr(g, cov = A)))", "gaussian"),
  c("student_effects", "y ~ x + (1 | gr(g, dist = 'student'))", "gaussian"),
  c("student_slopes", "k ~ x + (x | gr(g, dist = 'student'))", "poisson"),
  c("student_cov", "y ~ x + (1 | gr(g, cov = A, dist = 'student'))", "gaussian"),
  c("student_by", "y ~ x + (1 | gr(g, by = by, dist = 'student'))", "gaussian"),
  c("student_sigma", "bf(y ~ (1 | gr(g, dist = 'student')), sigma ~ (1 | gr(g, dist = 'student')))", "gaussian"),
  c("mm", "y ~ x + (1 | mm(g, g2))", "gaussian"),
  c("mm_weights", "k ~ x + (x | mm(g, g2, weights = cbind(w1, w2)))", "poisson"),
  c("mm_unscaled", "y ~ (1 | mm(g, g2, weights = cbind(w1, w2), scale = FALSE))", "gaussian"),
  c("mm_mmc", "y ~ x + (1 + mmc(x, x2) | mm(g, g2))", "gaussian"),
  c("mm_cov", "y ~ (1 | mm(g, g2, cov = A))", "gaussian"),
  c("mm_student", "y ~ (1 | mm(g, g2, dist = 'student'))", "gaussian"),
  c("escar", "y ~ x + car(W, gr = g)", "gaussian"),
  c("escar_poisson", "k ~ x + car(W, gr = g, type = 'escar')", "poisson"),
  c("esicar", "y ~ x + car(W, gr = g, type = 'esicar')", "gaussian"),
  c("icar", "k ~ x + car(W, gr = g, type = 'icar')", "poisson"),
  c("lagsar", "y ~ x + sar(M)", "gaussian"),
  c("errorsar", "y ~ x + sar(M, type = 'error')", "gaussian"),
  c("lagsar_student", "y ~ x + sar(M)", "student")
)

if (sys.nframe() == 0) {
  arguments <- commandArgs(trailingOnly = TRUE)
  beside <- matrices()
  named <- lapply(beside, function(m) list(names = rownames(m), values = unname(m)))
  write(toJSON(named, digits = NA), sub("density_groups.csv", "matrices_groups.json", arguments[1]))
  main(arguments[1], arguments[2], models = GROUPS, data = rows(), data2 = beside)
}
