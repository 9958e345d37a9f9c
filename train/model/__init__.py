"""The networks, and their checkpoints."""
