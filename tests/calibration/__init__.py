"""Simulation-based calibration and coverage: `make calibrate`."""
