"""The render-refine model and its training."""
