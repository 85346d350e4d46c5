"""Draws and estimates as long data frames, in the columns of tidybayes and broom, and tables of several fits."""
