"""The workspace: tables, config, stages, and running them."""
