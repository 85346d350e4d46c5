# Links and response terms that brms has for each of its families: Rscript brms_links.R brms_links.json
suppressMessages({library(brms); library(jsonlite)})
constructors <- grep("^\\.family_", ls(asNamespace("brms"), all.names = TRUE), value = TRUE)
constructors <- setdiff(constructors, c(".family_custom", ".family_info"))
families <- lapply(constructors, function(name) {
  family <- getFromNamespace(name, "brms")()
  list(links = family$links, terms = family$ad)
})
names(families) <- sub("^\\.family_", "", constructors)
dpars <- c("sigma", "shape", "phi", "kappa", "beta", "disc", "bs", "ndt", "nu", "zi", "hu", "zoi", "coi", "bias",
           "quantile", "xi", "alpha")
parameters <- setNames(lapply(dpars, brms:::links_dpars), dpars)
source <- paste("brms", packageVersion("brms"), ": .family_*()$links and $ad, links_dpars()")
write_json(list(source = source, families = families, parameters = parameters), commandArgs(TRUE)[1])
