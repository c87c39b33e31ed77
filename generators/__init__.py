"""Conditional generators: architectures, objectives, training, sampling, checkpoints."""
