"""Classifiers by name: building, training, prediction."""
