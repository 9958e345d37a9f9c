"""Measures of a shot: motion, picture quality, overlays, semantics."""
