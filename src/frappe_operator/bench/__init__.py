"""FrappeBench: its reconcile, from observing to status."""
