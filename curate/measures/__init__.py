"""What is measured of a shot: motion, picture quality, overlays, surfaces, semantics, hashes."""
