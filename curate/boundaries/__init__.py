"""Shot boundaries: cuts, dissolves, fades and spins."""
