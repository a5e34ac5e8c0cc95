"""How the operator reaches the cluster. Knows Kubernetes, has never heard of Frappe."""
