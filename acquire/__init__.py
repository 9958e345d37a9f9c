"""Get videos and know exactly what could not be had."""
