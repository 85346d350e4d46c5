"""Compiled programs of any engine: how they are compiled, named and kept in files."""
