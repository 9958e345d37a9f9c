"""What the leaderboard holds: every results file with its tier and date, and the boards made of them."""
