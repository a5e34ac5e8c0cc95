"""The words of Kubernetes: kinds, names, labels, conditions, verdicts. Pure values, no cluster."""
