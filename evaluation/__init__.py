"""Judges images and classifiers; never knows who made the images."""
