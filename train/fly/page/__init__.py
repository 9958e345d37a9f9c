"""The page to fly on: choose a picture, steer, watch."""
