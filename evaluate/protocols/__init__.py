"""Protocols: what is flown and how it is scored, frozen under a hash."""
