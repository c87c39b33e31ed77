"""Fidelity and diversity: features, statistics, metrics."""
