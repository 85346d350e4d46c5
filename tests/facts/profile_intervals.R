# Profile-likelihood intervals of 40 small random data sets: random intercepts, intercepts and slopes, crossed factors.
# Run: Rscript profile_intervals.R  (writes profile_intervals.json; R 4.2.2, lme4 1.1-31)
#
# "limits" holds lme4::confint(method = "profile", oldNames = FALSE). lme4's own profiles fail at the boundary (NA, a
# spline through a profile that is not monotone, an error), so every limit is checked against the deviance itself,
# written out here with a dense covariance matrix and minimised with the parameter held, from several starts. A limit
# of lme4 at which that deviance has not risen by qchisq(.95, 1) is replaced by the place where it has (source "deviance").
suppressMessages({library(lme4); library(jsonlite)})

CUT <- qchisq(0.95, 1)

simulate_data <- function(seed) {
  set.seed(seed)
  kind <- c("intercept", "slope", "crossed")[seed %% 3 + 1]
  if (kind == "crossed") {
    d <- expand.grid(g = factor(1:6), h = factor(1:5))
    d$x <- round(rnorm(nrow(d)), 2)
    sds <- c(1, 0.7) * sample(c(0, 0.4, 1), 2, replace = TRUE)
    eta <- 2 + 0.5 * d$x + rnorm(6, 0, sds[1])[d$g] + rnorm(5, 0, sds[2])[d$h]
    formula <- "y ~ x + (1 | g) + (1 | h)"
  } else {
    m <- sample(5:8, 1); k <- sample(4:6, 1)
    d <- data.frame(g = factor(rep(1:m, each = k)), x = rep(seq_len(k) - (k + 1) / 2, m))
    sds <- sample(c(0, 0.3, 1), 1); slope <- if (kind == "slope") sample(c(0.1, 0.4, 0.8), 1) else 0
    rho <- sample(c(-0.8, 0, 0.5), 1)
    u <- rnorm(m); v <- rho * u + sqrt(1 - rho^2) * rnorm(m)
    eta <- 2 + 0.5 * d$x + (sds * u)[d$g] + (slope * v)[d$g] * d$x
    formula <- if (kind == "slope") "y ~ x + (x | g)" else "y ~ x + (1 | g)"
  }
  d$y <- round(eta + rnorm(nrow(d)), 3)
  same <- lapply(d[names(d) %in% c("g", "h")], function(f) outer(f, f, "==") * 1)
  list(kind = kind, formula = formula, data = d, same = same, X = cbind(1, d$x))
}

# Minus twice the log-likelihood, coefficients at their best, of absolute standard deviations.
deviance_of <- function(case, sd, rho, sigma, hold = NULL) {
  X <- case$X; y <- case$data$y; n <- length(y)
  V <- if (case$kind == "crossed") {
    sd[1]^2 * case$same$g + sd[2]^2 * case$same$h
  } else if (case$kind == "intercept") {
    sd[1]^2 * case$same$g
  } else {
    C <- matrix(c(sd[1]^2, rho * sd[1] * sd[2], rho * sd[1] * sd[2], sd[2]^2), 2)
    case$same$g * (X %*% C %*% t(X))
  }
  diag(V) <- diag(V) + sigma^2
  U <- tryCatch(chol.default(V), error = function(e) NULL)
  if (is.null(U)) return(1e10)
  if (!is.null(hold)) { y <- y - X[, hold$j] * hold$value; X <- X[, -hold$j, drop = FALSE] }
  A <- backsolve(U, cbind(X, y), transpose = TRUE)
  r <- lm.fit(A[, seq_len(ncol(X)), drop = FALSE], A[, ncol(X) + 1])$residuals
  n * log(2 * pi) + 2 * sum(log(diag(U))) + sum(r^2)
}

# The coordinates: standard deviations (their sign has no meaning), the sine of the correlation's angle, log sigma.
names_of <- function(case) switch(case$kind,
  intercept = c("sd_g__Intercept", "sigma", "b_Intercept", "b_x"),
  crossed = c("sd_g__Intercept", "sd_h__Intercept", "sigma", "b_Intercept", "b_x"),
  slope = c("sd_g__Intercept", "cor_g__Intercept__x", "sd_g__x", "sigma", "b_Intercept", "b_x"))

