"""Checks of a fit: of the sampler, of the model against the data, of models against each other."""
