"""Metrics of images, of sets of images, and their feature networks."""
