"""Flying with a trained model."""
