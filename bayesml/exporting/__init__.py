"""A model as a program of its own: what is traced of it is printed as Python."""
