"""Whether a flight follows its commanded camera."""
