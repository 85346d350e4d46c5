"""Runs: chains, blocks of draws, checkpoints, retries, targets."""
