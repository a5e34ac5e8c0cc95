"""Programs of the bench that are started by module name, and what they share with Frappe by path."""
