"""The conditions of a bench that need more than a row of its stages, one file each."""
