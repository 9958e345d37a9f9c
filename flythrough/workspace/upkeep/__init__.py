"""Upkeep of a workspace: checking what lies there against its records, and removing what nothing refers to."""
