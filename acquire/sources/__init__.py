"""Sources: lists, camera files and platforms, expanded into entries."""
