# Two data sets with several group terms: Rscript tests/facts/nested_designs.R (lme4 1.1-31, nlme)
data(grouseticks, package = "lme4")
columns <- c("INDEX", "TICKS", "BROOD", "HEIGHT", "YEAR", "LOCATION")
write.csv(grouseticks[, columns], "tests/facts/grouseticks.csv", row.names = FALSE, quote = FALSE)
data(Assay, package = "nlme")
assay <- as.data.frame(Assay)[, c("Block", "sample", "dilut", "logDens")]
write.csv(assay, "tests/facts/assay.csv", row.names = FALSE, quote = FALSE)
