"""The differentiable mesh renderer of Infinite Nature; :mod:`.render` is its public door."""
