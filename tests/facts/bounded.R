# Maximum likelihood estimates of ordered beta models by R's own optim, for tests/test_bounded.py.
# Rscript bounded.R, in this folder. R 4.2.2. The density is that of Kubinec (2023), written by hand.
suppressMessages(library(jsonlite))

set.seed(23)
n <- 300
D <- data.frame(g = rep(1:15, each = 20), x = round(rnorm(n), 3), z = round(runif(n), 3))
u <- rnorm(15, 0, 0.5)
eta <- 0.3 + 0.6 * D$x + u[D$g]
y <- rbeta(n, plogis(eta) * 4, plogis(-eta) * 4)
y <- round(pmin(pmax(y, 0.001), 0.999), 4)
D$zero <- ifelse(runif(n) < plogis(-1.2 + D$z), 0, y)
latent <- eta + rlogis(n)
D$both <- ifelse(latent < -1.5, 0, ifelse(latent > 1.9, 1, y))
write.csv(D, "bounded.csv", row.names = FALSE, quote = FALSE)

minus <- function(par, columns) {
  e <- drop(columns %*% par[seq_len(ncol(columns))])
  rest <- par[-seq_len(ncol(columns))]
  phi <- exp(rest[1])
  first <- rest[2]
  second <- rest[2] + exp(rest[3])
  inside <- D$both > 0 & D$both < 1
  p <- ifelse(D$both == 0, plogis(first - e, log.p = TRUE), plogis(e - second, log.p = TRUE))
  at <- log(plogis(e - first) - plogis(e - second))[inside]
  p[inside] <- at + dbeta(D$both[inside], plogis(e[inside]) * phi, plogis(-e[inside]) * phi, log = TRUE)
  -sum(p)
}
estimated <- function(columns) {
  start <- c(numeric(ncol(columns)), 1, -1, 1)
  for (k in 1:3) {
    f <- optim(start, minus, columns = columns, method = "BFGS", control = list(reltol = 1e-15, maxit = 2000))
    start <- f$par
  }
  list(loglik = -f$value, par = f$par)
}
write(toJSON(list(plain = estimated(cbind(1, D$x)), two = estimated(cbind(1, D$x, D$z))), auto_unbox = TRUE, digits = 9),
      "bounded.json")
