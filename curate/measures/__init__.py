"""What is measured of a shot: motion, picture quality, overlays, semantics."""
