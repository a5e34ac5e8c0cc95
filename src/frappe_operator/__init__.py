"""The Frappe Operator: runs Frappe benches and sites on Kubernetes."""

__version__ = "0.1.0"
