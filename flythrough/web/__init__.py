"""Pages served on this machine only: access control and the server."""
