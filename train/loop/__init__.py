"""The training loop: one step, one run, one process or several."""
