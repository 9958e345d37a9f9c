"""placeholder"""

from typing import Protocol


class Flight(Protocol):
    """Where the camera goes."""
