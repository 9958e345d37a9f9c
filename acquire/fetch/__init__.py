"""Downloading: over HTTP or through yt-dlp, resumed, retried, within a budget, rate-limited per host."""
