"""The leaderboard in files that other programs read."""
