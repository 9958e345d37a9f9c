"""Records of finished and failed tasks, read and checked, and a stage's ledger of them."""
