"""A Kubernetes of one's own on a bare machine, for the demo and the tests; not shipped with the product."""
