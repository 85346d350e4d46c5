"""Fits in files and for other programs."""
