"""The leaderboard in formats that other programs read."""
