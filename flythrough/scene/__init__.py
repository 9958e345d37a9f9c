"""Cameras, clips and flights."""
