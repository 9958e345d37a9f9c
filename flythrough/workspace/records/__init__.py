"""What a finished or failed task leaves: its record, read and checked, and a stage's ledger of them."""
