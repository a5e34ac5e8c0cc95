"""FrappeSite: its reconcile, from observing to status."""
