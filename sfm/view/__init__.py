"""One clip on an HTML page."""
