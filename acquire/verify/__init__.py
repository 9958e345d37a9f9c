"""What a downloaded file is worth: integrity, tone mapping, near-duplicates."""
