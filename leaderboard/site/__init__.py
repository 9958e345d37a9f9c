"""The leaderboard as an HTML page."""
