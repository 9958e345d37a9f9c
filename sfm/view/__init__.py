"""HTML pages of one clip, and of all clips."""
