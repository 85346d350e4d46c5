# Group means and spline columns of R, for tests/test_column_functions.py:  Rscript tests/facts/group_means.R > tests/facts/group_means.json
suppressMessages({library(splines); library(jsonlite)})
set.seed(3)
n <- 14
d <- data.frame(x = round(rnorm(n), 3), g = sample(c("a", "b", "c"), n, TRUE))
new <- c(-1, 0.2, 0.9)
ns3 <- ns(d$x, df = 3)
bs5 <- bs(d$x, df = 5)
bs4 <- bs(d$x, df = 4, degree = 2)
out <- list(x = d$x, g = d$g, new = new, ave = ave(d$x, d$g), within = d$x - ave(d$x, d$g), pmax = pmax(d$x, 0.1),
            pmin = pmin(d$x, 0.1, 0.5), ns3 = unclass(ns3)[, ], bs5 = unclass(bs5)[, ], bs4 = unclass(bs4)[, ],
            ns3_new = unclass(predict(ns3, new))[, ], bs5_new = unclass(predict(bs5, new))[, ],
            bs4_new = unclass(predict(bs4, new))[, ])
cat(toJSON(out, digits = 10))
