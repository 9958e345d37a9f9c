"""Training sequences, from clip folders or shards."""
