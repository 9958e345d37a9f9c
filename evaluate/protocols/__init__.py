"""Protocols: what is flown and what it is compared with, frozen under a hash."""
