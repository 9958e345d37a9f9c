"""Checks of a downloaded file: integrity, tone mapping, near-duplicates."""
