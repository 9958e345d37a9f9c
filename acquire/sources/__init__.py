"""What was asked for: lists, camera files and platforms, expanded into entries."""