profile_deviance <- function(case, name = NULL, value = NULL) {
  variance <- setdiff(names_of(case), c("b_Intercept", "b_x"))
  free <- setdiff(variance, name)
  unpack <- function(x) {
    full <- setNames(numeric(length(variance)), variance)
    full[free] <- ifelse(free == "sigma", exp(x), ifelse(startsWith(free, "cor"), sin(x), abs(x)))
    if (!is.null(name) && name %in% variance) full[name] <- value
    full
  }
  hold <- if (!is.null(name) && startsWith(name, "b_")) list(j = if (name == "b_x") 2 else 1, value = value)
  f <- function(x) {
    p <- unpack(x)
    sds <- p[startsWith(variance, "sd")]
    deviance_of(case, sds, if (case$kind == "slope") p[["cor_g__Intercept__x"]] else 0, p[["sigma"]], hold)
  }
  best <- Inf
  for (s in c(0.05, 0.7)) for (angle in if (case$kind == "slope") c(-1, 1) else 0) {
    start <- ifelse(free == "sigma", 0, ifelse(startsWith(free, "cor"), angle, s))
    start <- if (length(start)) start else numeric(0)
    fit <- nlminb(start, f, control = list(rel.tol = 1e-11, x.tol = 1e-7))
    best <- min(best, fit$objective)
  }
  best
}

estimates_of <- function(m, case) {
  v <- as.data.frame(VarCorr(m)); b <- fixef(m)
  raw <- c(sd_g__Intercept = v$sdcor[v$grp == "g" & v$var1 %in% "(Intercept)" & is.na(v$var2)], sigma = sigma(m),
           b_Intercept = b[[1]], b_x = b[[2]])
  if (case$kind == "crossed") raw <- c(raw, sd_h__Intercept = v$sdcor[v$grp == "h"])
  if (case$kind == "slope") raw <- c(raw, sd_g__x = v$sdcor[v$grp == "g" & v$var1 %in% "x" & is.na(v$var2)],
                                     cor_g__Intercept__x = v$sdcor[v$grp == "g" & !is.na(v$var2)])
  raw[names_of(case)]
}

lme4_limits <- function(m, case) {
  found <- try(suppressMessages(suppressWarnings(
    confint(m, method = "profile", oldNames = FALSE))), silent = TRUE)
  if (inherits(found, "try-error")) return(NULL)
  rows <- c("sd_(Intercept)|g" = "sd_g__Intercept", "cor_x.(Intercept)|g" = "cor_g__Intercept__x", "sd_x|g" = "sd_g__x",
            "sd_(Intercept)|h" = "sd_h__Intercept", "sigma" = "sigma", "(Intercept)" = "b_Intercept", "x" = "b_x")
  rownames(found) <- rows[rownames(found)]
  found[names_of(case), ]
}

# Where the profile has risen enough, or the bound of the parameter.
limit_by_deviance <- function(case, name, side, estimate, minimum) {
  rise <- function(v) profile_deviance(case, name, v) - minimum - CUT
  bound <- if (startsWith(name, "cor")) side else if (startsWith(name, "sd") && side < 0) 0 else side * Inf
  if (!is.finite(estimate)) return(side)
  if (is.finite(bound)) {
    if (estimate == bound || rise(bound) < 0) return(bound)
    outer <- bound
  } else {
    step <- 0.5; outer <- estimate + side * step
    while (rise(outer) < 0) { step <- step * 1.6; outer <- estimate + side * step
      if (name == "sigma" && outer < 1e-6) stop("sigma") }
  }
  uniroot(rise, sort(c(estimate, outer)), tol = 1e-6)$root
}

cases <- lapply(1:40, function(seed) {
  case <- simulate_data(seed)
  m <- suppressMessages(suppressWarnings(lmer(as.formula(case$formula), case$data, REML = FALSE,
    control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9)))))
  minimum <- profile_deviance(case)
  est <- estimates_of(m, case)
  theirs <- lme4_limits(m, case)
  rows <- lapply(names_of(case), function(name) {
    out <- list(estimate = est[[name]])
    for (side in c(-1, 1)) {
      own <- if (is.null(theirs)) NA else theirs[name, if (side < 0) 1 else 2]
      at_bound <- is.finite(own) && ((startsWith(name, "sd") && own <= 0) || (startsWith(name, "cor") && abs(own) >= 1))
      rise <- if (is.finite(own) && abs(own) < 1e4) profile_deviance(case, name, own) - minimum else NA
      right <- is.finite(rise) && (abs(rise - CUT) < 2e-3 || (at_bound && rise < CUT))
      value <- if (right) own else limit_by_deviance(case, name, side, est[[name]], minimum)
      out[[if (side < 0) "lower" else "upper"]] <- value
      out[[if (side < 0) "lower_source" else "upper_source"]] <- if (right) "lme4" else "deviance"
      if (!right) out[[if (side < 0) "lower_lme4" else "upper_lme4"]] <- own
    }
    out
  })
  cat(seed, case$kind, isSingular(m), "\n")
  list(seed = seed, kind = case$kind, formula = case$formula, singular = isSingular(m), deviance = minimum,
       data = lapply(as.list(case$data), function(v) if (is.factor(v)) as.integer(v) else v),
       limits = setNames(rows, names_of(case)))
})
write_json(cases, "profile_intervals.json", auto_unbox = TRUE, digits = 9, na = "null")
