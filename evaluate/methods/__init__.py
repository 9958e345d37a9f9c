"""The registry of methods, running them, and the baselines."""
