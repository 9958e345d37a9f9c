"""The sample world: procedural islands, filmed with known poses and disparity."""
