"""From nothing to a site that answers: what `make demo` runs."""
