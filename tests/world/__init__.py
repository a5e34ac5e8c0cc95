"""The operator against an API server and a cluster that live in memory, under virtual time."""
