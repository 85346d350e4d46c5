"""Compiled programs: made, kept and found again."""
