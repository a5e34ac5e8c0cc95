"""The conditions of a site that need more than a row of its stages, one file each."""
