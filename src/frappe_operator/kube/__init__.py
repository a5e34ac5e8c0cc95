"""Vocabulary of Kubernetes: kinds, names, labels, conditions, verdicts. Pure values without access to a cluster."""
