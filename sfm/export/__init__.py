"""Clips in the formats that other code reads."""
