"""Conditions and Events: what a user reads about an object."""
