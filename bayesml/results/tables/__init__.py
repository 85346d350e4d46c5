"""Tables of a fit: what it prints and the data frames it returns."""
