"""Predictions, comparisons and slopes of rows, and their averages, in the vocabulary of marginaleffects."""
