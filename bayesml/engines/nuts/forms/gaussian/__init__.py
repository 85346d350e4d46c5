"""Linear Gaussian models with nested and crossed factors: sums over rows, elimination of effects, and the way back.

Two forms stand on it: the collapsed one, whose model is of this kind, and the preconditioned one, whose pilot is an
approximation of this kind.
"""
