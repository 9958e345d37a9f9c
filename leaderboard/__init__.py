"""Publish results as a page."""
