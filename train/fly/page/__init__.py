"""The web page for flying: choose a picture, steer, watch."""
