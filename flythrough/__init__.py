"""Flythrough: from drone videos to scored endless flights (Infinite Nature, rebuilt)."""

__version__ = "0.1.0"
