"""Which key is reconciled next, and what becomes of the outcome."""
