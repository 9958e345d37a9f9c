"""The leaderboard's results: every results file with its tier and date, and the boards made from them."""
