"""Predictions for the rows of a fit or new ones."""
