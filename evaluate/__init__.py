"""Scores that anyone can repeat, for any method."""
