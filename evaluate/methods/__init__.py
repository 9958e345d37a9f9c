"""Which methods there are, and the baselines."""
