"""The tests, in the rooms of the house; helpers are imported as ``tests.ROOM.helper``."""
