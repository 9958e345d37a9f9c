"""Download videos, and record exactly which failed and why."""
