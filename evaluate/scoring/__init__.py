"""From frames to a result."""
