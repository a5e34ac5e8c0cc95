"""Measures what the operator costs, and compares it with what is promised: `make bench`."""
