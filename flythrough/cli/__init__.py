"""The command line, and what all commands print and write pages with."""
