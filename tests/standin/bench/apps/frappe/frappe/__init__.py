"""A stand-in for Frappe 15: it behaves as Frappe does where something outside can tell. A test double, no more."""

__version__ = "15.51.1"
