# brms::hypothesis of draws in a data frame, and its Savage-Dickey ratios. brms 2.18.
# Rscript tests/facts/hypotheses.R > tests/facts/hypotheses.json
suppressMessages(library(brms))
set.seed(8)
n <- 180
draws <- data.frame(b_x = rnorm(n, 0.4, 0.5), b_z = rnorm(n, 0.1, 0.3), sd_g__Intercept = abs(rnorm(n)), sigma = 1 + abs(rnorm(n)) / 4)
prior <- data.frame(b_x = rnorm(n, 0, 1), b_z = rnorm(n, 0, 1))
asked <- c("b_x > 0", "b_x < 2 * b_z", "exp(b_x) = 1.5", "sd_g__Intercept^2 / (sd_g__Intercept^2 + sigma^2) > 0.2", "b_x - b_z = 0")
columns <- c("Estimate", "Est.Error", "CI.Lower", "CI.Upper", "Evid.Ratio", "Post.Prob", "Star")
plain <- hypothesis(draws, asked)$hypothesis[columns]
robust <- hypothesis(draws, asked, alpha = 0.1, robust = TRUE)$hypothesis[columns]
ratio <- function(f) density_ratio(f(draws), f(prior), point = 0)
cat(jsonlite::toJSON(list(
  draws = draws, prior = prior, asked = asked, plain = plain, robust = robust,
  savage_dickey = c(ratio(function(d) d$b_x), ratio(function(d) d$b_x - 2 * d$b_z - 0.5))
), digits = 10, dataframe = "columns", na = "null"))
