"""Curation against labels: precision, recall, and which rule errs where."""
