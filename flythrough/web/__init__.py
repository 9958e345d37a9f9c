"""Pages served on this machine only: who may ask, what comes back, and the server itself."""
