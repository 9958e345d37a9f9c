"""Upkeep of a workspace: verifying its files against their records, and removing those that nothing refers to."""
